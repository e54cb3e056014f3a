// Demand: what a plan must satisfy, and the relaxations of it that the policy allows by name.
#pragma once

#include <string>
#include <vector>

#include "axle/plan.h"
#include "axle/policy.h"

namespace axle {

struct Demand {
  std::vector<std::string> targets;     // selectors; empty = any resource
  std::vector<std::string> group;       // ids of the resources that one replica is cut over; empty = any
  std::vector<std::string> engines;     // empty = any that is not denied
  std::vector<std::string> precisions;  // empty = the model's own, or what the accuracy bound admits
  std::vector<std::string> allowed_by;  // policy keys of the fallbacks taken: "fallback.resource"
  bool resource_relaxed = false;
  bool engine_relaxed = false;
  bool precision_relaxed = false;
};

// The demand as the policy writes it, then the allowed fallbacks, the smallest change first. A fallback exists only for
// something that was demanded, and only to what its list names.
std::vector<Demand> demands_of(const Policy& policy);

}  // namespace axle
