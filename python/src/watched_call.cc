#include "watched_call.h"

#include <unistd.h>

#include <chrono>
#include <condition_variable>
#include <thread>

namespace nb = nanobind;

namespace axle::python {
namespace {

constexpr auto kPoll = std::chrono::milliseconds(10);
constexpr auto kForever = std::chrono::hours(24 * 365);  // a time point that cannot overflow

// Joins without the GIL: the work may need it to let go of an array.
class Worker {
 public:
  explicit Worker(const std::function<void()>& work)
      : thread_([this, &work] {
          work();
          const std::lock_guard lock(mutex_);
          done_ = true;
          ended_.notify_one();
        }) {}
  ~Worker() {
    const nb::gil_scoped_release released;
    thread_.join();
  }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  bool wait() {
    const nb::gil_scoped_release released;
    std::unique_lock lock(mutex_);
    return ended_.wait_for(lock, kPoll, [this] { return done_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace

Watch Watch::over(const CancelToken* user) {
  return {user == nullptr ? CancelToken() : user->until(std::chrono::steady_clock::now() + kForever)};
}

ProgressCallback ProgressBox::writer() {
  if (!wanted()) return nullptr;
  return [this](const std::string& what, double fraction) {
    const std::lock_guard lock(mutex_);
    fresh_ = true;
    what_ = what;
    fraction_ = fraction;
  };
}

void ProgressBox::deliver() {
  std::string what;
  double fraction = -1;
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(fresh_, false)) return;
    what = what_;
    fraction = fraction_;
  }
  callback_(nb::str(what.data(), what.size()), fraction);
}

void run_watched(Watch& watch, const std::function<void()>& work) {
  Worker worker(work);
  try {
    while (!worker.wait()) {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      if (watch.tick) watch.tick();
    }
    if (PyErr_CheckSignals() != 0) throw nb::python_error();
    if (watch.tick) watch.tick();
  } catch (...) {
    watch.token.cancel();
    throw;
  }
}

bool on_main_thread() noexcept { return ::gettid() == ::getpid(); }

}  // namespace axle::python
