#include "axle/lock_check.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <utility>

#include "axle/session.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "planner/planner.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/testing/rows.h"
#include "spec/planner_input_json.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::StatusIs;
using ::testing::UnorderedElementsAre;

class LockCheckTest : public ::testing::Test {
 protected:
  void SetUp() override {
    adder().script().compute = testing::elementwise([](float v) { return v + 1; });
    runtime_ = make_runtime({"adder", "scaler"});
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
    request_.policy.engines.allow = {"adder"};
    request_.policy.execution.threads = 1;
    request_.keep_input = true;
  }
  void TearDown() override {
    testing::reset_fake("adder");
    testing::reset_fake("scaler");
  }

  static testing::FakeEngine& adder() { return testing::registered_fake("adder"); }
  static std::shared_ptr<Runtime> make_runtime(std::vector<std::string> engines) {
    testing::registered_fake("adder");
    testing::registered_fake("scaler");
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = std::move(engines);
    return Runtime::create(options).value();
  }
  Lock lock() {
    const PlanReport report = make_plan(*runtime_, *model_, request_).value();
    return make_lock(report.plan, report.input_json).value();
  }
  // A lock that was made on a machine like this one, but for `edit`.
  Lock lock_elsewhere(const std::function<void(Machine&)>& edit) {
    Machine machine = runtime_->machine().value();
    edit(machine);
    request_.machine = &machine;
    Lock made = lock();
    request_.machine = nullptr;
    return made;
  }
  static Lock edited(const Lock& lock, const std::function<void(PlannerInput&)>& edit) {
    PlannerInput input = parse_planner_input(lock.input_json).value();
    edit(input);
    return make_lock(make_plan(input).value().plan, planner_input_to_json(input).value()).value();
  }
  LockCheck check(const Lock& lock, LockCheckOptions options = {}) { return check_lock(*runtime_, lock, options).value(); }
  static std::vector<std::string> fields_of(const LockCheck& check) {
    std::vector<std::string> fields;
    for (const Drift& drift : check.drifts) fields.push_back(drift.field + (drift.waived ? " waived" : ""));
    return fields;
  }
  Result<Session> load(const Lock& lock, std::vector<std::string> waive = {}) {
    SessionOptions options;
    options.runtime = runtime_;
    options.waive = std::move(waive);
    return Session::load(*model_, lock, std::move(options));
  }

  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
  PlanRequest request_;
};

TEST_F(LockCheckTest, HoldsWhereItWasMadeAndRuns) {
  const Lock made = lock();
  LockCheckOptions options;
  options.model = &*model_;
  const LockCheck found = check(made, options);
  EXPECT_EQ(found.state, LockState::kValid);
  EXPECT_THAT(found.drifts, IsEmpty());
  EXPECT_THAT(found.notes, IsEmpty());
  EXPECT_TRUE(found.model_compared);
  EXPECT_EQ(found.plan, made.plan);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(made));
  EXPECT_EQ(session.plan().digest(), made.plan.digest());
  EXPECT_THAT(session.substitutions(), IsEmpty());
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock same, session.lock());
  EXPECT_EQ(same, made);
}

TEST_F(LockCheckTest, OfAFileIsTheSame) {
  const Lock made = lock();
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  const std::string path = folder.file("plan.lock");
  ASSERT_THAT(save_lock(path, made), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const CheckedLock checked, check_lock_file(*runtime_, path));
  EXPECT_EQ(checked.lock, made);
  EXPECT_EQ(checked.check.state, LockState::kValid);
  EXPECT_EQ(checked.check.plan, made.plan);
  EXPECT_THAT(check_lock_file(*runtime_, path, {.waive = {"nothing"}}).status(), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(check_lock_file(*runtime_, path + "x").status(), StatusIs(StatusCode::kNotFound));
}

TEST_F(LockCheckTest, OpensOnlyTheEnginesThatThePlanUses) {
  const Lock made = lock();
  runtime_ = make_runtime({"adder", "scaler"});
  check(made);
  EXPECT_TRUE(runtime_->engines().peek("adder")->opened);
  EXPECT_FALSE(runtime_->engines().peek("scaler")->opened);
}

TEST_F(LockCheckTest, DriftIsRefusedWithBothValuesAndTheWayOn) {
  const Lock made = lock_elsewhere([](Machine& machine) { machine.os = "linux 1.0"; });
  const LockCheck found = check(made);
  EXPECT_EQ(found.state, LockState::kDrifted);
  EXPECT_THAT(fields_of(found), ElementsAre("os"));
  const auto session = load(made);
  EXPECT_THAT(session, StatusIs(StatusCode::kAborted, "os: " + runtime_->machine()->os + ", locked linux 1.0"));
  EXPECT_THAT(session.error().hint(), HasSubstr("--waive os"));
  EXPECT_EQ(session.error().details().front().first, "drift");
}

TEST_F(LockCheckTest, AWaivedFieldIsInTheLedger) {
  const Lock made = lock_elsewhere([](Machine& machine) { machine.os = "linux 1.0"; });
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(made, {"os"}));
  ASSERT_EQ(session.substitutions().size(), 1u);
  EXPECT_EQ(session.substitutions()[0].wanted, "os linux 1.0");
  EXPECT_EQ(session.substitutions()[0].got, runtime_->machine()->os);
  EXPECT_EQ(session.substitutions()[0].allowed_by, "lock.waive");
  EXPECT_EQ(session.plan().machine_fingerprint, runtime_->machine()->fingerprint());
  EXPECT_EQ(session.plan().partitions, made.plan.partitions);
  EXPECT_EQ(session.lock().value(), made);
}

