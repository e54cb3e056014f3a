#include "runtime/execution/lanes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <future>
#include <map>
#include <mutex>

#include "base/clock.h"

namespace axle {
namespace {

// 0, or an errno.
int confine_this_thread(const std::vector<int32_t>& cpus) {
  const auto highest = static_cast<size_t>(*std::max_element(cpus.begin(), cpus.end()));
  cpu_set_t* set = CPU_ALLOC(highest + 1);
  const size_t bytes = CPU_ALLOC_SIZE(highest + 1);
  CPU_ZERO_S(bytes, set);
  for (const int32_t cpu : cpus) CPU_SET_S(static_cast<size_t>(cpu), bytes, set);
  const int error = ::pthread_setaffinity_np(::pthread_self(), bytes, set);
  CPU_FREE(set);
  return error;
}

Status confine(WorkerPool& lane, const Partition& partition) {
  if (partition.cpu_set.empty()) return ok_status();
  std::promise<int> confined;
  lane.submit([&] { confined.set_value(confine_this_thread(partition.cpu_set)); });
  const int error = confined.get_future().get();
  if (error == 0) return ok_status();
  return unavailable_error(fmt::format("{}: this process may not run on CPUs {}: {}", partition.candidate.resource,
                                       fmt::join(partition.cpu_set, ", "), std::strerror(error)))
      .with_hint("`axle devices` lists the CPUs of this process; plan again here");
}

}  // namespace

struct Lanes::Request {
  Execution& execution;
  const CancelToken& cancel;
  const RunProfile* profile;
  size_t next = 0;
  int64_t busy_ns = 0;
  Status status;
  std::mutex mutex;
  std::condition_variable over;
  bool is_over = false;
};

Result<std::unique_ptr<Lanes>> Lanes::create(const std::vector<Partition>& partitions) {
  std::unique_ptr<Lanes> lanes(new Lanes);
  std::map<std::pair<std::string, std::vector<int32_t>>, size_t> known;
  for (const Partition& partition : partitions) {
    const auto [at, fresh] = known.emplace(std::pair(partition.candidate.resource, partition.cpu_set), lanes->lanes_.size());
    lanes->lane_of_.push_back(at->second);
    if (!fresh) continue;
    lanes->lanes_.push_back(std::make_unique<WorkerPool>(1));
    AXLE_RETURN_IF_ERROR(confine(*lanes->lanes_.back(), partition));
  }
  return lanes;
}

void Lanes::step(Request& request) {
  const size_t partition = request.execution.plan().first_partition + request.next;
  lanes_[lane_of_[partition]]->submit([this, &request] {
    const int64_t started = steady_ns();
    if (request.cancel.flag() != nullptr) request.status = request.cancel.check();
    if (request.status.ok()) request.status = request.execution.run_part(request.next, &request.cancel, request.profile);
    request.busy_ns = std::max(request.busy_ns, steady_ns() - started);
    if (request.status.ok() && ++request.next < request.execution.plan().partitions.size()) {
      step(request);
      return;
    }
    // The request is the caller's and ends when the caller sees this: told under the lock.
    const std::lock_guard lock(request.mutex);
    request.is_over = true;
    request.over.notify_one();
  });
}

Status Lanes::run(Execution& execution, const CancelToken& cancel, const RunProfile* profile, int64_t& busy_ns) {
  Request request{.execution = execution, .cancel = cancel, .profile = profile};
  step(request);
  std::unique_lock lock(request.mutex);
  request.over.wait(lock, [&] { return request.is_over; });
  busy_ns = request.busy_ns;
  return std::move(request.status);
}

}  // namespace axle
