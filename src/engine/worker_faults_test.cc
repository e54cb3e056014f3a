// What becomes of a worker, its host and its caller when one of them is killed, hangs, hoards or cannot be started.
#include <sys/resource.h>

#include "engine/testing/worker_case.h"
#include "engine/worker_confine.h"

namespace axle {
namespace {

using testing::doubling;
using testing::FloatTensor;
using testing::has_children;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::Isolated;
using testing::kAbort;
using testing::kExit;
using testing::kHang;
using testing::kHangUntilCancelled;
using testing::kHoard;
using testing::kLeave;
using testing::null_options;
using testing::open_descriptors;
using testing::process_lives;
using testing::shared_mappings;
using testing::StatusIs;
using testing::threads;
using testing::Unruly;

TEST(Worker, KilledBetweenCallsIsStartedAnew) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  ASSERT_THAT(worker.load(doubling()), IsOk());
  ASSERT_THAT(worker.run(1), IsOk());
  worker.kill_worker();
  Status status = worker.run(5);  // its end may show only during this call
  if (!status.ok()) {
    EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, "killed by signal 9"));
    status = worker.run(5);
  }
  ASSERT_THAT(status, IsOk());
  EXPECT_EQ(worker.y(), (std::vector<float>{10, 4, 6, 8}));
  EXPECT_EQ(worker.counter("worker_restarts"), 1);
}

TEST(Worker, CrashIsAnErrorThatSaysHow) {
  Unruly worker;
  ASSERT_THAT(worker.run(), IsOk());
  const Status crash = worker.run(kAbort);
  EXPECT_THAT(crash, StatusIs(StatusCode::kUnavailable, "killed by signal 6"));
  EXPECT_THAT(crash.message(), HasSubstr("libaxle_engine_unruly.so"));
  EXPECT_THAT(crash.message(), HasSubstr("assertion 'good_mood' failed"));
  EXPECT_THAT(worker.run(kExit), StatusIs(StatusCode::kUnavailable, "exit code 7"));
  ASSERT_THAT(worker.run(3), IsOk());
  EXPECT_EQ(worker.y(), (std::vector<float>{6, 4, 6, 8}));
  EXPECT_EQ(worker.counter("worker_restarts"), 2);
}

TEST(Worker, IsNotStartedAnewForEver) {
  Unruly worker;
  Status status;
  int crashes = 0;
  for (; crashes < 20; ++crashes) {
    status = worker.run(kAbort);
    ASSERT_THAT(status, StatusIs(StatusCode::kUnavailable));
    if (status.message().find("not started again") != std::string::npos) break;
  }
  EXPECT_EQ(crashes, 6);  // the first, and five in a row after a restart each
  EXPECT_THAT(worker.run(1), StatusIs(StatusCode::kUnavailable, "not started again"));
}

// Sets how many descriptors a worker may have: as many as it has now, or as before.
class FullWorker {
 public:
  explicit FullWorker(pid_t pid) : pid_(pid) {
    ::prlimit(pid_, RLIMIT_NOFILE, nullptr, &before_);
    rlim_t next = 0;
    while (std::filesystem::is_symlink("/proc/" + std::to_string(pid_) + "/fd/" + std::to_string(next))) ++next;
    const rlimit full{next, before_.rlim_max};
    EXPECT_EQ(::prlimit(pid_, RLIMIT_NOFILE, &full, nullptr), 0);
  }
  ~FullWorker() { ::prlimit(pid_, RLIMIT_NOFILE, &before_, nullptr); }

 private:
  pid_t pid_;
  rlimit before_{};
};

TEST(Worker, WithoutDescriptorsItRefusesAndGoesOnAfterwards) {
#ifdef AXLE_SANITIZED
  GTEST_SKIP() << "a sanitizer looks at memory through pipes, and takes an object for none when it gets no descriptor";
#endif
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  ASSERT_THAT(worker.load(doubling()), IsOk());
  const pid_t pid = worker.pid();
  ASSERT_GT(pid, 1);
  AXLE_ASSERT_OK_AND_ASSIGN(Context other, worker.executable->make_context());
  {
    const FullWorker full(pid);
    EXPECT_THAT(worker.run(1), StatusIs(StatusCode::kResourceExhausted, "descriptor"));  // no memory for the results
    EXPECT_THAT(worker.context->output(0), StatusIs(StatusCode::kFailedPrecondition));
    EXPECT_THAT(other.bind_input(0, worker.x.abi()), StatusIs(StatusCode::kResourceExhausted, "descriptor"));
  }
  ASSERT_THAT(worker.run(5), IsOk());
  EXPECT_EQ(worker.y(), (std::vector<float>{10, 4, 6, 8}));
  ASSERT_THAT(other.bind_input(0, worker.x.abi()), IsOk());
  ASSERT_THAT(other.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView view, other.output(0));
  EXPECT_EQ(testing::floats(view), (std::vector<float>{10, 4, 6, 8}));
  EXPECT_EQ(worker.counter("worker_restarts"), 0);
}

