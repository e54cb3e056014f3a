// Sessions whose engine runs in axle-worker.
#include <gmock/gmock.h>
#include <signal.h>

#include <atomic>
#include <set>
#include <thread>

#include "axle/compile.h"
#include "axle/evidence_store.h"
#include "axle/session.h"
#include "axle/tune.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "runtime/session_impl.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/testing/random_kills.h"

namespace axle {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using ::testing::IsSupersetOf;
using testing::ModelBuilder;
using testing::StatusIs;

constexpr float kAbort = -1;  // x[0] of a misdeed of engine/testing/unruly_engine.cc

Result<Model> relu_model() {
  ModelBuilder builder;
  builder.input("x", testing::kF32, {4}, {}).output("y", testing::kF32, {4}, {});
  builder.node("Relu", {"x"}, {"y"}, "relu");
  return Model::from_bytes(testing::as_bytes(builder.serialise()));
}

NamedTensor vector_x(std::vector<float> values) {
  auto tensor = Tensor::allocate(DataType::kFloat32, {4});
  std::copy(values.begin(), values.end(), tensor->mutable_as<float>().begin());
  return {"x", std::move(*tensor)};
}

Result<Session> session_of(const std::string& engine, const std::string& folder, Policy policy) {
  RuntimeOptions options;
  options.use_cache = false;
  if (!folder.empty()) options.engine_folders = {std::string(AXLE_BINARY_DIR) + folder};
  options.engines = {engine};
  SessionOptions session;
  AXLE_ASSIGN_OR_RETURN(session.runtime, Runtime::create(options));
  session.policy = std::move(policy);
  session.policy.engines.allow = {engine};
  AXLE_ASSIGN_OR_RETURN(const Model model, relu_model());
  return Session::create(model, std::move(session));
}

const Executable& executable_of(const Session& session) { return *session.impl().loaded->partitions.front().executable; }

double counter(const Session& session, const std::string& name) {
  const std::map<std::string, double> counters = session.counters().front();
  return counters.contains(name) ? counters.at(name) : -1;
}

std::vector<float> run(const Session& session, std::vector<float> x) {
  const NamedTensor feed = vector_x(std::move(x));
  const auto outputs = session.run({&feed, 1});
  EXPECT_THAT(outputs, IsOk());
  if (!outputs.ok()) return {};
  const auto y = outputs->front().tensor.as<float>();
  return {y.begin(), y.end()};
}

// The machine's first CPU on its own, or nothing to split.
std::optional<Policy> first_core_only() {
  RuntimeOptions options;
  options.use_cache = false;
  const auto runtime = Runtime::create(options);
  const auto machine = runtime.ok() ? (*runtime)->machine() : Result<Machine>(runtime.status());
  const Resource* cpu = machine.ok() ? find_resource(*machine, "cpu:0") : nullptr;
  if (cpu == nullptr || cpu->cpus.size() < 2) return std::nullopt;
  Policy policy;
  policy.resources.split["cpu:0"] = {{cpu->cpus[0]}, {cpu->cpus[1]}};
  policy.execution.targets = {"cpu:0/0"};
  return policy;
}

TEST(Isolation, PolicyPutsAnEngineIntoAProcessOfItsOwn) {
  Policy policy;
  policy.execution.isolation = Isolation::kProcess;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, session_of("null", "/lib/axle/engines", policy));
  const Partition& part = session.plan().partitions.front();
  EXPECT_TRUE(part.isolated);
  EXPECT_THAT(part.candidate.format(), HasSubstr("+process"));
  EXPECT_THAT(session.plan().notes, Contains("null runs in a process of its own: the policy says so"));
  EXPECT_THAT(run(session, {-1, 2, -3, 4}), ElementsAre(0, 2, 0, 4));
  EXPECT_GT(counter(session, "worker_pid"), 0);
  EXPECT_NE(counter(session, "worker_pid"), ::getpid());
}

