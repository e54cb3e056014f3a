// A size limit or a closed pipe shall be an error and not a signal that ends the process: both signals go to the thread that writes, so they
// are held back while this lives, and then taken.
#pragma once

#include <csignal>
#include <ctime>

namespace axle {

class WriteSignalsHeld {
 public:
  WriteSignalsHeld() noexcept {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGXFSZ);
    sigaddset(&signals_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGXFSZ) == 1 || sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &signals_, &before_);
  }
  ~WriteSignalsHeld() {
    const timespec now{};
    while (!was_pending_ && sigtimedwait(&signals_, nullptr, &now) > 0) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  WriteSignalsHeld(const WriteSignalsHeld&) = delete;
  WriteSignalsHeld& operator=(const WriteSignalsHeld&) = delete;

 private:
  sigset_t signals_{};
  sigset_t before_{};
  bool was_pending_ = false;
};

}  // namespace axle
