#include "runtime/measuring/paired_stats.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace axle {
namespace {

constexpr int32_t kFewestPairs = 4;
constexpr int kResamples = 1000;
constexpr double kTieLow = 0.99;
constexpr double kTieHigh = 1.01;

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const size_t middle = values.size() / 2;
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle), values.end());
  const double upper = values[middle];
  if (values.size() % 2 == 1) return upper;
  return (*std::max_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(middle)) + upper) / 2;
}

int64_t quantile(std::vector<int64_t> values, double q) {
  if (values.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(q * static_cast<double>(values.size())));
  const size_t index = std::min(values.size() - 1, rank == 0 ? 0 : rank - 1);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index), values.end());
  return values[index];
}

RatioInterval paired_ratio(std::span<const double> base_ns, std::span<const double> rival_ns, uint64_t seed) {
  RatioInterval result;
  const size_t count = std::min(base_ns.size(), rival_ns.size());
  std::vector<double> logs;
  for (size_t i = 0; i < count; ++i) {
    if (base_ns[i] > 0 && rival_ns[i] > 0) logs.push_back(std::log(rival_ns[i] / base_ns[i]));
  }
  result.pairs = static_cast<int32_t>(logs.size());
  if (logs.empty()) return result;
  result.ratio = std::exp(median(logs));
  if (result.pairs < kFewestPairs) return result;

  std::mt19937_64 random(seed);
  std::vector<double> medians(kResamples);
  std::vector<double> sample(logs.size());
  for (double& value : medians) {
    for (double& drawn : sample) drawn = logs[random() % logs.size()];
    value = median(sample);
  }
  std::sort(medians.begin(), medians.end());
  result.low = std::exp(medians[static_cast<size_t>(0.025 * kResamples)]);
  result.high = std::exp(medians[static_cast<size_t>(0.975 * kResamples) - 1]);
  return result;
}

Comparison compare(const RatioInterval& interval) {
  if (interval.high <= 0) return Comparison::kUndecided;
  if (interval.low >= kTieLow && interval.high <= kTieHigh) return Comparison::kTie;
  if (interval.low > 1) return Comparison::kRivalSlower;
  if (interval.high < 1) return Comparison::kRivalFaster;
  return Comparison::kUndecided;
}

}  // namespace axle