// Processes that this one has started and that live.
std::set<pid_t> live_workers() {
  std::set<pid_t> pids;
  for (const DirEntry& entry : list_dir("/proc").value_or(std::vector<DirEntry>())) {
    const std::string stat = read_file("/proc/" + entry.name + "/stat", 4096).value_or("");
    const size_t name = stat.find("(axle-worker) "), after = name + 14;
    if (name == std::string::npos || stat.size() < after + 2 || stat[after] == 'Z') continue;
    if (std::atoi(stat.c_str() + after + 2) == ::getpid()) pids.insert(std::atoi(entry.name.c_str()));
  }
  return pids;
}

// A runtime over the null engine with a cache, for parts in processes of their own.
struct IsolatedNull {
  explicit IsolatedNull(size_t idle_workers = 2) {
    auto scratch = ScratchDir::create();
    folder.emplace(*std::move(scratch));
    RuntimeOptions options;
    options.cache_folder = folder->file("cache");
    options.engine_folders = {std::string(AXLE_BINARY_DIR) + "/lib/axle/engines"};
    options.engines = {"null"};
    options.idle_workers = idle_workers;
    session.runtime = *Runtime::create(options);
    session.policy.engines.isolation["null"] = Isolation::kProcess;
    session.policy.engines.allow = {"null"};
  }
  Result<std::vector<CompiledPart>> compile(const Model& model) const {
    PlanRequest request;
    request.policy = session.policy;
    AXLE_ASSIGN_OR_RETURN(const PlanReport report, make_plan(*session.runtime, model, request));
    return compile_plan(*session.runtime, model, report.plan);
  }
  std::optional<ScratchDir> folder;
  SessionOptions session;
};

TEST(Isolation, TheProcessThatCompiledLoads) {
  const IsolatedNull room;
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, relu_model());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto compiled, room.compile(model));
  EXPECT_EQ(compiled.front().cache, "miss");
  const std::set<pid_t> waiting = live_workers();
  ASSERT_EQ(waiting.size(), 1u);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(model, room.session));
  EXPECT_EQ(session.timing().cache, "hit");
  EXPECT_EQ(counter(session, "worker_pid"), *waiting.begin());
  EXPECT_EQ(live_workers(), waiting);
  EXPECT_THAT(run(session, {-1, 2, -3, 4}), ElementsAre(0, 2, 0, 4));
  // Each loaded part has a process of its own.
  AXLE_ASSERT_OK_AND_ASSIGN(const Session other, Session::create(model, room.session));
  EXPECT_NE(counter(other, "worker_pid"), counter(session, "worker_pid"));
}

TEST(Isolation, AProcessThatDiedWaitingIsNotTaken) {
  const IsolatedNull room;
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, relu_model());
  ASSERT_THAT(room.compile(model), IsOk());
  const std::set<pid_t> waiting = live_workers();
  ASSERT_EQ(waiting.size(), 1u);
  ASSERT_EQ(::kill(*waiting.begin(), SIGKILL), 0);
  while (!live_workers().empty()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // until its watcher has seen it
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(model, room.session));
  EXPECT_NE(counter(session, "worker_pid"), *waiting.begin());
  EXPECT_EQ(counter(session, "worker_restarts"), 0);
  EXPECT_THAT(run(session, {-1, 2, -3, 4}), ElementsAre(0, 2, 0, 4));
}

TEST(Isolation, NoProcessWaitsWhereNoneMay) {
  const IsolatedNull room(0);
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, relu_model());
  ASSERT_THAT(room.compile(model), IsOk());
  EXPECT_TRUE(live_workers().empty());
}

