#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "axle/evidence_store.h"
#include "axle/session.h"
#include "axle/tune.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "base/text.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/runtime_state.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using testing::FakeEngine;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;
using namespace std::chrono_literals;

constexpr int64_t kMillisecond = 1'000'000;

// Values pass unchanged, later or sooner.
testing::FakeCompute after(std::chrono::microseconds delay, float shift = 0) {
  return [=](const testing::FakeLoad& load, std::span<const axle_tensor_t> inputs, std::span<testing::FakeOutput> outputs) {
    std::this_thread::sleep_for(delay);
    testing::elementwise([shift](float v) { return v + shift; })(load, inputs, outputs);
  };
}

class Tuner : public ::testing::Test {
 protected:
  void SetUp() override {
    hare().script().compute = after(1000us);
    tortoise().script().compute = after(1600us);
    folder_ = std::filesystem::temp_directory_path() / ("axle_tuner_test." + std::to_string(::getpid()));
    RuntimeOptions options;
    options.cache_folder = folder_;
    options.engines = {"hare", "tortoise"};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
    options_.budget_ns = 1500 * kMillisecond;
    options_.policy.execution.threads = 1;
  }
  void TearDown() override {
    testing::reset_fake("hare");
    testing::reset_fake("tortoise");
    runtime_.reset();
    std::filesystem::remove_all(folder_);
  }

  static FakeEngine& hare() { return testing::registered_fake("hare"); }
  static FakeEngine& tortoise() { return testing::registered_fake("tortoise"); }
  Result<TuneReport> measure() { return tune(*runtime_, *model_, options_); }
  static const TuneRow* row_of(const TuneReport& report, const std::string& start) {
    const auto found = std::find_if(report.rows.begin(), report.rows.end(),
                                    [&](const TuneRow& row) { return row.candidate.starts_with(start); });
    return found == report.rows.end() ? nullptr : &*found;
  }
  std::vector<EvidenceRow> evidence() {
    auto rows = runtime_->evidence()->find({.model_digest = model_->digest(), .candidate = {}, .machine = {}});
    return rows ? std::move(*rows) : std::vector<EvidenceRow>{};
  }

  std::filesystem::path folder_;
  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
  TuneOptions options_;
};

