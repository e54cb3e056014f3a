#include <gmock/gmock.h>

#include "axle/explain.h"

namespace axle {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

Plan plan_on(const std::string& engine) {
  Plan plan;
  plan.partitions.resize(1);
  plan.partitions.front().candidate.engine = engine;
  plan.partitions.front().candidate.resource = "cpu:0";
  return plan;
}

TEST(KernelsText, SaysWhereTheTimeWentAndSumsUpTheRest) {
  std::vector<KernelTime> times = {{"/conv", 0, 6'000'000, 1}};
  for (int i = 0; i < 20; ++i) times.push_back({"/small_" + std::to_string(i), 0, 200'000, 2});
  const std::string text = render_kernels_text(times, plan_on("fast"), {});
  EXPECT_THAT(text, AllOf(HasSubstr("6.00 ms"), HasSubstr("60.0 %"), HasSubstr("fast@cpu:0"), HasSubstr("/conv")));
  EXPECT_THAT(text, AllOf(HasSubstr("/small_10"), Not(HasSubstr("/small_11")), HasSubstr("9 more"), HasSubstr("1.80 ms")));
  TextStyle all;
  all.verbose = true;
  EXPECT_THAT(render_kernels_text(times, plan_on("fast"), all), AllOf(HasSubstr("/small_19"), Not(HasSubstr(" more"))));
}

TEST(KernelsText, AnEngineThatTellsNothingIsSaid) {
  EXPECT_EQ(render_kernels_text({}, plan_on("mute"), {}), "the engine told of no kernels\n");
}

}  // namespace
}  // namespace axle
