// What parts and their borders cost in each place, for the search of cuts.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/cost_model.h"
#include "planner/part_places.h"

namespace axle {

inline constexpr int64_t kPartNs = 10'000;        // calling one engine more, its threads woken
inline constexpr int64_t kUnknownNodeNs = 1'000;  // of a resource that nothing is known of
inline constexpr int64_t kLongestNodeNs = int64_t{1} << 40;

bool has_own_memory(const Resource& resource);

// A tensor crossing the border of a part there, one way; kNoWay when the engine does not hand over its type.
int64_t crossing_ns(const PlanningContext& context, const PartPlace& place, const TensorFacts& tensor, bool into);

Roofline place_roofline(const PlanningContext& context, const Considered& on);

// Estimates of one place, scaled so that they add up to what the whole model was measured to take there, or as other models' were.
struct PlaceScale {
  int64_t measured_ns = 0;
  int64_t estimated_ns = 0;
  bool known() const { return measured_ns > 0 && estimated_ns > 0; }
  int64_t apply(int64_t ns) const;
};

// One per place: by what this model took there; where it was measured nowhere on that resource, by what was learned of the engine from
// other models. A place of which neither is known counts as fast as the fastest of its resource: not knowing is no reason to choose it.
std::vector<PlaceScale> place_scales(const PlanningContext& context, const std::vector<PartPlace>& places);

}  // namespace axle