TEST_F(Tuner, ThroughputIsMeasuredWithSeveralCallers) {
  options_.policy.objective = Objective::kThroughput;
  options_.budget_ns = 10'000 * kMillisecond;  // a busy machine's blocks do not count
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  const TuneRow* hare = row_of(report, "hare@cpu:0/f32/t1/default");
  ASSERT_NE(hare, nullptr);
  EXPECT_GE(hare->callers, 2);
  EXPECT_GT(hare->throughput_per_s, 1000);  // one alone makes fewer: each call takes 1 ms
  const auto rows = evidence();
  const auto stream = std::find_if(rows.begin(), rows.end(), [](const EvidenceRow& row) {
    return row.key.concurrency > 1 && row.key.candidate.starts_with("hare");
  });
  ASSERT_NE(stream, rows.end());
  EXPECT_GE(stream->block_ns.size(), 3u);
  EXPECT_GE(stream->p50_ns, 1'000'000);           // a single call is no faster for it
  EXPECT_LT(stream->block_ns.front(), 900'000);   // a request is
  EXPECT_EQ(report.plan.partitions.front().candidate.engine, "hare");
  EXPECT_THAT(report.plan.notes, ::testing::Contains(HasSubstr("requests per second with")));
}

TEST_F(Tuner, ALatencyObjectiveMeasuresOneCallerOnly) {
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  for (const EvidenceRow& row : evidence()) EXPECT_EQ(row.key.concurrency, 1);
}

TEST_F(Tuner, APercentileInThePolicyIsGivenItsRuns) {
  hare().script().compute = after(100us);
  tortoise().script().compute = after(1000us);
  options_.policy.constraints.latency_p99_ns = 1'000'000'000;
  options_.budget_ns = 5000 * kMillisecond;
  const auto report = measure();
  if (!report.ok()) {
    EXPECT_THAT(report, StatusIs(StatusCode::kFailedPrecondition, "not enough evidence for latency_p99"));
    GTEST_SKIP() << "the machine was busy elsewhere: disturbed runs do not count";
  }
  EXPECT_EQ(report->plan.partitions.front().candidate.engine, "hare");
  const auto rows = evidence();
  EXPECT_TRUE(std::any_of(rows.begin(), rows.end(), [](const EvidenceRow& row) { return row.runs >= 1000 && row.p99_ns > 0; }));
}

TEST_F(Tuner, SaysHowEachRowStandsToWhatIsHere) {
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  std::vector<EvidenceRow> rows(5, evidence().front());
  rows[1].key.library_digest = "sha256:older";
  rows[1].made_with[rows[1].key.candidate.substr(0, rows[1].key.candidate.find('@'))] = "0.9";
  rows[2].recorded_unix_s -= int64_t{100} * 24 * 3600;
  rows[3].key.candidate = "ghost@cpu:0/f32/t1/default";
  rows[4].key.machine = rows[4].hardware = "sha256:there";
  AXLE_ASSERT_OK_AND_ASSIGN(const auto ages, evidence_ages(*runtime_, rows));
  ASSERT_EQ(ages.size(), rows.size());
  EXPECT_EQ(ages[0].standing, EvidenceStanding::kCounts) << ages[0].reason;
  EXPECT_EQ(ages[1].standing, EvidenceStanding::kStale);
  EXPECT_THAT(ages[1].reason, HasSubstr(" 0.9, "));
  EXPECT_EQ(ages[2].standing, EvidenceStanding::kOld);
  EXPECT_GE(ages[2].age_s, int64_t{100} * 24 * 3600);
  EXPECT_EQ(ages[3].standing, EvidenceStanding::kAbsent);
  EXPECT_THAT(ages[3].reason, HasSubstr("ghost"));
  EXPECT_EQ(ages[4].standing, EvidenceStanding::kElsewhere);
}

TEST_F(Tuner, FindsTheFasterEngineAndPlansWithIt) {
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  EXPECT_EQ(report.plan.partitions.front().candidate.engine, "hare");
  EXPECT_TRUE(report.plan.partitions.front().expected_from_evidence);
  const TuneRow* slower = row_of(report, "tortoise@cpu:0/f32/t1/default");
  ASSERT_NE(slower, nullptr);
  EXPECT_GT(slower->p50_ns, 1'500'000);
  EXPECT_GT(slower->ratio, 1.2);
  EXPECT_LT(report.elapsed_ns, 4 * options_.budget_ns);
}

TEST_F(Tuner, LeavesEvidenceThatTheNextPlanUses) {
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  const std::vector<EvidenceRow> rows = evidence();
  ASSERT_GE(rows.size(), 2);
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, runtime_->machine());
  for (const EvidenceRow& row : rows) {
    EXPECT_EQ(row.key.machine, machine.fingerprint());
    EXPECT_GT(row.p50_ns, 0);
    EXPECT_TRUE(row.error.has_value()) << row.key.candidate;
  }
  PlanRequest request;
  request.policy = options_.policy;
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanReport plan, make_plan(*runtime_, *model_, request));
  EXPECT_EQ(plan.plan.partitions.front().candidate.engine, "hare");
}

TEST_F(Tuner, EvidenceOfACoreSetIsFoundAgain) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, runtime_->machine());
  options_.policy.resources.split["cpu:0"] = {{machine.allowed_cpus.front()}};
  options_.policy.execution.targets = {"cpu:0/0"};
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  EXPECT_EQ(report.plan.partitions.front().candidate.resource, "cpu:0/0");
  EXPECT_TRUE(report.plan.partitions.front().expected_from_evidence);
}

// Guards: figures of one core counted for another, once the sets were listed the other way round.
TEST_F(Tuner, EvidenceOfACoreSetIsOfItsCores) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, runtime_->machine());
  if (machine.allowed_cpus.size() < 2) GTEST_SKIP() << "this machine gives one CPU only";
  const int32_t one = machine.allowed_cpus[0], other = machine.allowed_cpus[1];
  options_.policy.resources.split["cpu:0"] = {{one}, {other}};
  options_.policy.execution.targets = {"cpu:0/0"};
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  EXPECT_TRUE(report.plan.partitions.front().expected_from_evidence);
  PlanRequest request;
  request.policy = options_.policy;
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanReport same, make_plan(*runtime_, *model_, request));
  EXPECT_TRUE(same.plan.partitions.front().expected_from_evidence);
  request.policy.resources.split["cpu:0"] = {{other}, {one}};
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanReport swapped, make_plan(*runtime_, *model_, request));
  EXPECT_FALSE(swapped.plan.partitions.front().expected_from_evidence);
}

