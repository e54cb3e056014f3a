#include "worker_threads.h"

#include <memory>

#include <pthread.h>
#include <sched.h>
#include <signal.h>

namespace axle::ort {
namespace {

struct Start {
  OrtThreadWorkerFn work;
  void* argument;
};

void* enter(void* raw) {
  const std::unique_ptr<Start> start(static_cast<Start*>(raw));
  start->work(start->argument);
  return nullptr;
}

// CPU masks larger than cpu_set_t (1,024 CPUs) need the dynamic form.
struct CpuMask {
  explicit CpuMask(size_t cpus) : bytes(CPU_ALLOC_SIZE(cpus)), mask(CPU_ALLOC(cpus)) {
    if (mask != nullptr) CPU_ZERO_S(bytes, mask);
  }
  ~CpuMask() {
    if (mask != nullptr) CPU_FREE(mask);
  }
  CpuMask(const CpuMask&) = delete;
  CpuMask& operator=(const CpuMask&) = delete;
  size_t bytes;
  cpu_set_t* mask;
};

constexpr size_t kMaxCpus = 8192;

}  // namespace

void WorkerThreads::install(const Api& api, OrtSessionOptions* options) {
  check(api, api->SessionOptionsSetCustomCreateThreadFn(options, &WorkerThreads::create), "installing the thread maker");
  check(api, api->SessionOptionsSetCustomThreadCreationOptions(options, this), "installing the thread maker");
  check(api, api->SessionOptionsSetCustomJoinThreadFn(options, &WorkerThreads::join), "installing the thread maker");
}

bool WorkerThreads::confine(unsigned long thread) const {
  if (cpu_set_.empty()) return true;
  CpuMask wanted(kMaxCpus), actual(kMaxCpus);
  if (wanted.mask == nullptr || actual.mask == nullptr) return false;
  for (const int32_t cpu : cpu_set_) {
    if (cpu < 0 || static_cast<size_t>(cpu) >= kMaxCpus) return false;
    CPU_SET_S(static_cast<size_t>(cpu), wanted.bytes, wanted.mask);
  }
  if (pthread_setaffinity_np(thread, wanted.bytes, wanted.mask) != 0) return false;
  if (pthread_getaffinity_np(thread, actual.bytes, actual.mask) != 0) return false;
  return CPU_EQUAL_S(wanted.bytes, wanted.mask, actual.mask) != 0;
}

// Called by the vendor inside session creation; a null handle makes it fail with its own error.
OrtCustomThreadHandle WorkerThreads::create(void* self, OrtThreadWorkerFn work, void* argument) {
  auto* threads = static_cast<WorkerThreads*>(self);
  auto start = std::unique_ptr<Start>(new (std::nothrow) Start{work, argument});
  if (start == nullptr) return nullptr;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals belong to the application's threads
  pthread_t thread{};
  const int failed = pthread_create(&thread, nullptr, &enter, start.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failed != 0) return nullptr;
  (void)start.release();  // enter owns it
  pthread_setname_np(thread, "axle-ort");
  if (!threads->confine(thread)) threads->confined_ = false;
  ++threads->count_;
  static_assert(sizeof(pthread_t) == sizeof(OrtCustomThreadHandle));
  return reinterpret_cast<OrtCustomThreadHandle>(thread);  // NOLINT(performance-no-int-to-ptr): pthread_t is a number here
}

void WorkerThreads::join(OrtCustomThreadHandle thread) { pthread_join(reinterpret_cast<pthread_t>(thread), nullptr); }

}  // namespace axle::ort
