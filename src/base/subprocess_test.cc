#include "base/subprocess.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>
#include <vector>

#include "base/child_process.h"
#include "base/file.h"
#include "base/shared_memory.h"
#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using std::chrono::milliseconds;
using testing::IsOk;
using testing::StatusIs;

SubprocessOptions shell(const std::string& script) {
  SubprocessOptions options;
  options.argv = {"/bin/sh", "-c", script};
  return options;
}

// Gone, or a zombie that nobody has reaped yet.
bool is_dead(const std::string& pid) {
  const auto stat = read_file("/proc/" + pid + "/stat", 4096);
  if (!stat.ok()) return true;
  const size_t name_end = stat->rfind(')');
  return name_end != std::string::npos && (*stat)[name_end + 2] == 'Z';
}

void wait_until_dead(const std::string& pid) {
  for (int i = 0; i < 500 && !is_dead(pid); ++i) std::this_thread::sleep_for(milliseconds(10));
  EXPECT_TRUE(is_dead(pid)) << "process " << pid << " survived";
}

TEST(Subprocess, ReportsOutputAndExitCode) {
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(shell("echo out; echo err >&2; exit 3")));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.signal, 0);
  EXPECT_EQ(result.stdout_text, "out\n");
  EXPECT_EQ(result.stderr_text, "err\n");
  EXPECT_FALSE(result.succeeded());
  EXPECT_EQ(result.outcome(), "exit code 3");
}

TEST(Subprocess, PassesArgumentsWithoutAShell) {
  SubprocessOptions options;
  options.argv = {"printf", "%s|", "$HOME", "a b", "*"};
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(options));
  EXPECT_EQ(result.stdout_text, "$HOME|a b|*|");
  EXPECT_TRUE(result.succeeded());
}

// A child that another thread forks meanwhile holds every descriptor of that instant open.
TEST(Subprocess, StartsWhileOtherThreadsFork) {
#ifdef AXLE_SANITIZED
  GTEST_SKIP() << "fork with sanitizers";
#endif
  std::atomic<bool> done{false};
  std::vector<pid_t> forked;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::thread forker([&] {
    while (!done && forked.size() < 100 && std::chrono::steady_clock::now() < limit) {
      const pid_t child = ::fork();
      if (child == 0) {
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;) ::pause();
      }
      if (child > 0) forked.push_back(child);
    }
    while (!done && std::chrono::steady_clock::now() < limit) std::this_thread::sleep_for(milliseconds(1));
    for (const pid_t child : forked) ::kill(child, SIGKILL);  // what waited for one of them goes on now
  });
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  SubprocessOptions options;
  options.argv = {"/bin/true"};
  for (int i = 0; i < 100; ++i) {
    auto child = ChildProcess::start(options, null.get(), null.get());
    EXPECT_EQ(child.ok() ? child->reap().exit_code : -1, 0);
  }
  done = true;
  EXPECT_LT(std::chrono::steady_clock::now(), limit);
  forker.join();
  for (const pid_t child : forked) ::waitpid(child, nullptr, 0);
  EXPECT_FALSE(forked.empty());
}

TEST(Subprocess, SetsFolderAndEnvironment) {
  ::setenv("AXLE_TEST_INHERITED", "yes", 1);
  SubprocessOptions options = shell("pwd; echo $AXLE_TEST_INHERITED $AXLE_TEST_OWN");
  options.cwd = "/";
  options.env = {"AXLE_TEST_OWN=1"};
  EXPECT_EQ(run_subprocess(options)->stdout_text, "/\nyes 1\n");
  options.env = {"AXLE_TEST_INHERITED=no"};
  EXPECT_EQ(run_subprocess(options)->stdout_text, "/\nno\n");
  options.inherit_env = false;
  options.env.clear();
  EXPECT_EQ(run_subprocess(options)->stdout_text, "/\n\n");
}

TEST(Subprocess, SaysWhyItCouldNotStart) {
  SubprocessOptions options;
  EXPECT_THAT(run_subprocess(options), StatusIs(StatusCode::kInvalidArgument));
  options.argv = {"axle-no-such-program"};
  EXPECT_THAT(run_subprocess(options), StatusIs(StatusCode::kNotFound, "axle-no-such-program"));
  options.argv = {"/etc/passwd"};
  EXPECT_THAT(run_subprocess(options), StatusIs(StatusCode::kPermissionDenied));
  options.argv = {"true"};
  options.cwd = "/no/such/folder";
  EXPECT_THAT(run_subprocess(options), StatusIs(StatusCode::kNotFound, "/no/such/folder"));
}