TEST_F(Tuner, AFailingCandidateIsARecordedFact) {
  tortoise().script().compute = [](const auto&, auto, auto) { throw kit::internal("the tortoise fell asleep"); };
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  const TuneRow* failed = row_of(report, "tortoise@cpu:0/f32/t1/default");
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->verdict, "failed");
  EXPECT_THAT(failed->reason, HasSubstr("fell asleep"));
  EXPECT_EQ(report.plan.partitions.front().candidate.engine, "hare");
  const auto& decisions = report.plan.decisions;
  const bool said = std::any_of(decisions.begin(), decisions.end(), [](const Decision& decision) {
    return decision.verdict == DecisionVerdict::kFailed && decision.reason.find("fell asleep") != std::string::npos;
  });
  EXPECT_TRUE(said);
}

// Guards: the remembered plan knew where the samples lie, and not what they are.
TEST_F(Tuner, OtherSamplesInTheSameFileAreJudgedAnew) {
  std::filesystem::create_directories(folder_);
  const std::string file = folder_ / "samples.npz";
  const auto save = [&](float value) {
    auto tensor = Tensor::allocate(DataType::kFloat32, {1, 4});
    std::ranges::fill(tensor->mutable_as<float>(), value);
    EXPECT_THAT(save_npz(file, std::vector<NamedTensor>{{"x", std::move(*tensor)}}), IsOk());
  };
  save(1);
  options_.policy.accuracy.samples = file;
  options_.policy.accuracy.max_relative_error = 0.1;
  options_.policy.execution.precisions = {"bf16"};
  ASSERT_THAT(measure(), IsOk());
  PlanRequest request;
  request.policy = options_.policy;
  ASSERT_THAT(make_plan(*runtime_, *model_, request), IsOk());
  ASSERT_THAT(make_plan(*runtime_, *model_, request), IsOk());
  save(2);
  EXPECT_THAT(make_plan(*runtime_, *model_, request), StatusIs(StatusCode::kFailedPrecondition, "has not been measured on"));
  save(1);
  EXPECT_THAT(make_plan(*runtime_, *model_, request), IsOk());
}

TEST_F(Tuner, WhatFailedBeforeIsTriedAgain) {
  tortoise().script().compute = [](const auto&, auto, auto) { throw kit::internal("the tortoise fell asleep"); };
  ASSERT_THAT(measure(), IsOk());
  tortoise().script().compute = after(100us);
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  const TuneRow* awake = row_of(report, "tortoise@cpu:0/f32/t1/default");
  ASSERT_NE(awake, nullptr);
  EXPECT_GT(awake->p50_ns, 0);
  EXPECT_EQ(report.plan.partitions.front().candidate.engine, "tortoise");
}

TEST_F(Tuner, AFailureOfTheMomentIsNoEvidence) {
  for (const int32_t code : {AXLE_RESOURCE_EXHAUSTED, AXLE_UNAVAILABLE}) {
    tortoise().script().compute = [code](const auto&, auto, auto) { throw kit::Error(code, "not just now"); };
    AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
    const TuneRow* failed = row_of(report, "tortoise@cpu:0/f32/t1/default");
    ASSERT_NE(failed, nullptr);
    EXPECT_EQ(failed->verdict, "failed");
    for (const EvidenceRow& row : evidence()) EXPECT_EQ(row.kind, EvidenceKind::kMeasured) << row.failure_text;
  }
}

// Guards: rows of a build that is gone scaled the estimates of the one that is here.
TEST_F(Tuner, WhatIsLearnedIsOfTheEnginesThatAreHere) {
  ASSERT_THAT(measure(), IsOk());
  const auto learned = [&] {
    PlanRequest request;
    request.policy = options_.policy;
    const auto input = collect_planner_input(*runtime_, *model_, request);
    EXPECT_THAT(input, IsOk());
    return input ? input->estimate_ratios : std::vector<EstimateRatio>{};
  };
  const std::vector<EstimateRatio> before = learned();
  ASSERT_FALSE(before.empty());
  std::vector<EvidenceRow> rows = evidence();
  for (EvidenceRow& row : rows) {
    row.key.library_digest = "sha256:older";
    row.recorded_unix_s += 10;
    row.p50_ns *= 1000;
  }
  ASSERT_THAT(runtime_->evidence()->append(rows), IsOk());
  EXPECT_EQ(learned(), before);
}

TEST_F(Tuner, ErrorsAreJudgedAgainstTheReference) {
  tortoise().script().compute = after(100us, 0.5F);
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  const TuneRow* one = row_of(report, "tortoise@cpu:0/f32/t1/default");
  const TuneRow* other = row_of(report, "hare@cpu:0/f32/t1/default");
  ASSERT_TRUE(one != nullptr && other != nullptr && one->error && other->error);
  // One of the two is the reference itself; the other one is off by a half.
  EXPECT_GT(std::max(one->error->max_relative, other->error->max_relative), 0.01);
}