TEST(Isolation, PreparedShapesHaveAProcessEachAndNoneIsLeft) {
  IsolatedNull room;
  ModelBuilder builder;
  builder.input("x", testing::kF32, {-1}, {"n"}).output("y", testing::kF32, {-1}, {"n"});
  builder.node("Relu", {"x"}, {"y"}, "relu");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::from_bytes(testing::as_bytes(builder.serialise())));
  room.session.policy.shapes = {{"n", {1, 4, 8}}};
  room.session.policy.execution.static_shape = true;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(model, room.session));
    std::set<pid_t> pids;
    for (const auto& counters : session.counters()) pids.insert(static_cast<pid_t>(counters.at("worker_pid")));
    EXPECT_EQ(pids.size(), 3u);
    EXPECT_EQ(live_workers(), pids);
    EXPECT_THAT(run(session, {-1, 2, -3, 4}), ElementsAre(0, 2, 0, 4));
  }
  EXPECT_TRUE(live_workers().empty());
}

TEST(Isolation, SessionAndBindingOutliveTheProcess) {
  Policy policy;
  policy.engines.isolation["null"] = Isolation::kProcess;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, session_of("null", "/lib/axle/engines", policy));
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding());
  NamedTensor x = vector_x({1, -1, 2, -2});
  ASSERT_THAT(binding.bind_input(0, x.tensor), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor y, Tensor::allocate(DataType::kFloat32, {4}));
  ASSERT_THAT(binding.bind_output(0, y), IsOk());
  ASSERT_THAT(binding.run(), IsOk());
  EXPECT_THAT(y.as<float>(), ElementsAre(1, 0, 2, 0));
  ASSERT_EQ(::kill(static_cast<pid_t>(counter(session, "worker_pid")), SIGKILL), 0);
  x.tensor.mutable_as<float>()[1] = 7;
  if (Status status = binding.run(); !status.ok()) {
    EXPECT_THAT(status, StatusIs(StatusCode::kUnavailable, "killed by signal 9"));
    ASSERT_THAT(binding.run(), IsOk());
  }
  EXPECT_THAT(y.as<float>(), ElementsAre(1, 7, 2, 0));
  EXPECT_EQ(counter(session, "worker_restarts"), 1);
}

// Kills the process again and again while four threads call and a fifth runs a binding: with rebalance every request is answered, and
// rightly. AXLE_TEST_KILLS says how often.
TEST(Isolation, NoRequestIsLostWhenTheProcessIsKilled) {
  const int kills = testing::kills_asked_for(15);
  Policy policy;
  policy.execution.isolation = Isolation::kProcess;
  policy.schedule.rebalance = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, session_of("null", "/lib/axle/engines", policy));
  std::atomic<bool> over{false};
  std::atomic<int64_t> answered{0}, lost{0}, wrong{0};
  const auto judge = [&](const Status& status, std::span<const float> y, float value) {
    ++answered;
    if (!status.ok()) {
      ++lost;
      ADD_FAILURE() << status.to_string();
    } else if (y.size() != 4 || y[0] != value || y[1] != 0 || y[2] != 2 * value || y[3] != 0) {
      ++wrong;
    }
  };
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding());
  NamedTensor x = vector_x({1, -1, 2, -1});
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor y, Tensor::allocate(DataType::kFloat32, {4}));
  ASSERT_THAT(binding.bind_input(0, x.tensor), IsOk());
  ASSERT_THAT(binding.bind_output(0, y), IsOk());
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      for (int i = 0; !over; ++i) {
        const auto value = static_cast<float>(1 + i % 1000 + 1000 * caller);
        const NamedTensor feed = vector_x({value, -value, 2 * value, -1});
        const auto outputs = session.run({&feed, 1});
        judge(outputs.status(), outputs.ok() ? outputs->front().tensor.as<float>() : std::span<const float>(), value);
      }
    });
  }
  callers.emplace_back([&] {
    for (int i = 0; !over; ++i) {
      const auto value = static_cast<float>(1 + i % 1000);
      std::ranges::copy(std::vector<float>{value, -value, 2 * value, -1}, x.tensor.mutable_as<float>().begin());
      const Status status = binding.run();
      judge(status, y.as<float>(), value);
    }
  });
  const int killed = testing::kill_at_random(session, kills, 20, answered, lost);
  over = true;
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(killed, kills);
  EXPECT_EQ(lost, 0);
  EXPECT_EQ(wrong, 0);
  EXPECT_GE(counter(session, "worker_restarts"), kills - 1);
  RecordProperty("answered", std::to_string(answered));
}

