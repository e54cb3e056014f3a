// Makes one step of writing files fail, or the process's last, counted over the process: for fault injection.
#pragma once

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/file.h"

namespace axle::testing {

// While it lives, step number `fail_at` (0 = the first) fails with `error`, or kills the process where that is 0; -1 only
// counts. One at a time.
class FileFaults {
 public:
  explicit FileFaults(int fail_at, int error = ENOSPC) {
    seen() = 0;
    chosen() = fail_at;
    code() = error;
    detail::set_file_fault([](detail::FileStep, size_t) {
      if (seen()++ != chosen()) return 0;
      if (code() == 0) ::kill(::getpid(), SIGKILL);
      return code().load();
    });
  }
  ~FileFaults() { detail::set_file_fault(nullptr); }
  FileFaults(const FileFaults&) = delete;
  FileFaults& operator=(const FileFaults&) = delete;

  int steps() const { return seen(); }

 private:
  static std::atomic<int>& seen() {
    static std::atomic<int> value;
    return value;
  }
  static std::atomic<int>& chosen() {
    static std::atomic<int> value;
    return value;
  }
  static std::atomic<int>& code() {
    static std::atomic<int> value;
    return value;
  }
};

}  // namespace axle::testing