TEST(Subprocess, ReportsTheSignalThatEndedIt) {
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(shell("kill -SEGV $$")));
  EXPECT_EQ(result.signal, SIGSEGV);
  EXPECT_EQ(result.exit_code, -1);
  EXPECT_FALSE(result.timed_out);
}

TEST(Subprocess, KeepsTheFirstBytesAndSaysSo) {
  SubprocessOptions options = shell("head -c 3000000 /dev/zero | tr '\\0' x; echo e >&2");
  options.max_stdout_bytes = 1000;
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(options));
  EXPECT_EQ(result.stdout_text, std::string(1000, 'x'));
  EXPECT_TRUE(result.stdout_truncated);
  EXPECT_FALSE(result.stderr_truncated);
  EXPECT_TRUE(result.succeeded());
}

TEST(Subprocess, EndlessOutputDoesNotStopTheTimeout) {
  SubprocessOptions options;
  options.argv = {"yes"};
  options.timeout = milliseconds(100);
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(options));
  EXPECT_TRUE(result.timed_out);
  EXPECT_TRUE(result.stdout_truncated);
}

TEST(Subprocess, ReadsNothingFromStdin) { EXPECT_EQ(run_subprocess(shell("cat; echo end"))->stdout_text, "end\n"); }

TEST(Subprocess, TimeoutAsksFirst) {
  SubprocessOptions options = shell("trap 'echo asked; exit 5' TERM; while :; do sleep 0.05; done");
  options.timeout = milliseconds(300);
  options.grace = std::chrono::seconds(60);
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(options));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.exit_code, 5);
  EXPECT_EQ(result.stdout_text, "asked\n");
  EXPECT_EQ(result.outcome(), "timed out");
}

TEST(Subprocess, KillsAGroupThatIgnoresTheRequest) {
  SubprocessOptions options = shell("trap '' TERM; (sleep 1000 & echo $!; wait) & echo $!; sleep 1000");
  options.timeout = milliseconds(300);
  options.grace = milliseconds(100);
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(options));
  EXPECT_TRUE(result.timed_out);
  EXPECT_EQ(result.signal, SIGKILL);
  size_t pids = 0;
  std::string pid;
  for (const char c : result.stdout_text) {
    if (c != '\n') {
      pid += c;
      continue;
    }
    wait_until_dead(pid);
    pid.clear();
    ++pids;
  }
  EXPECT_EQ(pids, 2u);
}

TEST(Subprocess, GrandchildrenThatHoldThePipeDoNotBlockAndDoNotSurvive) {
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(shell("sleep 1000 & echo $!")));
  EXPECT_TRUE(result.succeeded());
  ASSERT_GT(result.stdout_text.size(), 1u);
  wait_until_dead(result.stdout_text.substr(0, result.stdout_text.size() - 1));
}

TEST(Subprocess, CanBeCancelled) {
  SubprocessOptions options = shell("sleep 1000");
  options.cancel = CancelToken();
  std::thread other([token = options.cancel]() mutable { token.cancel(); });
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(options));
  other.join();
  EXPECT_TRUE(result.cancelled);
  EXPECT_EQ(result.signal, SIGTERM);
}

TEST(Subprocess, PassesOnlyTheNamedDescriptors) {
  AXLE_ASSERT_OK_AND_ASSIGN(SharedMemory memory, SharedMemory::create("test", 4096));
  memory.data()[0] = std::byte{'A'};
  const UniqueFd leaky(::open("/dev/null", O_RDONLY));  // not close-on-exec
  // The first passed one has a number that the second one gets: both must arrive.
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  SubprocessOptions options =
      shell("head -c 1 <&3; head -c 1 <&4; for i in 5 6 7 8 9; do ls /proc/$$/fd/$i 2>/dev/null; done; printf B >&3");
  options.pass_fds = {memory.fd(), null.get()};
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(options));
  EXPECT_EQ(result.stdout_text, "A");
  EXPECT_EQ(memory.data()[1], std::byte{'B'}) << "the child shares the offset and the bytes";
}

TEST(SharedMemory, IsSealedAgainstTruncation) {
  AXLE_ASSERT_OK_AND_ASSIGN(SharedMemory memory, SharedMemory::create("test", 100));
  EXPECT_NE(::ftruncate(memory.fd(), 10), 0);
  EXPECT_THAT(SharedMemory::create("test", 0), StatusIs(StatusCode::kInvalidArgument));
}