TEST(Isolation, WithoutLeaveARequestIsNotDoneAgain) {
  Policy policy;
  policy.execution.isolation = Isolation::kProcess;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, session_of("unruly", "/lib/axle/testing", policy));
  const NamedTensor bad = vector_x({kAbort, 0, 0, 0});
  EXPECT_THAT(session.run({&bad, 1}), StatusIs(StatusCode::kUnavailable));
  EXPECT_EQ(counter(session, "worker_restarts"), 0);
}

TEST(Isolation, ARequestThatEndsEveryProcessIsGivenUp) {
  Policy policy;
  policy.execution.isolation = Isolation::kProcess;
  policy.schedule.rebalance = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, session_of("unruly", "/lib/axle/testing", policy));
  const NamedTensor bad = vector_x({kAbort, 0, 0, 0});
  EXPECT_THAT(session.run({&bad, 1}), StatusIs(StatusCode::kUnavailable, "assertion 'good_mood' failed"));
  EXPECT_THAT(run(session, {1, 2, 3, 4}), ElementsAre(2, 4, 6, 8));
}

// A runtime with a cache of its own, where evidence can be kept.
struct TuningRoom {
  explicit TuningRoom(const std::string& engine) {
    auto scratch = ScratchDir::create();
    folder.emplace(*std::move(scratch));
    RuntimeOptions options;
    options.cache_folder = folder->file("cache");
    options.engine_folders = {std::string(AXLE_BINARY_DIR) + "/lib/axle/engines"};
    options.engines = {engine};
    runtime = *Runtime::create(options);
    tuning.policy.execution.threads = 1;
    tuning.budget_ns = 5'000'000'000;  // enough for every candidate on a slow build
  }
  std::optional<ScratchDir> folder;
  std::shared_ptr<Runtime> runtime;
  TuneOptions tuning;
};

TEST(Isolation, TuningMeasuresPeakMemoryInAProcessOfItsOwn) {
  TuningRoom room("null");
  room.tuning.policy.objective = Objective::kMemory;
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, relu_model());
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, tune(*room.runtime, model, room.tuning));
  ASSERT_FALSE(report.rows.empty());
  EXPECT_GT(report.rows.front().peak_memory_bytes, 1u << 20);
  EXPECT_LT(report.rows.front().peak_memory_bytes, uint64_t{1} << 30);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto rows, room.runtime->evidence()->find());
  std::set<std::pair<std::string, uint64_t>> reported, kept;  // of each candidate
  for (const TuneRow& row : report.rows) reported.emplace(row.candidate, row.peak_memory_bytes);
  for (const EvidenceRow& row : rows) kept.emplace(row.key.candidate, row.peak_memory_bytes);
  EXPECT_EQ(kept, reported);
  // What it took is what a constraint is judged on, not what its weights suggest.
  PlanRequest request;
  request.policy = room.tuning.policy;
  request.policy.constraints.memory_bytes = 1 << 20;
  EXPECT_THAT(make_plan(*room.runtime, model, request), StatusIs(StatusCode::kFailedPrecondition, "it took "));
}

TEST(Isolation, TuningSaysWhereMemoryCannotBeMeasured) {
  testing::registered_fake("inside");
  TuningRoom room("inside");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, relu_model());
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, tune(*room.runtime, model, room.tuning));
  EXPECT_THAT(report.notes, Contains(HasSubstr("memory was not measured: inside cannot run in a process of its own")));
  EXPECT_EQ(report.rows.front().peak_memory_bytes, 0u);
}

