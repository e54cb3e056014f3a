#include "planner/learned.h"

#include <fmt/format.h>

#include <algorithm>
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

template <typename Wanted>
Learned learn(const PlannerInput& input, Wanted wanted) {
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
  found.permille = std::max<int64_t>(median(std::move(ratios)), 1);
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
  return fmt::format("scaled by {:.3g}, learned from {} measurement{} of {} model{}", static_cast<double>(permille) / 1000.0,
                     candidates, candidates == 1 ? "" : "s", models, models == 1 ? "" : "s");
}

Learned learned(const PlannerInput& input, std::string_view engine, ResourceKind kind, std::string_view precision) {
  if (input.policy.tuning.evidence == EvidenceUse::kIgnore) return {};
  for (const bool any_precision : {false, true}) {
    for (const bool own : {true, false}) {
      const Learned found = learn(input, [&](const EstimateRatio& ratio) {
        return ratio.engine == engine && ratio.resource_kind == kind && (any_precision || ratio.precision == precision) &&
               (ratio.model_digest == input.model.digest) == own;
      });
      if (found.known()) return found;
    }
  }
  return {};
}

}  // namespace axle