TEST(Worker, MemoryTakesNoDescriptorsThere) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  ASSERT_THAT(worker.load(doubling()), IsOk());
  ASSERT_THAT(worker.run(1), IsOk());
  const std::string folder = "/proc/" + std::to_string(worker.pid()) + "/fd";
  const auto before = list_dir(folder);
  ASSERT_THAT(before, IsOk());
  std::vector<Context> contexts;
  for (int i = 0; i < 20; ++i) {
    AXLE_ASSERT_OK_AND_ASSIGN(Context context, worker.executable->make_context());
    ASSERT_THAT(context.bind_input(0, worker.x.abi()), IsOk());
    ASSERT_THAT(context.run(), IsOk());
    contexts.push_back(std::move(context));
  }
  EXPECT_LT(list_dir(folder)->size(), before->size() + 3);
}

TEST(Worker, CrashDuringLoadIsAnError) {
  Unruly worker;
  EngineLoadRequest request;
  request.graph = testing::index_of(doubling(10));
  request.resource = "cpu:0";
  EXPECT_THAT(worker.engine->load(request), StatusIs(StatusCode::kUnavailable, "killed by signal 6"));
  ASSERT_THAT(worker.run(2), IsOk());  // what was loaded before is loaded again
}

TEST(Worker, GoodAnswersInBetweenCount) {
  Unruly worker;
  ASSERT_THAT(worker.run(1), IsOk());
  for (int round = 0; round < 7; ++round) {  // without a run in between
    const pid_t pid = worker.pid();
    ASSERT_GT(pid, 1);
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    for (int i = 0; i < 500 && process_lives(pid); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    Status loaded = worker.load(doubling());
    if (loaded.code() == StatusCode::kUnavailable) loaded = worker.load(doubling());  // its end may show only during this call
    ASSERT_THAT(loaded, IsOk()) << round;
  }
  ASSERT_THAT(worker.run(1), IsOk());
}

TEST(Worker, HungCallEndsWithItsTimeout) {
  WorkerOptions options;
  options.call_timeout = std::chrono::milliseconds(300);
  Unruly worker(options);
  EXPECT_THAT(worker.run(kHang), StatusIs(StatusCode::kUnavailable, "did not answer within 300 ms"));
  ASSERT_THAT(worker.run(1), IsOk());
}

TEST(Worker, CancelReachesTheEngineOrEndsIt) {
  WorkerOptions options;
  options.cancel_grace = std::chrono::milliseconds(200);
  Unruly worker(options);
  const auto cancelled_run = [&](float what) {
    worker.x.values[0] = what;
    CancelToken cancel;
    std::thread canceller([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      cancel.cancel();
    });
    Status status = worker.context->run(cancel);
    canceller.join();
    return status;
  };
  EXPECT_THAT(cancelled_run(kHangUntilCancelled), StatusIs(StatusCode::kCancelled, "cancelled by the caller"));
  EXPECT_EQ(worker.counter("worker_restarts"), 0);
  EXPECT_THAT(cancelled_run(kHang), StatusIs(StatusCode::kCancelled));
  ASSERT_THAT(worker.run(1), IsOk());
  EXPECT_EQ(worker.counter("worker_restarts"), 1);
}

TEST(Worker, SystemCallsThatNoEngineNeedsAreRefused) {
  const auto safeguards = worker_safeguards();
  const auto filter = std::ranges::find(safeguards, "system calls refused", &WorkerSafeguard::name);
  ASSERT_NE(filter, safeguards.end());
  if (!filter->holds) GTEST_SKIP() << filter->detail;
  Unruly worker;
  EXPECT_THAT(worker.run(kLeave), StatusIs(StatusCode::kAborted, "Operation not permitted"));
  ASSERT_THAT(worker.run(1), IsOk());
  EXPECT_EQ(worker.counter("worker_restarts"), 0);
}

TEST(Worker, MemoryLimitHolds) {
#ifdef AXLE_SANITIZED
  GTEST_SKIP() << "a sanitizer's own memory counts too";
#endif
  WorkerOptions options;
  options.memory_limit_bytes = 256u << 20;
  Unruly limited(options);
  EXPECT_THAT(limited.run(kHoard), StatusIs(StatusCode::kResourceExhausted, "512 MiB"));
  ASSERT_THAT(limited.run(1), IsOk());
  Unruly free;
  EXPECT_THAT(free.run(kHoard), IsOk());
}

TEST(Worker, WhatCannotBeStartedSaysWhy) {
  WorkerOptions options;
  options.plugin_path = "/nowhere/libaxle_engine_ghost.so";
  EXPECT_THAT(start_worker(options), StatusIs(StatusCode::kUnavailable, "libaxle_engine_ghost.so"));
  options.plugin_path = "relative.so";
  EXPECT_THAT(start_worker(options), StatusIs(StatusCode::kInvalidArgument));
  options = null_options();
  options.program = "/nowhere/axle-worker";
  EXPECT_THAT(start_worker(options), StatusIs(StatusCode::kNotFound));
}

TEST(Worker, ManyCallersAndAKiller) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  ASSERT_THAT(worker.load(doubling()), IsOk());
  std::atomic<bool> stop{false};
  std::atomic<int> good{0}, lost{0}, wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      FloatTensor x{{4}, {0, 1, 2, 3}};
      auto context = worker.executable->make_context();
      if (!context.ok() || !context->bind_input(0, x.abi()).ok()) {
        ++wrong;
        return;
      }
      for (int i = 0; !stop; ++i) {
        x.values[0] = static_cast<float>(caller * 1000 + i % 1000);
        if (Status status = context->run(); !status.ok()) {
          ++(status.code() == StatusCode::kUnavailable ? lost : wrong);
          continue;
        }
        const auto view = context->output(0);
        ++(view.ok() && testing::floats(*view)[0] == 2 * x.values[0] ? good : wrong);
      }
    });
  }
  for (int kills = 0; kills < 20; ++kills) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (const pid_t pid = worker.pid(); pid > 0) ::kill(pid, SIGKILL);
  }
  // However slow the machine: it goes on after the last one.
  const int before = good;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (good <= std::max(before, 100) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GT(good.load(), std::max(before, 100));
  EXPECT_LE(lost.load(), 20 * 4);
}

