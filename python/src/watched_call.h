// Long calls: the work runs on a thread of its own while the calling thread answers signals and reports progress, so that
// Ctrl-C ends it and Python callbacks are only ever called on the caller's thread.
#pragma once

#include <nanobind/nanobind.h>

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "axle/cancel.h"
#include "axle/runtime.h"
#include "axle/status.h"

namespace axle::python {

// What to do when asked from outside.
struct Watch {
  CancelToken token;                   // the work's own; see Watch::over
  std::function<void()> tick = nullptr;  // called with the GIL every few milliseconds; may throw

  // A token that also ends with `user`'s, and that may be cancelled without touching it.
  static Watch over(const CancelToken* user);
};

// The latest progress of some work, handed from its thread to the caller's.
class ProgressBox {
 public:
  explicit ProgressBox(nanobind::object callback) : callback_(std::move(callback)) {}
  // For the work: never touches Python.
  ProgressCallback writer();
  // For the caller's thread, with the GIL: calls callback(what, fraction) when there is something new.
  void deliver();
  bool wanted() const noexcept { return !callback_.is_none(); }

 private:
  nanobind::object callback_;
  std::mutex mutex_;
  bool fresh_ = false;
  std::string what_;
  double fraction_ = -1;
};

// GIL held on entry and exit, released meanwhile. Returns when the work has ended. When a signal handler or tick raises, the
// token is cancelled, the work is waited for, and the exception is thrown.
void run_watched(Watch& watch, const std::function<void()>& work);

template <typename T>
Result<T> call_watched(Watch& watch, const std::function<Result<T>()>& work) {
  std::optional<Result<T>> result;
  run_watched(watch, [&] { result.emplace(work()); });
  return std::move(*result);
}

// True on the thread that Python's signal handlers run on.
bool on_main_thread() noexcept;

}  // namespace axle::python