TEST(Isolation, CoreSetThatAnEngineCannotKeepIsItsProcesss) {
  const std::optional<Policy> policy = first_core_only();
  if (!policy) GTEST_SKIP() << "one core only";
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, session_of("unruly", "/lib/axle/testing", *policy));
  const int32_t cpu = policy->resources.split.at("cpu:0")[0][0];
  EXPECT_TRUE(session.plan().partitions.front().isolated);
  EXPECT_THAT(session.plan().partitions.front().cpu_set, ElementsAre(cpu));
  EXPECT_THAT(executable_of(session).effective().cpu_set, ElementsAre(cpu));
  EXPECT_TRUE(executable_of(session).effective().cpu_set_honoured);
  EXPECT_THAT(session.plan().notes,
              Contains("unruly runs in a process of its own: it cannot keep its threads on the core set cpu:0/0 by itself"));
  const NamedTensor bad = vector_x({kAbort, 0, 0, 0});
  EXPECT_THAT(session.run({&bad, 1}), StatusIs(StatusCode::kUnavailable, "assertion 'good_mood' failed"));
  EXPECT_THAT(run(session, {1, 2, 3, 4}), ElementsAre(2, 4, 6, 8));
}

// Two callers of a plan with one thread would else take turns on its one core.
TEST(Isolation, OnAWholeCpuCallersFindAllOfIt) {
  const std::optional<Policy> split = first_core_only();
  if (!split) GTEST_SKIP() << "one core only";
  Policy policy;
  policy.execution.isolation = Isolation::kProcess;
  policy.execution.threads = 1;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, session_of("null", "/lib/axle/engines", policy));
  EXPECT_THAT(session.plan().partitions.front().cpu_set, ElementsAre(split->resources.split.at("cpu:0")[0][0]));
  EXPECT_THAT(executable_of(session).effective().cpu_set,
              IsSupersetOf({split->resources.split.at("cpu:0")[0][0], split->resources.split.at("cpu:0")[1][0]}));
  EXPECT_TRUE(executable_of(session).effective().cpu_set_honoured);
}

TEST(Isolation, ForbiddenIsolationIsAnError) {
  std::optional<Policy> policy = first_core_only();
  if (!policy) GTEST_SKIP() << "one core only";
  policy->execution.isolation = Isolation::kNone;
  EXPECT_THAT(session_of("unruly", "/lib/axle/testing", *policy),
              StatusIs(StatusCode::kFailedPrecondition, "a process of its own, which the policy forbids"));
}

TEST(Isolation, EngineOfThisProcessCannotBeIsolated) {
  testing::registered_fake("inside");
  Policy policy;
  policy.execution.isolation = Isolation::kProcess;
  EXPECT_THAT(session_of("inside", "", policy), StatusIs(StatusCode::kFailedPrecondition, "it is no plugin file"));
}

TEST(Isolation, OpenVinoStaysOnOneCore) {
  const std::optional<Policy> policy = first_core_only();
  if (!policy) GTEST_SKIP() << "one core only";
  const auto session = session_of("openvino", "/lib/axle/engines", *policy);
  // Neither the plugin nor its library need be here.
  if (!session.ok() && session.status().code() == StatusCode::kUnavailable) GTEST_SKIP() << session.status().to_string();
  ASSERT_THAT(session, IsOk());
  EXPECT_TRUE(session->plan().partitions.front().isolated);
  EXPECT_THAT(executable_of(*session).effective().cpu_set, ElementsAre(policy->resources.split.at("cpu:0")[0][0]));
  EXPECT_THAT(run(*session, {-1, 2, -3, 4}), ElementsAre(0, 2, 0, 4));
  EXPECT_GT(counter(*session, "worker_peak_memory_bytes"), 20 << 20);
}

}  // namespace
}  // namespace axle