TEST_F(LockCheckTest, TheLocksOwnPolicyMayWaive) {
  request_.policy.lock_waive = {"os", "cgroup_limit"};
  const auto edit = [](Machine& machine) { machine.os = "linux 1.0", machine.cpu_quota = 1.5, machine.isa.push_back("zzz"); };
  const LockCheck found = check(lock_elsewhere(edit));
  EXPECT_THAT(fields_of(found), UnorderedElementsAre("os waived", "cpu_features", "cgroup_limit waived"));
  EXPECT_EQ(found.state, LockState::kDrifted);
  EXPECT_THAT(found.status().message(), ::testing::Not(HasSubstr("linux 1.0")));
  LockCheckOptions options;
  options.waive = {"cpu_features"};
  EXPECT_EQ(check(lock_elsewhere(edit), options).state, LockState::kValid);
}

TEST_F(LockCheckTest, AWaivedFieldMustExist) {
  LockCheckOptions options;
  options.waive = {"drivers"};
  const auto found = check_lock(*runtime_, lock(), options);
  EXPECT_THAT(found, StatusIs(StatusCode::kInvalidArgument, "\"drivers\" is no field of a lock"));
  EXPECT_THAT(found.error().hint(), HasSubstr("did you mean \"driver\"?"));
}

TEST_F(LockCheckTest, ARecordedMachineIsComparedInsteadOfThisOne) {
  Machine other = runtime_->machine().value();
  other.cpu_quota = 0.5;
  LockCheckOptions options;
  options.machine = &other;
  const LockCheck found = check(lock(), options);
  EXPECT_THAT(fields_of(found), ElementsAre("cgroup_limit"));
  EXPECT_EQ(found.machine_fingerprint, other.fingerprint());
}

TEST_F(LockCheckTest, AnotherModelOrPolicyIsDrift) {
  testing::ModelBuilder builder;
  builder.input("x", testing::kF32, {-1, 4}, {"n"}).output("y", testing::kF32, {-1, 4}, {"n"});
  builder.node("Relu", {"x"}, {"h"}, "first");
  builder.node("Abs", {"h"}, {"y"}, "second");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model other, Model::from_bytes(testing::as_bytes(builder.serialise())));
  Policy policy = request_.policy;
  policy.execution.threads = 2;
  const Lock made = lock();
  LockCheckOptions options;
  options.model = &other;
  options.policy = &policy;
  EXPECT_THAT(fields_of(check(made, options)), ElementsAre("model", "policy"));
  SessionOptions session_options;
  session_options.runtime = runtime_;
  EXPECT_THAT(Session::load(other, made, session_options), StatusIs(StatusCode::kAborted, "model: " + other.digest()));
  // The same nodes with other content, as after training: tolerated by name, it runs.
  session_options.waive = {"model"};
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(other, made, session_options));
  EXPECT_EQ(session.plan().model_digest, other.digest());
  EXPECT_EQ(session.substitutions().size(), 1u);
  session_options.policy = policy;
  EXPECT_THAT(Session::load(*model_, made, session_options),
              StatusIs(StatusCode::kAborted, "policy of execution.threads: 2, locked 1"));
}

TEST_F(LockCheckTest, AnotherEngineIsDrift) {
  const Lock made = lock();
  adder().script().info.plugin_version = "9.9";
  adder().script().capability.limits["threads_max"] = 3;
  runtime_ = make_runtime({"adder"});
  const LockCheck found = check(made);
  EXPECT_THAT(fields_of(found), ElementsAre("plugin", "capability"));
  EXPECT_THAT(found.status().message(), HasSubstr("plugin of adder: 9.9, locked 1.0"));
  EXPECT_THAT(found.status().message(), HasSubstr("capability of adder@cpu:0 limits: {\"threads_max\":3}"));
  // Tolerated, the session says which engine it really runs.
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(made, {"plugin", "capability"}));
  EXPECT_NE(session.plan().partitions[0].library_digest, made.plan.partitions[0].library_digest);
  EXPECT_EQ(session.substitutions().size(), 2u);
}

