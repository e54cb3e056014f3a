#include "axle/session.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <thread>

#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::elementwise;
using testing::FakeEngine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::StatusIs;
using namespace std::chrono_literals;

NamedTensor floats(const std::string& name, std::vector<float> values) {
  auto tensor = Tensor::allocate(DataType::kFloat32, {static_cast<int64_t>(values.size()) / 4, 4});
  std::copy(values.begin(), values.end(), tensor->mutable_as<float>().begin());
  return {name, std::move(*tensor)};
}

std::vector<float> values_of(const Tensor& tensor) { return {tensor.as<float>().begin(), tensor.as<float>().end()}; }

// Two engines: one adds 1, the other multiplies by 10.
class SessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    adder().script().compute = elementwise([](float v) { return v + 1; });
    scaler().script().compute = elementwise([](float v) { return v * 10; });
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"adder", "scaler"};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
    options_.runtime = runtime_;
    options_.policy.engines.allow = {"adder"};
    options_.policy.execution.threads = 1;
  }
  void TearDown() override {
    testing::reset_fake("adder");
    testing::reset_fake("scaler");
  }

  static FakeEngine& adder() { return testing::registered_fake("adder"); }
  static FakeEngine& scaler() { return testing::registered_fake("scaler"); }
  Result<Session> create() { return Session::create(*model_, options_); }

  Partition part(int32_t id, const std::string& engine, std::vector<std::string> nodes, std::vector<std::string> inputs,
                 std::vector<std::string> outputs) {
    Partition part;
    part.id = id;
    part.candidate = {engine, "cpu:0", "f32", 1, "default"};
    part.nodes = std::move(nodes);
    part.inputs = std::move(inputs);
    part.outputs = std::move(outputs);
    return part;
  }
  Plan two_partitions() {
    Plan plan;
    plan.model_digest = model_->digest();
    plan.partitions = {part(0, "adder", {"first"}, {"x"}, {"h"}), part(1, "scaler", {"second"}, {"h"}, {"y"})};
    plan.transfers.push_back({0, 1, "h", 16, "host", "host"});
    return plan;
  }

  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
  SessionOptions options_;
};

TEST_F(SessionTest, OutputsAreFreshPerCall) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto first, session.run({{floats("x", {1, 2, 3, 4})}}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto second, session.run({{floats("x", {5, 6, 7, 8})}}));
  EXPECT_THAT(values_of(first[0].tensor), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(values_of(second[0].tensor), ElementsAre(6, 7, 8, 9));
  EXPECT_EQ(first[0].name, "y");
}

TEST_F(SessionTest, RunsOtherShapesThanItWasPlannedFor) {
  options_.samples = {floats("x", {1, 2, 3, 4})};
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({{floats("x", {1, 2, 3, 4, 5, 6, 7, 8})}}));
  EXPECT_THAT(outputs[0].tensor.shape(), ElementsAre(2, 4));
}

