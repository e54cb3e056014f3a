#include "engine/worker.h"

#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "engine/testing/engine_fixture.h"
#include "trace/recorder.h"

namespace axle {
namespace {

using testing::FloatTensor;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

const std::string kNull = AXLE_BINARY_DIR "/lib/axle/engines/libaxle_engine_null.so";
const std::string kUnruly = AXLE_BINARY_DIR "/lib/axle/testing/libaxle_engine_unruly.so";
// x[0] of the misdeeds of testing/unruly_engine.cc.
constexpr float kAbort = -1, kExit = -2, kHang = -3, kHoard = -4, kHangUntilCancelled = -5;

// An engine in a worker, one executable, one context with x bound.
struct Isolated {
  std::optional<ScratchDir> scratch;
  std::shared_ptr<const Plugin> plugin;
  std::shared_ptr<Engine> engine;
  std::shared_ptr<const Executable> executable;
  std::optional<Context> context;
  FloatTensor x{{4}, {1, 2, 3, 4}};

  Status open(const WorkerOptions& options) {
    AXLE_ASSIGN_OR_RETURN(scratch, ScratchDir::create());
    AXLE_ASSIGN_OR_RETURN(plugin, start_worker(options));
    EngineCreateOptions create;
    create.scratch_folder = scratch->path();
    AXLE_ASSIGN_OR_RETURN(engine, Engine::create(plugin, create));
    return ok_status();
  }
  Status load(const std::shared_ptr<const Graph>& graph) {
    EngineLoadRequest request;
    request.graph = testing::index_of(graph);
    request.resource = "cpu:0";
    AXLE_ASSIGN_OR_RETURN(executable, engine->load(request));
    AXLE_ASSIGN_OR_RETURN(Context made, executable->make_context());
    context.emplace(std::move(made));
    return context->bind_input(0, x.abi());
  }
  Status run(float first = 1) {
    x.values[0] = first;
    return context->run();
  }
  std::vector<float> y() {
    auto view = context->output(0);
    return view.ok() ? testing::floats(*view) : std::vector<float>{};
  }
  double counter(const std::string& name) const {
    const auto counters = executable->counters();
    return counters.ok() && counters->contains(name) ? counters->at(name) : -1;
  }
  pid_t pid() const { return static_cast<pid_t>(counter("worker_pid")); }
  void kill_worker() const { ASSERT_EQ(::kill(pid(), SIGKILL), 0); }
};

std::shared_ptr<const Graph> doubling(int nodes = 1) {
  GraphBuilder builder;
  builder.input("x", {{4, ""}});
  for (int i = 0; i < nodes; ++i) {
    const std::string from = i == 0 ? "x" : "v" + std::to_string(i - 1);
    builder.node("Add", {from, from}, i + 1 == nodes ? "y" : "v" + std::to_string(i), SymbolicShape{{4, ""}});
  }
  return builder.output("y").build();
}

WorkerOptions null_options() {
  WorkerOptions options;
  options.plugin_path = kNull;
  return options;
}

struct Unruly : Isolated {
  explicit Unruly(WorkerOptions options = {}) {
    options.plugin_path = kUnruly;
    EXPECT_THAT(open(options), IsOk());
    EXPECT_THAT(load(doubling()), IsOk());
  }
};

size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

size_t shared_mappings() {
  const auto maps = read_file("/proc/self/maps", 64u << 20);
  EXPECT_THAT(maps, IsOk());
  size_t count = 0;
  for (size_t at = maps->find("/memfd:axle"); at != std::string::npos; at = maps->find("/memfd:axle", at + 1)) ++count;
  return count;
}

size_t threads() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool process_lives(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  return status.ok() && status->find(") Z ") == std::string::npos;
}

TEST(Worker, RunsLikeInThisProcess) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  EXPECT_EQ(worker.engine->name(), "null");
  ASSERT_THAT(worker.load(testing::small_graph()), StatusIs(StatusCode::kInvalidArgument, "rank"));
  FloatTensor x{{2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}};
  ASSERT_THAT(worker.context->bind_input(0, x.abi()), IsOk());
  for (const float first : {1.0f, 10.0f}) {  // the caller writes between runs without binding anew
    x.values[0] = first;
    ASSERT_THAT(worker.context->run(), IsOk());
    EXPECT_EQ(worker.y(), (std::vector<float>{first + 1, 0, 6, 0, 6, 4, 10, 4}));
  }
  FloatTensor y{{2, 4}, std::vector<float>(8)};
  ASSERT_THAT(worker.context->bind_output(0, y.abi()), IsOk());
  ASSERT_THAT(worker.context->run(), IsOk());
  EXPECT_EQ(y.values, (std::vector<float>{11, 0, 6, 0, 6, 4, 10, 4}));
  EXPECT_EQ(worker.counter("runs"), 3);
  EXPECT_EQ(worker.counter("worker_copied_bytes"), 4 * 32);  // three times in, once out; the others are read in place
  EXPECT_GT(worker.counter("worker_peak_memory_bytes"), 1 << 20);
}

TEST(Worker, TensorsInSharedMemoryAreNotCopied) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  ASSERT_THAT(worker.load(doubling()), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor x, Tensor::allocate_shared(DataType::kFloat32, {4}));
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor y, Tensor::allocate_shared(DataType::kFloat32, {4}));
  ASSERT_THAT(worker.context->bind_input(0, x), IsOk());
  ASSERT_THAT(worker.context->bind_output(0, y), IsOk());
  for (const float first : {3.0f, 4.0f}) {
    x.mutable_as<float>()[0] = first;
    Status status = worker.context->run();
    if (status.code() == StatusCode::kUnavailable) status = worker.context->run();  // the kill below
    ASSERT_THAT(status, IsOk());
    EXPECT_EQ(y.as<float>()[0], 2 * first);
    EXPECT_EQ(worker.counter("worker_copied_bytes"), 0);
    worker.kill_worker();  // and the new process sees the same memory
  }
  Status back = worker.context->bind_input(0, worker.x.abi());
  if (!back.ok()) back = worker.context->bind_input(0, worker.x.abi());
  ASSERT_THAT(back, IsOk());  // back to the caller's own
  ASSERT_THAT(worker.run(7), IsOk());
  EXPECT_EQ(y.as<float>()[0], 14);
  EXPECT_EQ(worker.counter("worker_copied_bytes"), 16);
}