TEST_F(LockCheckTest, AMissingEngineIsDrift) {
  const Lock made = lock();
  runtime_ = make_runtime({"scaler"});
  EXPECT_THAT(check(made).status().message(), HasSubstr("engine of adder: not here (there is no plugin of that name)"));
  runtime_ = make_runtime({"adder"});
  adder().script().absent = true;
  EXPECT_THAT(fields_of(check(made)), ElementsAre("engine"));
}

TEST_F(LockCheckTest, OldEvidenceIsSaidAndRuns) {
  const Lock made = edited(lock(), [](PlannerInput& input) {
    EvidenceRow row;
    row.key = {input.model.digest,         "adder@cpu:0/f32/t1/default", "", input.shapes, 1, "generated:0", "",
               input.machine.fingerprint()};
    row.key.library_digest = input.engines[0].library_digest;
    row.recorded_unix_s = unix_seconds() - int64_t{100} * 24 * 3600;
    row.runs = 400;
    row.p50_ns = 1000;
    row.block_ns = {1000, 1000};
    input.evidence.push_back(row);
  });
  const LockCheck found = check(made);
  EXPECT_EQ(found.state, LockState::kOldEvidence);
  EXPECT_THAT(found.status(), IsOk());
  ASSERT_EQ(found.old_evidence.size(), 1u);
  EXPECT_EQ(found.old_evidence[0].age_days, 100);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(made));
  EXPECT_THAT(session.plan().notes, ::testing::Contains(HasSubstr("100 days old")));
}

TEST_F(LockCheckTest, AnotherDecisionOnTheSameFactsIsDrift) {
  Lock made = lock();
  made.plan.partitions[0].candidate.precision = "bf16";
  const LockCheck found = check(made);
  EXPECT_THAT(fields_of(found), ElementsAre("planner"));
  EXPECT_THAT(found.status().message(), HasSubstr("adder@cpu:0/f32/t1/default, locked"));
  made = lock();
  made.plan.notes.emplace_back("said by another version");
  const LockCheck reworded = check(made);
  EXPECT_EQ(reworded.state, LockState::kValid);
  EXPECT_THAT(reworded.notes, ElementsAre(HasSubstr("explains it differently")));
}

// A policy that moves work moves none under a lock: neither are speeds learned, nor is a failed request redone elsewhere.
TEST_F(LockCheckTest, NothingIsRebalancedUnderALock) {
  const std::vector<int32_t> cpus = runtime_->machine()->allowed_cpus;
  if (cpus.size() < 2) GTEST_SKIP() << "replicas need two CPUs";
  request_.policy.resources.split["cpu:0"] = {{cpus[0]}, {cpus[1]}};
  request_.policy.execution.targets = {"cpu:0/0", "cpu:0/1"};
  request_.policy.schedule.kind = ScheduleKind::kReplicas;
  request_.policy.schedule.rebalance = true;
  std::atomic<bool> gone = false;
  adder().script().compute = [&, first = cpus[0]](const testing::FakeLoad& load, std::span<const axle_tensor_t> inputs,
                                                  std::span<testing::FakeOutput> outputs) {
    if (gone && load.cpu_set == std::vector<int32_t>{first}) throw kit::Error(AXLE_UNAVAILABLE, "the device is gone");
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    testing::elementwise([](float v) { return v + 1; })(load, inputs, outputs);
  };
  // How many of twelve requests fail when a device is gone, and whether the session has learned its speed before.
  const auto failures_of = [&](const Session& session) {
    const int64_t planned_ns = session.replicas()[0].typical_ns;
    for (int i = 0; i < 3; ++i) EXPECT_THAT(session.run({{testing::row_of(1)}}), IsOk());
    const bool learned = session.replicas()[0].typical_ns != planned_ns;
    gone = true;
    int failed = 0;
    for (int i = 0; i < 12; ++i) failed += session.run({{testing::row_of(1)}}).ok() ? 0 : 1;
    gone = false;
    return std::pair(failed, learned);
  };
  const Lock made = lock();
  SessionOptions options;
  options.runtime = runtime_;
  options.policy = request_.policy;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session moving, Session::create(*model_, options));
  EXPECT_EQ(failures_of(moving), std::pair(0, true));
  EXPECT_TRUE(moving.replicas()[0].left_out);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session locked, load(made));
  EXPECT_EQ(failures_of(locked), std::pair(12, false));
  EXPECT_FALSE(locked.replicas()[0].left_out);
}

TEST_F(LockCheckTest, ASessionWritesTheLockItRunsBy) {
  SessionOptions options;
  options.runtime = runtime_;
  options.policy = request_.policy;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(*model_, options));
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock written, session.lock());
  EXPECT_EQ(written.plan.digest(), session.plan().digest());
  EXPECT_THAT(load(written), IsOk());
}

}  // namespace
}  // namespace axle
