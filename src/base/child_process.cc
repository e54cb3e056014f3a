#include "base/child_process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/errno_status.h"

extern char** environ;

namespace axle {
namespace {

constexpr int kFirstPassedFd = 3;
constexpr int kParkedFdsFrom = 128;  // above every number the child gives to a passed descriptor
constexpr size_t kMaxPassedFds = 64;
struct SpawnSettings {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
};

std::vector<std::string> environment_of(const SubprocessOptions& options) {
  std::vector<std::string> variables = options.env;
  const auto replaced = [&](std::string_view variable) {
    const std::string_view name = variable.substr(0, variable.find('=') + 1);
    return std::any_of(options.env.begin(), options.env.end(), [&](const std::string& own) { return own.starts_with(name); });
  };
  for (char** entry = environ; options.inherit_env && entry != nullptr && *entry != nullptr; ++entry) {
    if (!replaced(*entry)) variables.emplace_back(*entry);
  }
  return variables;
}

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void set_signals(posix_spawnattr_t& attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

Result<pid_t> spawn(const SubprocessOptions& options, int stdout_fd, int stderr_fd) {
  if (options.argv.empty() || options.argv[0].empty()) return invalid_argument_error("cannot start a program without a name");
  if (options.pass_fds.size() > kMaxPassedFds) return invalid_argument_error("too many descriptors to pass");
  const std::string what = fmt::format("cannot start {}{}{}", options.argv[0], options.cwd.empty() ? "" : " in ", options.cwd);
  SpawnSettings settings;
  set_signals(settings.attributes);
  if (!options.cwd.empty()) posix_spawn_file_actions_addchdir_np(&settings.actions, options.cwd.c_str());
  // Copies above the numbers in use, so that one move cannot overwrite the source of the next.
  std::vector<UniqueFd> parked;
  const auto pass = [&](int fd, int as) {
    parked.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, kParkedFdsFrom));
    return parked.back() && posix_spawn_file_actions_adddup2(&settings.actions, parked.back().get(), as) == 0;
  };
  posix_spawn_file_actions_addopen(&settings.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  if (!pass(stdout_fd, STDOUT_FILENO) || !pass(stderr_fd, STDERR_FILENO)) return errno_status(errno, what);
  int next = kFirstPassedFd;
  for (const int fd : options.pass_fds) {
    if (!pass(fd, next++)) return errno_status(errno, what);
  }
  posix_spawn_file_actions_addclosefrom_np(&settings.actions, next);
  const std::vector<std::string> variables = environment_of(options);
  pid_t pid = -1;
  const int error = ::posix_spawnp(&pid, options.argv[0].c_str(), &settings.actions, &settings.attributes,
                                   pointers_to(options.argv).data(), pointers_to(variables).data());
  if (error != 0) return errno_status(error, what);
  return pid;
}

}  // namespace

std::string ProcessEnd::text() const {
  if (signal != 0) return fmt::format("killed by signal {} ({})", signal, ::strsignal(signal));
  return fmt::format("exit code {}", exit_code);
}

ChildProcess::ChildProcess(pid_t pid) : pid_(pid), watch_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

Result<ChildProcess> ChildProcess::start(const SubprocessOptions& options, int stdout_fd, int stderr_fd) {
  AXLE_ASSIGN_OR_RETURN(const pid_t pid, spawn(options, stdout_fd, stderr_fd));
  return ChildProcess(pid);
}

void ChildProcess::signal_group(int signal) const noexcept { ::kill(-pid_, signal); }

bool ChildProcess::ended() const noexcept {
  siginfo_t info{};
  // An error means that someone else reaped it (a process that ignores SIGCHLD).
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid_;
}

ProcessEnd ChildProcess::reap() const noexcept {
  ProcessEnd end;
  int status = 0;
  pid_t reaped = -1;
  do {
    reaped = ::waitpid(pid_, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  if (reaped != pid_) return end;
  if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
  return end;
}

}  // namespace axle
