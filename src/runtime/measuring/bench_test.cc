#include "axle/bench.h"

#include <gmock/gmock.h>

#include <chrono>
#include <thread>

#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using ::testing::Contains;
using testing::FakeEngine;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::StatusIs;
using namespace std::chrono_literals;

constexpr int64_t kMillisecond = 1'000'000;

// Two registered engines that live as long as the process, as registered engines must; scripts are set anew by each test.
class Bench : public ::testing::Test {
 protected:
  static FakeEngine& quick() { return testing::registered_fake("bench_quick"); }
  static FakeEngine& slow() { return testing::registered_fake("bench_slow"); }

  void SetUp() override {
    testing::reset_fake("bench_quick").script().run_delay = 200us;
    testing::reset_fake("bench_slow").script().run_delay = 600us;
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"bench_quick", "bench_slow"};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
    testing::ModelBuilder builder;
    builder.input("x", testing::kF32, {1, 4}).output("y", testing::kF32, {1, 4}).node("Relu", {"x"}, {"y"});
    AXLE_ASSERT_OK_AND_ASSIGN(model_, Model::from_bytes(testing::as_bytes(builder.serialise())));
    options_.policy.engines.allow = {"bench_quick"};
    options_.policy.execution.threads = 1;
    options_.duration_ns = 300 * kMillisecond;
  }

  Result<BenchReport> measure() { return bench(*runtime_, *model_, options_); }

  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
  BenchOptions options_;
};

TEST_F(Bench, ReportsADistributionThatIsInOrder) {
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport report, measure());
  EXPECT_GE(report.latency.min_ns, 200'000);
  EXPECT_LE(report.latency.min_ns, report.latency.p50_ns);
  EXPECT_LE(report.latency.p50_ns, report.latency.p95_ns);
  EXPECT_LE(report.latency.p95_ns, report.latency.p99_ns);
  EXPECT_GT(report.latency.calls, 20);
  EXPECT_GT(report.throughput_per_s, 100);
  EXPECT_LT(report.throughput_per_s, 5000);
  EXPECT_GT(report.first_run_ns, 0);
  EXPECT_THAT(report.notes, Contains(HasSubstr("inputs were generated")));
  EXPECT_THAT(report.rivals, IsEmpty());
}

TEST_F(Bench, KeepsToTheDuration) {
  const auto started = std::chrono::steady_clock::now();
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport report, measure());
  EXPECT_GE(report.elapsed_ns, options_.duration_ns);
  EXPECT_LT(report.elapsed_ns, 5 * options_.duration_ns);
  EXPECT_LT(std::chrono::steady_clock::now() - started, 10s);
}

TEST_F(Bench, SaysWhichPercentilesAreUncertain) {
  quick().script().run_delay = 30ms;
  options_.duration_ns = 100 * kMillisecond;
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport report, measure());
  EXPECT_FALSE(report.latency.p95_certain());
  EXPECT_FALSE(report.latency.p99_certain());
}

TEST_F(Bench, ManyCallersRaiseThroughputWhenCallsOnlyWait) {
  quick().script().run_delay = 2ms;
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport one, measure());
  options_.callers = 4;
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport four, measure());
  EXPECT_EQ(four.callers, 4);
  EXPECT_GT(four.throughput_per_s, 2 * one.throughput_per_s);
}

