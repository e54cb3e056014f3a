// Statistics of paired block timings: medians, bootstrap intervals of the log ratio, and the words they justify.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace axle {

// Median of `values`; 0 when empty. Even counts take the mean of the middle two.
double median(std::vector<double> values);
// Nearest-rank quantile, q in [0, 1]; 0 when empty.
int64_t quantile(std::vector<int64_t> values, double q);

struct RatioInterval {
  double ratio = 1;       // median of rival / base over the pairs
  double low = 0;         // 95 % bootstrap interval of that median
  double high = 0;        // 0 when there are too few pairs to say (fewer than 4)
  int32_t pairs = 0;
};

// base_ns[i] and rival_ns[i] are neighbours in time (one ABBA pair); spans of equal length, values > 0.
// Deterministic: resampling is seeded by `seed`.
RatioInterval paired_ratio(std::span<const double> base_ns, std::span<const double> rival_ns, uint64_t seed = 1);

enum class Comparison : uint8_t { kRivalSlower, kRivalFaster, kTie, kUndecided };
// Tie: the interval lies inside [0.99, 1.01]. Undecided: wider, and contains 1 or has too few pairs.
Comparison compare(const RatioInterval& interval);

}  // namespace axle
