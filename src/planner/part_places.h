// Part places: where a part of the model may run, with the support mask of each.
#pragma once

#include <memory>
#include <vector>

#include "planner/support_mask.h"

namespace axle {

inline constexpr size_t kMaxPartPlaces = 8;

struct PartPlace {
  Considered on;   // the best threads and preset there, by evidence of the whole model, else the simplest
  SupportMask mask;
  bool fallback = false;
  std::string name() const { return on.place.name() + "/" + on.candidate.precision; }
};

struct PartPlaces {
  std::shared_ptr<const void> keeps;  // what the places point into
  std::vector<PartPlace> places;      // those of the first demand first, then the simpler; at most kMaxPartPlaces
};

// Every engine on every resource at every precision that passes the gates which do not judge a whole model.
Result<PartPlaces> find_part_places(const PlanningContext& context, const std::vector<Demand>& demands);

}  // namespace axle