TEST_F(SessionTest, RefusesFeedsThatDoNotFit) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  EXPECT_THAT(session.run({}), StatusIs(StatusCode::kInvalidArgument, "x"));
  EXPECT_THAT(session.run({{floats("z", {1, 2, 3, 4})}}), StatusIs(StatusCode::kInvalidArgument, "z"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor doubles, Tensor::allocate(DataType::kFloat64, {1, 4}));
  EXPECT_THAT(session.run({{NamedTensor{"x", doubles}}}), StatusIs(StatusCode::kInvalidArgument, "f64"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor narrow, Tensor::allocate(DataType::kFloat32, {1, 3}));
  EXPECT_THAT(session.run({{NamedTensor{"x", narrow}}}), StatusIs(StatusCode::kInvalidArgument, "3"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor flat, Tensor::allocate(DataType::kFloat32, {4}));
  EXPECT_THAT(session.run({{NamedTensor{"x", flat}}}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(session.run({{floats("x", {1, 2, 3, 4})}}), IsOk());
}

TEST_F(SessionTest, CancelStopsARunAndLeavesTheSessionUsable) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  adder().script().run_delay = 20s;
  RunOptions run;
  run.cancel = CancelToken();
  std::thread stopper([token = run.cancel]() mutable {
    std::this_thread::sleep_for(30ms);
    token.cancel();
  });
  const auto started = std::chrono::steady_clock::now();
  EXPECT_THAT(session.run({{floats("x", {1, 2, 3, 4})}}, run), StatusIs(StatusCode::kCancelled));
  EXPECT_LT(std::chrono::steady_clock::now() - started, 10s);
  stopper.join();
  adder().script().run_delay = 0ns;
  EXPECT_THAT(session.run({{floats("x", {1, 2, 3, 4})}}), IsOk());
}

TEST_F(SessionTest, ADeadlineThatPassesIsSaid) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  adder().script().run_delay = 20s;
  RunOptions run;
  run.timeout_ns = 20'000'000;
  EXPECT_THAT(session.run({{floats("x", {1, 2, 3, 4})}}, run), StatusIs(StatusCode::kDeadlineExceeded));
}

TEST_F(SessionTest, ALimitThatLiesBeyondAllTimeIsNone) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  RunOptions options;
  options.timeout_ns = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(session.run({{floats("x", {1, 2, 3, 4})}}, options), IsOk());
}

TEST_F(SessionTest, AsyncRunsKeepTheirTensors) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  adder().script().run_delay = 5ms;
  std::vector<std::future<Result<std::vector<NamedTensor>>>> futures;
  for (int i = 0; i < 8; ++i) {
    const auto v = static_cast<float>(i);
    futures.push_back(session.run_async({floats("x", {v, v, v, v})}));
  }
  for (int i = 0; i < 8; ++i) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, futures[static_cast<size_t>(i)].get());
    EXPECT_FLOAT_EQ(outputs[0].tensor.as<float>()[0], static_cast<float>(i + 1));
  }
}

TEST_F(SessionTest, ManyThreadsShareIt) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const auto v = static_cast<float>(t * 100 + i);
        const auto outputs = session.run({{floats("x", {v, v, v, v})}});
        if (!outputs || (*outputs)[0].tensor.as<float>()[3] != v + 1) ++wrong;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(adder().live_contexts(), 8);
}

// Each thread makes, uses and drops sessions of its own, of two engines, over one runtime and one model.
TEST_F(SessionTest, ManySessionsLiveSideBySide) {
  constexpr int kThreads = 8, kSessions = 4, kRuns = 10;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      const bool adds = t % 2 == 0;
      SessionOptions options = options_;
      options.policy.engines.allow = {adds ? "adder" : "scaler"};
      std::vector<Session> mine;
      for (int s = 0; s < kSessions; ++s) {
        auto session = Session::create(*model_, options);
        if (!session) {
          ++wrong;
          return;
        }
        mine.push_back(*std::move(session));
        // The older ones go on working beside the new one.
        for (int i = 0; i < kRuns; ++i) {
          const auto v = static_cast<float>(t * 1000 + s * 100 + i);
          const auto outputs = mine[static_cast<size_t>(i) % mine.size()].run({{floats("x", {v, v, v, v})}});
          if (!outputs || values_of((*outputs)[0].tensor) != std::vector<float>(4, adds ? v + 1 : v * 10)) ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  for (FakeEngine* const engine : {&adder(), &scaler()}) {
    EXPECT_EQ(engine->live_contexts(), 0);
    EXPECT_EQ(engine->live_executables(), 0);
    EXPECT_GE(engine->calls("load"), kThreads / 2 * kSessions);
  }
}

TEST_F(SessionTest, ABoundOutputIsWrittenInPlace) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding());
  NamedTensor in = floats("x", {1, 2, 3, 4});
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor out, Tensor::allocate(DataType::kFloat32, {1, 4}));
  ASSERT_THAT(binding.bind_input("x", in.tensor), IsOk());
  ASSERT_THAT(binding.bind_output("y", out), IsOk());
  ASSERT_THAT(binding.run(), IsOk());
  EXPECT_THAT(values_of(out), ElementsAre(2, 3, 4, 5));
  // The bytes are read at each run.
  in.tensor.mutable_as<float>()[0] = 41;
  ASSERT_THAT(binding.run(), IsOk());
  EXPECT_THAT(values_of(out), ElementsAre(42, 3, 4, 5));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor seen, binding.output(0));
  EXPECT_EQ(seen.data(), out.data());
}

