#include "runtime/measuring/paired_stats.h"

#include <gtest/gtest.h>

#include <random>

namespace axle {
namespace {

std::vector<double> noisy(double centre, double spread, size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> noise(0, spread);
  std::vector<double> values(count);
  for (double& value : values) value = centre * std::exp(noise(random));
  return values;
}

TEST(Median, OfOddEvenAndEmpty) {
  EXPECT_EQ(median({3, 1, 2}), 2);
  EXPECT_EQ(median({4, 1, 2, 3}), 2.5);
  EXPECT_EQ(median({}), 0);
}

TEST(Quantile, IsNearestRank) {
  EXPECT_EQ(quantile({10, 20, 30, 40}, 0.5), 20);
  EXPECT_EQ(quantile({10, 20, 30, 40}, 0.99), 40);
  EXPECT_EQ(quantile({10, 20, 30, 40}, 0), 10);
  EXPECT_EQ(quantile({}, 0.5), 0);
}

TEST(PairedRatio, CancelsNoiseThatBothSidesShare) {
  // Both sides drift by 4x together; their ratio stays 1.1.
  std::vector<double> base = noisy(1000, 0.5, 40, 7);
  std::vector<double> rival;
  for (double value : base) rival.push_back(value * 1.1);
  const RatioInterval interval = paired_ratio(base, rival);
  EXPECT_NEAR(interval.ratio, 1.1, 1e-9);
  EXPECT_EQ(compare(interval), Comparison::kRivalSlower);
  EXPECT_EQ(compare(paired_ratio(rival, base)), Comparison::kRivalFaster);
}

TEST(PairedRatio, SaysUndecidedWhenTheIntervalHoldsOne) {
  const std::vector<double> base(12, 1000.0);
  std::vector<double> rival;
  for (int i = 0; i < 12; ++i) rival.push_back(i % 2 == 0 ? 800 : 1250);
  const RatioInterval interval = paired_ratio(base, rival);
  EXPECT_LT(interval.low, 1);
  EXPECT_GT(interval.high, 1);
  EXPECT_EQ(compare(interval), Comparison::kUndecided);
}

TEST(PairedRatio, SaysTieWhenTheIntervalIsNarrowAroundOne) {
  const RatioInterval interval = paired_ratio(noisy(1000, 0.004, 60, 1), noisy(1000, 0.004, 60, 2));
  EXPECT_EQ(compare(interval), Comparison::kTie);
}

TEST(PairedRatio, GivesNoIntervalForFewPairs) {
  const std::vector<double> three(3, 1000.0);
  EXPECT_EQ(paired_ratio(three, three).high, 0);
  EXPECT_EQ(compare(paired_ratio(three, three)), Comparison::kUndecided);
}

TEST(PairedRatio, IsDeterministic) {
  const auto a = noisy(1000, 0.1, 30, 3);
  const auto b = noisy(1100, 0.1, 30, 4);
  EXPECT_EQ(paired_ratio(a, b).low, paired_ratio(a, b).low);
}

}  // namespace
}  // namespace axle
