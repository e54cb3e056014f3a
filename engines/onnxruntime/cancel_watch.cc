#include "cancel_watch.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include <pthread.h>
#include <signal.h>

namespace axle::ort {

class CancelPoller {
 public:
  // Never destroyed: its thread may outlive static destruction.
  static CancelPoller& instance() { return *current().load(std::memory_order_acquire); }

  void add(CancelWatch* watch) {
    const std::lock_guard lock(mutex_);
    watch->next_ = first_;
    if (first_ != nullptr) first_->previous_ = watch;
    first_ = watch;
    if (!started_) {
      sigset_t all, before;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
      std::thread([this] { poll(); }).detach();
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
      started_ = true;
    } else if (asleep_) {
      wake_.notify_one();
    }
  }

  void remove(CancelWatch* watch) {
    const std::lock_guard lock(mutex_);
    if (watch->previous_ != nullptr) {
      watch->previous_->next_ = watch->next_;
    } else if (first_ == watch) {  // not of a process before a fork
      first_ = watch->next_;
    }
    if (watch->next_ != nullptr) watch->next_->previous_ = watch->previous_;
  }

  bool fired(const CancelWatch* watch) {
    const std::lock_guard lock(mutex_);
    return watch->fired_;
  }

 private:
  // A forked child has no thread that polls, and a lock whose holder it may not have: it gets a poller of its own.
  static std::atomic<CancelPoller*>& current() {
    static std::atomic<CancelPoller*> poller = [] {
      (void)pthread_atfork(nullptr, nullptr, [] { current().store(new CancelPoller(), std::memory_order_release); });
      return new CancelPoller();
    }();
    return poller;
  }

  static constexpr auto kPeriod = std::chrono::milliseconds(1);
  static constexpr int kIdlePeriods = 200;  // so that a stream of short runs need not wake the thread each time

  void poll() {
    std::unique_lock lock(mutex_);
    int idle = 0;
    for (;;) {
      for (CancelWatch* watch = first_; watch != nullptr; watch = watch->next_) {
        if (!watch->fired_ && watch->cancel_.cancelled()) {
          watch->fired_ = true;
          watch->stop_(watch->argument_);
        }
      }
      idle = first_ == nullptr ? idle + 1 : 0;
      if (idle > kIdlePeriods) {
        asleep_ = true;
        wake_.wait(lock, [this] { return first_ != nullptr; });
        asleep_ = false;
        idle = 0;
      } else {
        lock.unlock();
        std::this_thread::sleep_for(kPeriod);
        lock.lock();
      }
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_;
  CancelWatch* first_ = nullptr;
  bool started_ = false;
  bool asleep_ = false;
};

CancelWatch::CancelWatch(const kit::Cancel& cancel, void (*stop)(void*), void* argument)
    : cancel_(cancel), stop_(stop), argument_(argument), watched_(cancel.possible()) {
  if (watched_) CancelPoller::instance().add(this);
}

CancelWatch::~CancelWatch() {
  if (watched_) CancelPoller::instance().remove(this);
}

bool CancelWatch::fired() const noexcept { return watched_ && CancelPoller::instance().fired(this); }

}  // namespace axle::ort