TEST(Worker, EndsWithItsHost) {
#ifdef AXLE_SANITIZED
  GTEST_SKIP() << "fork with sanitizers";
#endif
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t host = ::fork();
  if (host == 0) {
    Isolated worker;
    const bool good = worker.open(null_options()).ok() && worker.load(doubling()).ok();
    const pid_t pid = good ? worker.pid() : -1;
    (void)!::write(ends[1], &pid, sizeof(pid));
    ::kill(::getpid(), SIGKILL);
  }
  pid_t pid = 0;
  ASSERT_EQ(::read(ends[0], &pid, sizeof(pid)), static_cast<ssize_t>(sizeof(pid)));
  ::close(ends[0]);
  ::close(ends[1]);
  ::waitpid(host, nullptr, 0);
  ASSERT_GT(pid, 0);
  for (int i = 0; i < 500 && process_lives(pid); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_FALSE(process_lives(pid));
}

TEST(Worker, StaysTheParentsAfterFork) {
#ifdef AXLE_SANITIZED
  GTEST_SKIP() << "fork with sanitizers";
#endif
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  ASSERT_THAT(worker.load(doubling()), IsOk());
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused = worker.context->run().code() == StatusCode::kFailedPrecondition;
    worker.context.reset();
    worker.executable.reset();
    worker.engine.reset();
    worker.plugin.reset();
    std::_Exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ASSERT_THAT(worker.run(4), IsOk());
  EXPECT_EQ(worker.counter("worker_restarts"), 0);
}

// The promise of a thousand kills: each call answers or says what died, and nothing is left behind.
TEST(Worker, AThousandKillsLeaveNothingBehind) {
  const auto kill_loop = [](Isolated& worker, int kills) {
    for (int i = 0; i < kills; ++i) {
      const auto first = static_cast<float>(i % 100);
      Status status = worker.run(first);
      if (!status.ok()) {  // its end may show only during the call
        ASSERT_THAT(status, StatusIs(StatusCode::kUnavailable, "killed by signal 9"));
        status = worker.run(first);
      }
      ASSERT_THAT(status, IsOk());
      ASSERT_EQ(worker.y()[0], 2 * first);
      worker.kill_worker();
    }
    while (worker.run(1).code() == StatusCode::kUnavailable) {
    }
    EXPECT_EQ(worker.counter("worker_restarts"), kills);
  };
  size_t descriptors = 0, mappings = 0, running = 0;
  {
    Isolated worker;
    descriptors = open_descriptors();
    mappings = shared_mappings();
    running = threads();
    ASSERT_THAT(worker.open(null_options()), IsOk());
    ASSERT_THAT(worker.load(doubling()), IsOk());
    kill_loop(worker, 1000);
  }
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_EQ(shared_mappings(), mappings);
  EXPECT_EQ(threads(), running);
  EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace axle