TEST_F(SessionTest, AnUnboundOutputIsTheEnginesUntilTheNextRun) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding());
  const NamedTensor in = floats("x", {1, 2, 3, 4});
  ASSERT_THAT(binding.bind_input(0, in.tensor), IsOk());
  ASSERT_THAT(binding.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor seen, binding.output(0));
  EXPECT_THAT(values_of(seen), ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(binding.bind_input("nobody", in.tensor), StatusIs(StatusCode::kInvalidArgument, "nobody"));
}

TEST_F(SessionTest, TwoPartitionsComputeOneAfterTheOther) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, two_partitions(), options_));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({{floats("x", {1, 2, 3, 4})}}));
  EXPECT_THAT(values_of(outputs[0].tensor), ElementsAre(20, 30, 40, 50));
  EXPECT_EQ(session.effective_json().size(), 2);
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding());
  const NamedTensor in = floats("x", {0, 0, 0, 1});
  ASSERT_THAT(binding.bind_input(0, in.tensor), IsOk());
  ASSERT_THAT(binding.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor seen, binding.output(0));
  EXPECT_THAT(values_of(seen), ElementsAre(10, 10, 10, 20));
}

TEST_F(SessionTest, AFailureInTheSecondPartitionIsTheRunsFailure) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, two_partitions(), options_));
  scaler().fail("run", 1, AXLE_INTERNAL, "boom");
  EXPECT_THAT(session.run({{floats("x", {1, 2, 3, 4})}}), StatusIs(StatusCode::kInternal, "boom"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({{floats("x", {1, 2, 3, 4})}}));
  EXPECT_THAT(values_of(outputs[0].tensor), ElementsAre(20, 30, 40, 50));
}

TEST_F(SessionTest, APlanThatNamesUnknownNodesOrModelsIsRefused) {
  Plan plan = two_partitions();
  plan.partitions[1].nodes = {"third"};
  EXPECT_THAT(Session::load(*model_, plan, options_), StatusIs(StatusCode::kInvalidArgument, "third"));
  plan = two_partitions();
  plan.model_digest = "sha256:other";
  EXPECT_THAT(Session::load(*model_, plan, options_), StatusIs(StatusCode::kAborted, "sha256:other"));
  plan = two_partitions();
  plan.partitions.pop_back();
  EXPECT_FALSE(Session::load(*model_, plan, options_).has_value()) << "nobody makes y";
}

TEST_F(SessionTest, AnEngineThatDoesSomethingElseIsRefused) {
  adder().script().change_effective = [](kit::Effective& effective) { effective.precision = "bf16"; };
  EXPECT_THAT(create(), StatusIs(StatusCode::kFailedPrecondition, "bf16"));
  adder().script().change_effective = [](kit::Effective& effective) { effective.threads = 7; };
  EXPECT_THAT(create(), StatusIs(StatusCode::kFailedPrecondition, "7 threads"));
}

// Each engine call of a session's life fails once: an error that carries the engine's words, nothing left behind.
TEST_F(SessionTest, EveryEngineCallMayFailOnce) {
  for (const std::string verb : {"load", "io", "context_create", "bind_input", "bind_output", "run"}) {
    const int64_t executables = adder().live_executables();
    adder().fail(verb, 1, AXLE_RESOURCE_EXHAUSTED, "no more " + verb);
    Status status;
    {
      auto session = create();
      status = session ? session->run({{floats("x", {1, 2, 3, 4})}}).status() : session.error();
    }
    EXPECT_THAT(status, StatusIs(StatusCode::kResourceExhausted, "no more " + verb));
    EXPECT_EQ(adder().live_executables(), executables) << verb;
    EXPECT_EQ(adder().live_contexts(), 0) << verb;
    AXLE_ASSERT_OK_AND_ASSIGN(const Session again, create());
    EXPECT_THAT(again.run({{floats("x", {1, 2, 3, 4})}}), IsOk()) << verb;
  }
}

TEST_F(SessionTest, AForkedChildIsRefused) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto outputs = session.run({{floats("x", {1, 2, 3, 4})}});
    ::_exit(!outputs && outputs.error().code() == StatusCode::kFailedPrecondition ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(session.run({{floats("x", {1, 2, 3, 4})}}), IsOk());
}