TEST(Subprocess, ListenerHearsWhatIsNotKeptToo) {
  SubprocessOptions options = shell("echo one; sleep 0.1; echo two >&2");
  options.max_stdout_bytes = 1;
  std::string heard;
  options.on_output = [&](std::string_view piece) { heard += piece; };
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult result, run_subprocess(options));
  EXPECT_EQ(result.stdout_text, "o");
  EXPECT_EQ(heard, "one\ntwo\n");
}

TEST(Subprocess, MemoryLimitHoldsForWhatItStarts) {
  SubprocessOptions options = shell("head -c 300000000 /dev/zero | tail -c 200000000 > /dev/null");
  options.memory_limit_bytes = 64u << 20;
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult limited, run_subprocess(options));
  EXPECT_FALSE(limited.succeeded());
  options.memory_limit_bytes = 0;
  AXLE_ASSERT_OK_AND_ASSIGN(const SubprocessResult free, run_subprocess(options));
  EXPECT_TRUE(free.succeeded());
}

// A vendor's compiler must not go on for a host that was killed, also without a process of the engine's own between them.
TEST(Subprocess, EndsWithAHostThatIsKilled) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  const std::string told = scratch.file("pid");
  const SubprocessOptions options = shell("echo $$ > " + told + ".part && mv " + told + ".part " + told + " && exec sleep 60");
  const pid_t host = ::fork();
  ASSERT_GE(host, 0);
  if (host == 0) {
    (void)run_subprocess(options);
    ::_exit(0);
  }
  for (int i = 0; i < 500 && ::access(told.c_str(), R_OK) != 0; ++i) std::this_thread::sleep_for(milliseconds(10));
  std::string pid = read_file(told, 64).value_or("");
  ASSERT_FALSE(pid.empty()) << "the program did not start";
  pid.pop_back();
  EXPECT_FALSE(is_dead(pid));
  ::kill(host, SIGKILL);
  ASSERT_EQ(::waitpid(host, nullptr, 0), host);
  wait_until_dead(pid);
}

// An engine's process is started by whatever thread needs it first.
TEST(ChildProcess, OutlivesTheThreadThatStartedIt) {
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  SubprocessOptions options;
  options.argv = {"sleep", "60"};
  std::optional<ChildProcess> child;
  std::thread([&] {
    auto started = ChildProcess::start(options, null.get(), null.get());
    if (started.ok()) child.emplace(*std::move(started));
  }).join();
  ASSERT_TRUE(child.has_value());
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_FALSE(child->ended());
  child->signal_group(SIGKILL);
  EXPECT_EQ(child->reap().signal, SIGKILL);
}

TEST(SharedMemory, BothMappingsSeeTheSameBytes) {
  AXLE_ASSERT_OK_AND_ASSIGN(SharedMemory memory, SharedMemory::create("test", 100));
  AXLE_ASSERT_OK_AND_ASSIGN(SharedMemory other, SharedMemory::adopt(UniqueFd(::dup(memory.fd())), 100, false));
  memory.data()[99] = std::byte{7};
  EXPECT_EQ(other.bytes()[99], std::byte{7});
  EXPECT_EQ(other.data(), nullptr) << "read-only";
}

TEST(SharedMemory, FilesAreAdoptedToBeRead) {
  const auto file = [](const char* path) { return UniqueFd(::open(path, O_RDONLY)); };
  AXLE_ASSERT_OK_AND_ASSIGN(SharedMemory memory, SharedMemory::adopt_file(file("/etc/passwd"), 5));
  EXPECT_EQ(std::memcmp(memory.bytes().data(), "root:", 5), 0);
  EXPECT_EQ(memory.data(), nullptr) << "read-only";
  EXPECT_THAT(SharedMemory::adopt_file(file("/etc/passwd"), 1u << 30), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(SharedMemory::adopt_file(file("/dev/zero"), 1), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(SharedMemory::adopt_file(UniqueFd(), 1), StatusIs(StatusCode::kInvalidArgument));
}

TEST(SharedMemory, AdoptChecksSealsAndSize) {
  AXLE_ASSERT_OK_AND_ASSIGN(SharedMemory memory, SharedMemory::create("test", 100));
  EXPECT_THAT(SharedMemory::adopt(UniqueFd(::dup(memory.fd())), 101, false),
              StatusIs(StatusCode::kInvalidArgument, "100 bytes"));
  EXPECT_THAT(SharedMemory::adopt(UniqueFd(), 1, false), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(SharedMemory::adopt(UniqueFd(::open("/etc/passwd", O_RDONLY)), 1, false),
              StatusIs(StatusCode::kInvalidArgument, "not sealed"));
}

}  // namespace
}  // namespace axle
