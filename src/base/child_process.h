// ChildProcess: a program that runs beside this one, in a process group of its own. Its end can be polled for; it stays a
// zombie until reap(), so that neither its number nor its group's can be used again meanwhile. Move-only.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "axle/status.h"
#include "base/subprocess.h"
#include "base/unique_fd.h"

namespace axle {

struct ProcessEnd {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;      // 0 when it exited
  // "exit code 3", "killed by signal 9 (Killed)".
  std::string text() const;
};

// What ends a child whose parent is gone: itself, or the kernel with the thread that started it (and with the process, however that ends).
enum class ChildEnd : uint8_t { kByItself, kWithThread };

class ChildProcess {
 public:
  // Program, folder, environment and descriptors as `options` says; its limits are the caller's to enforce. Codes as
  // run_subprocess. The caller must reap it. kWithThread is for a thread that stays until then.
  static Result<ChildProcess> start(const SubprocessOptions& options, int stdout_fd, int stderr_fd,
                                    ChildEnd end = ChildEnd::kByItself);

  pid_t pid() const noexcept { return pid_; }
  int watch_fd() const noexcept { return watch_.get(); }  // readable at its end; -1 on systems without pidfd
  void signal_group(int signal) const noexcept;
  // Without reaping it.
  bool ended() const noexcept;
  // Waits for its end. Once only.
  ProcessEnd reap() const noexcept;

 private:
  explicit ChildProcess(pid_t pid);
  pid_t pid_;
  UniqueFd watch_;
};

}  // namespace axle
