#include "base/child_process.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/errno_status.h"

extern char** environ;

namespace axle {
namespace {

constexpr int kParkedFdsFrom = 128;  // above every number the child gives to a passed descriptor
constexpr size_t kMaxPassedFds = 64;
// vfork returns when the program runs or has told why not. Under ThreadSanitizer it is a fork, and has to be waited for.
#ifdef AXLE_SANITIZED
constexpr int kTellsAtOnce = 0;
#else
constexpr int kTellsAtOnce = O_NONBLOCK;
#endif

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

// What the child needs to become the program. It lives in the parent's memory until then and may only call the kernel: everything is
// made before.
struct Spawn {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* variables = nullptr;
  const char* cwd = nullptr;     // null = this process's
  const int* sources = nullptr;  // stdout, stderr, and what is passed, parked above every number that is given away
  int source_count = 0;
  pid_t parent = 0;      // not 0: the child is killed when the thread that made it ends
  int failure_fd = -1;   // the child writes there the errno of what failed
};

void reset_signals() noexcept {
  struct sigaction plain{};
  plain.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &plain, nullptr);  // some cannot be set, and need not be
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Moves spawn.failure_fd too, to the first number that is not given away; it closes when the program begins.
bool take_descriptors(Spawn& spawn) noexcept {
  const int null = ::open("/dev/null", O_RDONLY);
  if (null < 0 || (null != STDIN_FILENO && ::dup2(null, STDIN_FILENO) < 0)) return false;
  for (int i = 0; i < spawn.source_count; ++i) {
    if (::dup2(spawn.sources[i], STDOUT_FILENO + i) < 0) return false;
  }
  const int own = STDOUT_FILENO + spawn.source_count;
  if (::dup3(spawn.failure_fd, own, O_CLOEXEC) < 0) return false;
  spawn.failure_fd = own;
  ::closefrom(own + 1);
  return true;
}

// The parent may have died before the kernel was asked: then nobody would tell.
bool tie_to_parent(pid_t parent) noexcept {
  if (parent == 0) return true;
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return false;
  if (::getppid() == parent) return true;
  errno = ESRCH;
  return false;
}

[[noreturn]] void become_program(Spawn& spawn) noexcept {
  const bool ready = tie_to_parent(spawn.parent) && ::setpgid(0, 0) == 0 && (spawn.cwd == nullptr || ::chdir(spawn.cwd) == 0) &&
                     take_descriptors(spawn);
  if (ready) {
    reset_signals();
    ::execvpe(spawn.program, spawn.argv, spawn.variables);
  }
  const int error = errno;
  (void)!::write(spawn.failure_fd, &error, sizeof(error));
  ::_exit(127);
}

// As posix_spawn does it, which can tie no child to its parent: the memory is shared and this thread waits until the program runs, so
// that a large process starts one as fast as a small one. No handler of ours may run in the child meanwhile.
pid_t make_child(Spawn& spawn) {
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  // NOLINTNEXTLINE(bugprone-unsafe-functions,clang-analyzer-security.insecureAPI.vfork): what it may not do it does not
  const pid_t pid = ::vfork();
  if (pid == 0) become_program(spawn);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return pid;
}

// The errno of what failed in the child; 0: the program runs. Does not wait for the end of the pipe: a child that another thread has
// forked meanwhile may hold the writing end open for as long as it lives.
int failure_of(int fd) {
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(fd, &error, sizeof(error));
  } while (got < 0 && errno == EINTR);
  return got == sizeof(error) ? error : 0;
}

Result<pid_t> start_program(Spawn& spawn, const std::string& what) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | kTellsAtOnce) != 0) return errno_status(errno, what);
  const UniqueFd told(ends[0]);
  UniqueFd tells(::fcntl(ends[1], F_DUPFD_CLOEXEC, kParkedFdsFrom));
  ::close(ends[1]);
  if (!tells) return errno_status(errno, what);
  spawn.failure_fd = tells.get();
  const pid_t pid = make_child(spawn);
  if (pid < 0) return errno_status(errno, what);
  tells.reset();
  const int error = failure_of(told.get());
  if (error == 0) return pid;
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return errno_status(error, what);
}

Result<pid_t> spawn(const SubprocessOptions& options, int stdout_fd, int stderr_fd, ChildEnd end) {
  if (options.argv.empty() || options.argv[0].empty()) return invalid_argument_error("cannot start a program without a name");
  if (options.pass_fds.size() > kMaxPassedFds) return invalid_argument_error("too many descriptors to pass");
  const std::string what = fmt::format("cannot start {}{}{}", options.argv[0], options.cwd.empty() ? "" : " in ", options.cwd);
  // Copies above the numbers in use, so that one move cannot overwrite the source of the next.
  std::vector<UniqueFd> parked;
  std::vector<int> sources = {stdout_fd, stderr_fd};
  sources.insert(sources.end(), options.pass_fds.begin(), options.pass_fds.end());
  for (int& source : sources) {
    parked.emplace_back(::fcntl(source, F_DUPFD_CLOEXEC, kParkedFdsFrom));
    if (!parked.back()) return errno_status(errno, what);
    source = parked.back().get();
  }
  const std::vector<std::string> variables = environment_of(options);
  const std::vector<char*> argv = pointers_to(options.argv), environment = pointers_to(variables);
  Spawn ask;
  ask.program = options.argv[0].c_str();
  ask.argv = argv.data();
  ask.variables = environment.data();
  if (!options.cwd.empty()) ask.cwd = options.cwd.c_str();
  ask.sources = sources.data();
  ask.source_count = static_cast<int>(sources.size());
  if (end == ChildEnd::kWithThread) ask.parent = ::getpid();
  return start_program(ask, what);
}

}  // namespace

std::string ProcessEnd::text() const {
  if (signal != 0) return fmt::format("killed by signal {} ({})", signal, ::strsignal(signal));
  return fmt::format("exit code {}", exit_code);
}

ChildProcess::ChildProcess(pid_t pid) : pid_(pid), watch_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

Result<ChildProcess> ChildProcess::start(const SubprocessOptions& options, int stdout_fd, int stderr_fd, ChildEnd end) {
  AXLE_ASSIGN_OR_RETURN(const pid_t pid, spawn(options, stdout_fd, stderr_fd, end));
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
