// Runs a program to its end, without a shell, in a process group of its own; nothing of the group outlives the call.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/cancel.h"
#include "axle/status.h"

namespace axle {

struct SubprocessOptions {
  std::vector<std::string> argv;  // argv[0] with '/' is a path, else it is searched in PATH
  std::string cwd;                // "" = this process's
  bool inherit_env = true;
  std::vector<std::string> env;  // "NAME=value": added to, or instead of, the inherited ones
  // The child sees pass_fds[i] as descriptor 3 + i and no other descriptor of this process. Stdin is /dev/null.
  std::vector<int> pass_fds;
  // The first bytes are kept, the rest is read and dropped.
  size_t max_stdout_bytes = 1u << 20;
  size_t max_stderr_bytes = 1u << 20;
  // Called on the calling thread with each piece of stdout and stderr as it comes, also with what is not kept.
  std::function<void(std::string_view)> on_output;
  // Of what it allocates (RLIMIT_DATA, for each process of it); 0 = none. With one, /bin/sh sets it and becomes the program: one that is
  // missing is then no failure to start but exit code 127.
  uint64_t memory_limit_bytes = 0;
  std::optional<std::chrono::nanoseconds> timeout;   // nullopt = none
  std::chrono::nanoseconds grace = std::chrono::seconds(2);  // from SIGTERM to SIGKILL
  CancelToken cancel = CancelToken::none();          // treated like the timeout
};

struct SubprocessResult {
  int exit_code = -1;  // -1 when a signal ended it
  int signal = 0;      // 0 when it exited
  bool timed_out = false;
  bool cancelled = false;
  bool stdout_truncated = false;
  bool stderr_truncated = false;
  std::string stdout_text;
  std::string stderr_text;
  int64_t wall_ns = 0;

  bool succeeded() const noexcept { return exit_code == 0 && !timed_out && !cancelled; }
  // "exit code 3", "killed by signal 9 (Killed)", "timed out".
  std::string outcome() const;
};

// Blocks until the program has ended; then what is left of its group is killed. On timeout or cancel the group gets
// SIGTERM, after `grace` SIGKILL. A descendant that leaves the group (setsid) escapes. When this process is killed meanwhile the kernel
// kills the program, though not what that has started, and not one that gains privileges. A failure means that the program
// could not be started: NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (empty argv), RESOURCE_EXHAUSTED.
Result<SubprocessResult> run_subprocess(const SubprocessOptions& options);

}  // namespace axle