TEST_F(Tuner, WhatBreaksTheBoundIsNotRaced) {
  // The reference is the simpler of equals, by name: hare.
  tortoise().script().compute = after(100us, 0.5F);
  options_.policy.accuracy.max_relative_error = 1e-3;
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  const TuneRow* gated = row_of(report, "tortoise@cpu:0/f32/t1/default");
  ASSERT_NE(gated, nullptr);
  EXPECT_EQ(gated->verdict, "gated");
  EXPECT_THAT(gated->reason, HasSubstr("max relative error"));
  EXPECT_EQ(gated->blocks, 0);
  EXPECT_EQ(report.plan.partitions.front().candidate.engine, "hare");
}

TEST_F(Tuner, CancelEndsItWithoutEvidenceLost) {
  options_.budget_ns = 60'000 * kMillisecond;
  options_.cancel = CancelToken();
  std::string measured;
  options_.progress = [&](const TuneReport& report) {
    for (const TuneRow& row : report.rows) {
      if (row.p50_ns > 0) measured = row.candidate;
    }
    if (!measured.empty()) options_.cancel.cancel();
  };
  const auto started = std::chrono::steady_clock::now();
  EXPECT_THAT(measure(), StatusIs(StatusCode::kCancelled));
  EXPECT_LT(std::chrono::steady_clock::now() - started, 20s);
  const std::vector<EvidenceRow> rows = evidence();
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].key.candidate, measured);
  EXPECT_EQ(rows[0].kind, EvidenceKind::kMeasured);
  EXPECT_GE(rows[0].p50_ns, 1'000'000);
}

// The cores were once seen far faster than they can be: every block is disturbed, as beside a neighbour that never rests.
TEST_F(Tuner, SaysThatTheMachineIsNoisyAndStillGivesFigures) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, runtime_->machine());
  std::string speeds;
  for (const int32_t cpu : machine.allowed_cpus) speeds += std::to_string(cpu) + " 1\n";
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string boot, read_file("/proc/sys/kernel/random/boot_id", 64));
  runtime_->state().remember("core-speeds", std::string(trim(boot)), speeds);
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  EXPECT_TRUE(report.noisy_machine);
  EXPECT_THAT(report.notes, ::testing::Contains(HasSubstr("the machine was busy elsewhere in every block")));
  const TuneRow* hare = row_of(report, "hare@cpu:0/f32/t1/default");
  ASSERT_NE(hare, nullptr);
  EXPECT_GT(hare->disturbed_blocks, 0);
  EXPECT_GE(hare->p50_ns, 1'000'000);
}

TEST_F(Tuner, ABudgetOfNothingIsRefused) {
  options_.budget_ns = 0;
  EXPECT_THAT(measure(), StatusIs(StatusCode::kInvalidArgument, "budget"));
}

// Guards: a budget that loading alone had used up left no evidence at all.
TEST_F(Tuner, ABudgetTooShortForAnythingStillMeasuresOne) {
  options_.budget_ns = 1;
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  EXPECT_EQ(report.rows.front().verdict, "winner");
  EXPECT_GT(report.rows.front().p50_ns, 0);
  EXPECT_EQ(report.rows.back().verdict, "not_measured");
}

TEST_F(Tuner, WhatThePolicyRejectsIsNotMeasured) {
  options_.policy.engines.deny = {"hare"};
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, measure());
  EXPECT_EQ(row_of(report, "hare"), nullptr);
  options_.policy.engines.deny = {"hare", "tortoise"};
  EXPECT_THAT(measure(), StatusIs(StatusCode::kFailedPrecondition));
}

TEST_F(Tuner, ASessionWithATuningBudgetMeasuresOnceAndOnlyOnce) {
  SessionOptions session_options;
  session_options.runtime = runtime_;
  session_options.policy = options_.policy;
  session_options.policy.tuning.budget_ns = 800 * kMillisecond;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session first, Session::create(*model_, session_options));
  EXPECT_EQ(first.plan().partitions.front().candidate.engine, "hare");
  EXPECT_TRUE(first.plan().partitions.front().expected_from_evidence);
  const size_t rows = evidence().size();
  EXPECT_GE(rows, 2);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session second, Session::create(*model_, session_options));
  EXPECT_EQ(evidence().size(), rows);
}

}  // namespace
}  // namespace axle
