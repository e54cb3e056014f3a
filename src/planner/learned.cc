#include "planner/learned.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <set>
#include <vector>

namespace axle {
namespace {

__extension__ typedef __int128 Wide;

constexpr int64_t kForever = int64_t{1} << 61;  // as the cost model's
constexpr int32_t kMostCandidates = 1'000'000;

// Of an even number, the lower one of the two in the middle.
int64_t median(std::vector<int64_t> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// The binary logarithm of a number of at least 1, in units of 2^-32. Integers alone: every machine plans alike.
int64_t log2_fixed(int64_t number) {
  const int whole = std::bit_width(static_cast<uint64_t>(number)) - 1;
  uint64_t rest = (static_cast<uint64_t>(number) << (62 - whole)) >> 31;  // number / 2^whole, in units of 2^-31
  int64_t log = static_cast<int64_t>(whole) << 32;
  for (int bit = 31; bit >= 0; --bit) {
    rest = rest * rest >> 31;
    if (rest < uint64_t{1} << 32) continue;
    rest >>= 1;
    log |= int64_t{1} << bit;
  }
  return log;
}

// Nearer to the estimate as it is, by as much as one more model that runs in exactly its estimate would draw the mean of the logarithms:
// few models say little of another one.
int64_t shrunk(int64_t permille, int32_t models) {
  const int64_t as_estimated = log2_fixed(1000);
  const int64_t wanted = as_estimated + (log2_fixed(permille) - as_estimated) * models / (models + 1);
  int64_t low = 1, high = std::max<int64_t>(permille, 1000);
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (log2_fixed(middle) < wanted)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

// As far from 1 as three of four of the models are at least: where they lie on both sides, one says nothing of the next.
int64_t agreed(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  const size_t quarter = (values.size() - 1) / 4;
  const int64_t low = values[quarter], high = values[values.size() - 1 - quarter];
  return low > 1000 ? low : std::min<int64_t>(high, 1000);
}

template <typename Wanted>
Learned learn(const PlannerInput& input, int64_t (*summary)(std::vector<int64_t>), Wanted wanted) {
  Learned found;
  std::vector<int64_t> ratios;
  std::set<std::string_view> models;
  for (const EstimateRatio& ratio : input.estimate_ratios) {
    if (!wanted(ratio)) continue;
    ratios.push_back(ratio.permille);
    models.insert(ratio.model_digest);
    found.candidates = std::min(found.candidates + std::min(ratio.candidates, kMostCandidates), kMostCandidates);
  }
  if (ratios.empty()) return {};
  found.permille = std::max<int64_t>(summary(std::move(ratios)), 1);
  found.models = static_cast<int32_t>(models.size());
  return found;
}

}  // namespace

int64_t Learned::apply(int64_t estimate_ns) const {
  if (!known() || estimate_ns <= 0) return estimate_ns;
  const Wide wide = static_cast<Wide>(estimate_ns) * permille / 1000;
  return wide > kForever ? kForever : std::max<int64_t>(static_cast<int64_t>(wide), 1);
}

std::string Learned::text() const {
  if (!known()) return "";
  if (permille == 1000 && models > 1)
    return fmt::format("not scaled: {} measurements of {} models lie on both sides of their estimates", candidates, models);
  return fmt::format("scaled by {:.3g}, learned from {} measurement{} of {} model{}", static_cast<double>(permille) / 1000.0,
                     candidates, candidates == 1 ? "" : "s", models, models == 1 ? "" : "s");
}

Learned learned(const PlannerInput& input, std::string_view engine, ResourceKind kind, std::string_view precision) {
  if (input.policy.tuning.evidence == EvidenceUse::kIgnore) return {};
  const auto of = [&](bool own, bool any_precision) {
    return learn(input, own ? &median : &agreed, [&](const EstimateRatio& ratio) {
      return ratio.engine == engine && ratio.resource_kind == kind && (any_precision || ratio.precision == precision) &&
             (ratio.model_digest == input.model.digest) == own;
    });
  };
  if (const Learned own = of(true, false); own.known()) return own;
  if (Learned others = of(false, false); others.known()) {
    others.permille = shrunk(others.permille, others.models);
    return others;
  }
  return of(true, true);
}

}  // namespace axle