TEST(Worker, LongMessagesTravelInPieces) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  constexpr int kNodes = 3000;
  GraphBuilder builder;
  builder.input("x", {{4, ""}});
  for (int i = 0; i < kNodes; ++i) {
    builder.node("Erf", {i == 0 ? "x" : "v" + std::to_string(i - 1)}, i + 1 == kNodes ? "y" : "v" + std::to_string(i),
                 SymbolicShape{{4, ""}});
  }
  EngineRequest request;
  request.graph = testing::index_of(builder.output("y").build());
  request.resource = "cpu:0";
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, worker.engine->support(request));
  EXPECT_EQ(verdict.nodes.size(), static_cast<size_t>(kNodes));
}

TEST(Worker, ProgressAndTraceArriveBeforeTheReply) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  for (int round = 0; round < 50; ++round) {
    AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create(scratch.path()));
    EngineRequest request;
    request.graph = testing::index_of(doubling());
    request.resource = "cpu:0";
    request.scratch_folder = folder.path();
    std::atomic<int> steps{0};
    request.progress = [&](uint64_t, uint64_t, std::string_view) { ++steps; };
    ASSERT_THAT(worker.engine->compile(request, 1), IsOk());
    ASSERT_EQ(steps.load(), 2);
  }
  ASSERT_THAT(worker.load(doubling()), IsOk());
  TraceRecorder recorder(16);
  const RunProfile profile{&recorder, 0, 1};
  ASSERT_THAT(worker.context->run(CancelToken::none(), &profile), IsOk());
  EXPECT_EQ(recorder.log().events.size(), 1u);
}

TEST(Worker, StaysOnItsCoreSet) {
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  WorkerOptions options = null_options();
  options.cpu_set = {first};
  Isolated worker;
  ASSERT_THAT(worker.open(options), IsOk());
  ASSERT_THAT(worker.load(doubling()), IsOk());
  EXPECT_TRUE(worker.executable->effective().cpu_set_honoured);
  EXPECT_EQ(worker.executable->effective().cpu_set, std::vector<int32_t>{first});
  EXPECT_THAT(worker.executable->effective().json, HasSubstr("\"cpu_set_honoured\":true"));
  ASSERT_THAT(worker.run(), IsOk());
}

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

TEST(Worker, CrashDuringLoadIsAnError) {
  Unruly worker;
  EngineLoadRequest request;
  request.graph = testing::index_of(doubling(10));
  request.resource = "cpu:0";
  EXPECT_THAT(worker.engine->load(request), StatusIs(StatusCode::kUnavailable, "killed by signal 6"));
  ASSERT_THAT(worker.run(2), IsOk());  // what was loaded before is loaded again
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

TEST(Worker, MemoryLimitHolds) {
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
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  stop = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_GT(good.load(), 100);
  EXPECT_LE(lost.load(), 20 * 4);
}

TEST(Worker, EndsWithItsHost) {
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