TEST_F(SessionTest, AMissingTargetFailsClosedAndANamedFallbackIsInTheLedger) {
  options_.policy.execution.targets = {"npu:0"};
  EXPECT_THAT(create(), StatusIs(StatusCode::kFailedPrecondition, "npu:0"));
  options_.policy.fallback.resource = {"cpu"};
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create());
  ASSERT_EQ(session.substitutions().size(), 1);
  EXPECT_EQ(session.substitutions()[0].wanted, "npu:0");
  EXPECT_EQ(session.substitutions()[0].got, "cpu:0");
  EXPECT_EQ(session.substitutions()[0].allowed_by, "fallback.resource");
}

TEST_F(SessionTest, APinOnAKernelIsRefusedAndSaysWhatToPinInstead) {
  Pin pin;
  pin.nodes = {"*"};
  pin.require = PinTarget{"", "", "", "gemm_v2"};
  options_.policy.pins = {pin};
  const Result<Session> refused = create();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused, StatusIs(StatusCode::kFailedPrecondition, "lets no kernel be chosen by name"));
  EXPECT_THAT(refused.error().hint(), ::testing::HasSubstr("[[pin]] with require = { engine = \"adder\" }"));
  EXPECT_THAT(refused.error().hint(), ::testing::HasSubstr("[fallback] kernel = [\"engine\"]"));
  options_.policy.pins[0].require = PinTarget{"adder", "", "", ""};
  EXPECT_THAT(create(), IsOk());
}

TEST_F(SessionTest, MemoryIsWatchedWhereThePolicyBoundsIt) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session plain, create());
  SessionOptions options = options_;
  options.policy.constraints.memory_bytes = uint64_t{32} << 20;
  options.policy.constraints.power_watts = 1e6;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, plain.plan(), options));
  const QosReport before = session.qos();
  ASSERT_EQ(before.bounds.size(), 2u);
  EXPECT_EQ(before.bounds[0].constraint, "memory");
  EXPECT_FALSE(before.violated());
  EXPECT_EQ(before.bounds[1].constraint, "power");
  std::vector<uint64_t> seen;
  const std::vector<char> held(size_t{64} << 20, 1);
  const std::vector<QosViolation> told = session.wait_violations(seen, 10'000'000'000);
  ASSERT_EQ(told.size(), 1u) << held.size();
  EXPECT_EQ(told[0].constraint, "memory");
  EXPECT_THAT(told[0].text, ::testing::HasSubstr("the policy allows 32.0 MiB"));
}

TEST_F(SessionTest, WatchesItsRunsWhereThePolicyBoundsThem) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session plain, create());
  const NamedTensor feed = floats("x", {1, 2, 3, 4});
  ASSERT_THAT(plain.run({&feed, 1}), IsOk());
  EXPECT_THAT(plain.qos().bounds, IsEmpty());
  EXPECT_EQ(plain.qos().runs, 0u);

  SessionOptions options = options_;
  options.policy.constraints.latency_p95_ns = 1;  // nothing keeps that
  std::atomic<int> reported{0};
  options.on_violation = [&](const QosViolation& violation) { reported += violation.constraint == "latency_p95" ? 1 : 100; };
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, plain.plan(), options));
    AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding());
    ASSERT_THAT(binding.bind_input(0, feed.tensor), IsOk());
    for (int i = 0; i < 6; ++i) {
      ASSERT_THAT(session.run({&feed, 1}), IsOk());
      ASSERT_THAT(binding.run(), IsOk());
    }
    const QosReport report = session.qos();
    EXPECT_EQ(report.runs, 12u);
    ASSERT_EQ(report.bounds.size(), 1u);
    EXPECT_TRUE(report.bounds[0].violated);
    EXPECT_EQ(report.bounds[0].violations, 1u);
    std::vector<uint64_t> seen;
    EXPECT_EQ(session.wait_violations(seen).size(), 1u);
    EXPECT_EQ(session.wait_violations(seen).size(), 0u);
    for (int i = 0; i < 5000 && reported == 0; ++i) std::this_thread::sleep_for(1ms);
  }
  EXPECT_EQ(reported, 1);
}

}  // namespace
}  // namespace axle
