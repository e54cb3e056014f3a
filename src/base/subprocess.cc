#include "base/subprocess.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/child_process.h"
#include "base/errno_status.h"
#include "base/unique_fd.h"

namespace axle {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kMaxPiecesAtOnce = 64;  // 1 MiB: a program that never stops writing must not keep the limits from being enforced
constexpr auto kLongestTimeout = std::chrono::hours(24 * 365);  // keeps sums of times from overflowing
constexpr int kTickMs = 10;  // how often what cannot wake poll() is looked at

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

// One of the child's output streams: keeps the first bytes, drops the rest.
class Capture {
 public:
  Capture(UniqueFd fd, size_t limit, std::string& text, bool& truncated, const std::function<void(std::string_view)>& listen)
      : fd_(std::move(fd)), limit_(limit), text_(text), truncated_(truncated), listen_(listen) {}
  int fd() const { return fd_.get(); }  // -1 when at its end
  void drain() {
    char piece[16384];
    for (int pieces = 0; fd_ && pieces < kMaxPiecesAtOnce; ++pieces) {
      const ssize_t got = ::read(fd_.get(), piece, sizeof piece);
      if (got > 0) {
        const size_t kept = std::min(limit_ - text_.size(), static_cast<size_t>(got));
        text_.append(piece, kept);
        truncated_ = truncated_ || kept < static_cast<size_t>(got);
        if (listen_) listen_({piece, static_cast<size_t>(got)});
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
  const std::function<void(std::string_view)>& listen_;
};

// Asks the group to end when the time is up or the caller cancels, and insists after the grace.
class Limits {
 public:
  Limits(const SubprocessOptions& options, Clock::time_point start) : options_(options) {
    if (options.timeout) end_ = start + std::min(*options.timeout, std::chrono::nanoseconds(kLongestTimeout));
  }
  void enforce(const ChildProcess& child, SubprocessResult& result) {
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
  int wait_ms(const ChildProcess& child) const {
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
  return ProcessEnd{exit_code, signal}.text();
}

namespace {

// posix_spawn sets no limits, and one set afterwards misses what the program has started by then: a shell sets it and becomes the
// program. It is given the words as they are and reads none of them.
SubprocessOptions limited(const SubprocessOptions& options) {
  SubprocessOptions with_limit = options;
  if (options.memory_limit_bytes == 0 || options.argv.empty()) return with_limit;
  const std::string kib = std::to_string(std::max<uint64_t>(options.memory_limit_bytes >> 10, 1));
  with_limit.argv = {"/bin/sh", "-c", "ulimit -d " + kib + " && exec \"$@\"", "sh"};
  with_limit.argv.insert(with_limit.argv.end(), options.argv.begin(), options.argv.end());
  return with_limit;
}

}  // namespace

Result<SubprocessResult> run_subprocess(const SubprocessOptions& options) {
  AXLE_ASSIGN_OR_RETURN(Pipe out, make_pipe());
  AXLE_ASSIGN_OR_RETURN(Pipe err, make_pipe());
  const Clock::time_point start = Clock::now();
  // This thread stays until the program has ended: whatever ends the thread or its process earlier ends the program too.
  AXLE_ASSIGN_OR_RETURN(const ChildProcess child,
                        ChildProcess::start(limited(options), out.write_end.get(), err.write_end.get(), ChildEnd::kWithThread));
  out.write_end.reset();
  err.write_end.reset();
  SubprocessResult result;
  Capture out_capture(std::move(out.read_end), options.max_stdout_bytes, result.stdout_text, result.stdout_truncated,
                      options.on_output);
  Capture err_capture(std::move(err.read_end), options.max_stderr_bytes, result.stderr_text, result.stderr_truncated,
                      options.on_output);
  Limits limits(options, start);
  while (!child.ended()) {
    limits.enforce(child, result);
    pollfd watched[3] = {{out_capture.fd(), POLLIN, 0}, {err_capture.fd(), POLLIN, 0}, {child.watch_fd(), POLLIN, 0}};
    ::poll(watched, 3, limits.wait_ms(child));
    out_capture.drain();
    err_capture.drain();
  }
  child.signal_group(SIGKILL);
  const ProcessEnd end = child.reap();
  result.exit_code = end.exit_code;
  result.signal = end.signal;
  // What the program wrote before its end is in the pipes by now.
  out_capture.drain();
  err_capture.drain();
  result.wall_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count();
  return result;
}

}  // namespace axle
