#include <gmock/gmock.h>

#include "axle/bench.h"
#include "axle/explain.h"
#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

BenchReport example_report() {
  BenchReport report;
  report.latency = {.calls = 5000, .p50_ns = 2000, .p95_ns = 3000, .p99_ns = 4000, .min_ns = 1000, .mean_ns = 2100};
  report.throughput_per_s = 500;
  BenchRival rival;
  rival.engine = "other";
  rival.candidate = "other@cpu:0/f32/t1/default";
  rival.latency = {.calls = 10, .p50_ns = 2500};
  rival.ratio = 1.25;
  rival.ratio_low = 1.2;
  rival.ratio_high = 1.3;
  rival.pairs = 12;
  rival.verdict = "slower";
  BenchRival absent;
  absent.engine = "absent";
  absent.failure = unavailable_error("is not installed");
  absent.verdict = "failed";
  report.rivals = {rival, absent};
  report.notes = {"inputs were generated"};
  return report;
}

TEST(BenchText, ShowsTheRatioWithItsIntervalAndWhatFailed) {
  const std::string text = render_bench_text(example_report(), {.width = 160});
  for (const char* part :
       {"1.250x [1.200, 1.300]", "slower", "is not installed", "500.0 calls/s", "note: inputs were generated"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, Not(HasSubstr("uncertain")));
}

TEST(BenchText, SaysWhichPercentilesAreUncertain) {
  BenchReport report = example_report();
  report.latency.calls = 412;
  EXPECT_THAT(render_bench_text(report, {}), HasSubstr("(uncertain: 412 calls, 1000 wanted)"));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string json, render_bench_json({}, report));
  EXPECT_THAT(json, HasSubstr("\"uncertain\":[\"p99\"]"));
}

TEST(BenchJson, HasTheKeysOfTheContract) {
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string json, render_bench_json({}, example_report()));
  for (const char* part : {"\"p50\":2", "\"p99\":4", "\"uncertain\":[]", "\"throughput_per_s\":500", "\"ratio\":1.25",
                           "\"interval\":[1.2,1.3]", "\"p50_us\":2.5", "\"code\":\"UNAVAILABLE\"", "\"ratio\":null"}) {
    EXPECT_THAT(json, HasSubstr(part));
  }
}

}  // namespace
}  // namespace axle
