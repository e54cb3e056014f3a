#include "quiet_stdout.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>

namespace axle::qnn {
namespace {

std::mutex mutex;
int depth = 0;
int saved = -1;  // standard output while it is diverted

}  // namespace

QuietStdout::QuietStdout() noexcept {
  const std::lock_guard lock(mutex);
  if (depth++ > 0) return;
  std::fflush(stdout);  // what was printed before belongs where it was meant to go
  saved = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  if (saved >= 0) ::dup2(STDERR_FILENO, STDOUT_FILENO);
}

QuietStdout::~QuietStdout() {
  const std::lock_guard lock(mutex);
  if (--depth > 0) return;
  std::fflush(stdout);
  if (saved < 0) return;
  ::dup2(saved, STDOUT_FILENO);
  ::close(saved);
  saved = -1;
}

}  // namespace axle::qnn
