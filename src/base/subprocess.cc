#include "base/subprocess.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/errno_status.h"
#include "base/text.h"
#include "base/unique_fd.h"

extern char** environ;

namespace axle {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kFirstPassedFd = 3;
constexpr int kParkedFdsFrom = 128;  // above every number the child gives to a passed descriptor
constexpr size_t kMaxPassedFds = 64;
constexpr int kMaxPiecesAtOnce = 64;  // 1 MiB: a program that never stops writing must not keep the limits from being enforced
constexpr auto kLongestTimeout = std::chrono::hours(24 * 365);  // keeps sums of times from overflowing
constexpr int kTickMs = 10;  // how often what cannot wake poll() is looked at

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

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return errno_status(errno, "cannot make a pipe");
  Pipe pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
  ::fcntl(pipe.read_end.get(), F_SETFL, O_NONBLOCK);
  return pipe;
}

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

// One of the child's output streams: keeps the first bytes, drops the rest.
class Capture {
 public:
  Capture(UniqueFd fd, size_t limit, std::string& text, bool& truncated)
      : fd_(std::move(fd)), limit_(limit), text_(text), truncated_(truncated) {}
  int fd() const { return fd_.get(); }  // -1 when at its end
  void drain() {
    char piece[16384];
    for (int pieces = 0; fd_ && pieces < kMaxPiecesAtOnce; ++pieces) {
      const ssize_t got = ::read(fd_.get(), piece, sizeof piece);
      if (got > 0) {
        const size_t kept = std::min(limit_ - text_.size(), static_cast<size_t>(got));
        text_.append(piece, kept);
        truncated_ = truncated_ || kept < static_cast<size_t>(got);
      } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        fd_.reset();
      } else if (errno == EAGAIN) {
        return;
      }
    }
  }

 private:
  UniqueFd fd_;
  size_t limit_;
  std::string& text_;
  bool& truncated_;
};

// The running child: notices its end without reaping it, so that its group's number cannot be used again meanwhile.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid), watch_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  int watch_fd() const { return watch_.get(); }  // -1 on systems without pidfd
  void signal_group(int signal) const { ::kill(-pid_, signal); }
  bool ended() const {
    siginfo_t info{};
    // An error means that someone else reaped it (a process that ignores SIGCHLD).
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == pid_;
  }
  void reap(SubprocessResult& result) const {
    int status = 0;
    pid_t reaped = -1;
    do {
      reaped = ::waitpid(pid_, &status, 0);
    } while (reaped < 0 && errno == EINTR);
    if (reaped != pid_) return;
    if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  }

 private:
  pid_t pid_;
  UniqueFd watch_;
};

// Asks the group to end when the time is up or the caller cancels, and insists after the grace.
class Limits {
 public:
  Limits(const SubprocessOptions& options, Clock::time_point start) : options_(options) {
    if (options.timeout) end_ = start + std::min(*options.timeout, std::chrono::nanoseconds(kLongestTimeout));
  }
  void enforce(const Child& child, SubprocessResult& result) {
    const Clock::time_point now = Clock::now();
    if (!asked_) {
      result.timed_out = now >= end_;
      result.cancelled = !result.timed_out && options_.cancel.cancelled();
      if (!result.timed_out && !result.cancelled) return;
      asked_ = true;
      asked_at_ = now;
      child.signal_group(SIGTERM);
    } else if (now - asked_at_ >= options_.grace) {
      child.signal_group(SIGKILL);
    }
  }
  // How long poll() may sleep.
  int wait_ms(const Child& child) const {
    if (child.watch_fd() < 0 || asked_ || options_.cancel.flag() != nullptr) return kTickMs;
    if (end_ == Clock::time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end_ - Clock::now()).count();
    return static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
  }

 private:
  const SubprocessOptions& options_;
  Clock::time_point end_ = Clock::time_point::max();
  bool asked_ = false;
  Clock::time_point asked_at_;
};

}  // namespace

std::string SubprocessResult::outcome() const {
  if (timed_out) return "timed out";
  if (cancelled) return "cancelled";
  if (signal != 0) return fmt::format("killed by signal {} ({})", signal, ::strsignal(signal));
  return fmt::format("exit code {}", exit_code);
}

Result<SubprocessResult> run_subprocess(const SubprocessOptions& options) {
  AXLE_ASSIGN_OR_RETURN(Pipe out, make_pipe());
  AXLE_ASSIGN_OR_RETURN(Pipe err, make_pipe());
  const Clock::time_point start = Clock::now();
  AXLE_ASSIGN_OR_RETURN(const pid_t pid, spawn(options, out.write_end.get(), err.write_end.get()));
  out.write_end.reset();
  err.write_end.reset();
  SubprocessResult result;
  Capture out_capture(std::move(out.read_end), options.max_stdout_bytes, result.stdout_text, result.stdout_truncated);
  Capture err_capture(std::move(err.read_end), options.max_stderr_bytes, result.stderr_text, result.stderr_truncated);
  const Child child(pid);
  Limits limits(options, start);
  while (!child.ended()) {
    limits.enforce(child, result);
    pollfd watched[3] = {{out_capture.fd(), POLLIN, 0}, {err_capture.fd(), POLLIN, 0}, {child.watch_fd(), POLLIN, 0}};
    ::poll(watched, 3, limits.wait_ms(child));
    out_capture.drain();
    err_capture.drain();
  }
  child.signal_group(SIGKILL);
  child.reap(result);
  // What the program wrote before its end is in the pipes by now.
  out_capture.drain();
  err_capture.drain();
  result.wall_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  return result;
}

}  // namespace axle