TEST_F(Bench, ComparesInPairsWithTheRatioTheirsOverOurs) {
  options_.duration_ns = 800 * kMillisecond;
  options_.compare = {"bench_slow", "bench_slow"};
  quick().script().run_delay = 1ms;
  slow().script().run_delay = 3ms;
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport report, measure());
  ASSERT_EQ(report.rivals.size(), 1u);
  const BenchRival& rival = report.rivals[0];
  ASSERT_THAT(rival.failure, IsOk());
  EXPECT_EQ(rival.candidate, "bench_slow@cpu:0/f32/t1/default");
  EXPECT_GT(rival.latency.p50_ns, 3 * kMillisecond);
  // On a machine that others keep busy no pair may count; then nothing is claimed.
  if (rival.pairs == 0) GTEST_SKIP() << "every block was disturbed";
  EXPECT_GT(rival.ratio, 1.5);
  EXPECT_LT(rival.ratio, 6);
  if (rival.ratio_high > 0) {
    EXPECT_EQ(rival.verdict, "slower");
    EXPECT_LE(rival.ratio_low, rival.ratio);
    EXPECT_GE(rival.ratio_high, rival.ratio);
  } else {
    EXPECT_EQ(rival.verdict, "undecided");
    EXPECT_THAT(report.notes, Contains(HasSubstr("too few for an interval")));
  }
}

TEST_F(Bench, ComparingWithTheChosenCandidateIsSaid) {
  options_.compare = {"bench_quick"};
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport report, measure());
  EXPECT_THAT(report.notes, Contains(HasSubstr("its ratio shows the noise")));
}

TEST_F(Bench, ARivalThatCannotRunTheModelHasItsReason) {
  slow().fail("load", 1, AXLE_UNIMPLEMENTED, "no kernel for Relu");
  options_.compare = {"bench_slow"};
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport report, measure());
  ASSERT_EQ(report.rivals.size(), 1u);
  EXPECT_EQ(report.rivals[0].verdict, "failed");
  EXPECT_THAT(report.rivals[0].failure.to_string(), HasSubstr("no kernel for Relu"));
  EXPECT_GT(report.latency.calls, 0);
}

TEST_F(Bench, ARivalThatFailsMidRunStopsAloneAndOursGoesOn) {
  slow().fail("run", 100, AXLE_INTERNAL, "boom");
  options_.compare = {"bench_slow"};
  options_.duration_ns = 600 * kMillisecond;
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport report, measure());
  EXPECT_THAT(report.rivals[0].failure, StatusIs(StatusCode::kInternal, "boom"));
  EXPECT_GE(report.elapsed_ns, options_.duration_ns);
}

TEST_F(Bench, OurOwnFailureMidRunIsTheError) {
  quick().fail("run", 100, AXLE_INTERNAL, "boom");
  EXPECT_THAT(measure(), StatusIs(StatusCode::kInternal, "boom"));
  EXPECT_EQ(quick().live_contexts(), 0);
}

TEST_F(Bench, CancelEndsItBetweenCalls) {
  options_.duration_ns = 60'000 * kMillisecond;
  options_.cancel = CancelToken();
  const auto started = std::chrono::steady_clock::now();
  std::thread canceller([token = options_.cancel]() mutable {
    std::this_thread::sleep_for(100ms);
    token.cancel();
  });
  EXPECT_THAT(measure(), StatusIs(StatusCode::kCancelled));
  canceller.join();
  EXPECT_LT(std::chrono::steady_clock::now() - started, 10s);
}

TEST_F(Bench, RefusesWhatMakesNoSense) {
  options_.compare = {"bench_slwo"};
  EXPECT_THAT(measure(), StatusIs(StatusCode::kInvalidArgument, "did you mean 'bench_slow'"));
  options_.compare = {};
  options_.callers = 0;
  EXPECT_THAT(measure(), StatusIs(StatusCode::kInvalidArgument, "0 callers"));
  options_.callers = 1;
  options_.duration_ns = 0;
  EXPECT_THAT(measure(), StatusIs(StatusCode::kInvalidArgument, "duration"));
}

TEST_F(Bench, RecordsAfterwardsAndOnlyWhenAsked) {
  options_.duration_ns = 50 * kMillisecond;
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport plain, measure());
  EXPECT_FALSE(plain.recorded.has_value());
  options_.profile = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport report, measure());
  ASSERT_TRUE(report.recorded.has_value());
  EXPECT_EQ(report.recorded->plan().digest(), report.session->plan().digest());
}

}  // namespace
}  // namespace axle
