// The worker threads of one session: made by us on behalf of the vendor, so that names and CPU sets are known facts.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "ort_api.h"

namespace axle::ort {

class WorkerThreads {
 public:
  // Empty set: every CPU the process may use. Must outlive the session.
  explicit WorkerThreads(std::span<const int32_t> cpu_set) : cpu_set_(cpu_set.begin(), cpu_set.end()) {}
  WorkerThreads(const WorkerThreads&) = delete;
  WorkerThreads& operator=(const WorkerThreads&) = delete;

  // From now on the session made with `options` gets its threads here.
  void install(const Api& api, OrtSessionOptions* options);

  // Threads made so far, without the caller's.
  int32_t count() const noexcept { return count_.load(); }
  // True when every thread made so far really is confined to the set (asked of the kernel).
  bool confined() const noexcept { return confined_.load(); }

 private:
  static OrtCustomThreadHandle create(void* self, OrtThreadWorkerFn work, void* argument);
  static void join(OrtCustomThreadHandle thread);
  bool confine(unsigned long thread) const;

  std::vector<int32_t> cpu_set_;
  std::atomic<int32_t> count_{0};
  std::atomic<bool> confined_{true};
};

}  // namespace axle::ort
