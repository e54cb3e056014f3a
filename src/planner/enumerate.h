// Enumeration: every engine x resource x precision x preset x thread count, each either admitted or decided against.
#pragma once

#include <string>
#include <vector>

#include "planner/gates.h"

namespace axle {

struct Field {
  std::vector<Considered> admitted;     // passed every gate
  std::vector<Considered> pipelines;    // one at most: passed, and stands beside the admitted under "auto"
  std::vector<Considered> measurable;   // passed, or only lacks evidence
  std::vector<Decision> decisions;      // rejections, of engines and resources too
};

// Adds everything of `more`.
void append(Field more, Field& field);

// INVALID_ARGUMENT: an option of the policy that an engine does not have, or outside its domain.
Result<Field> enumerate(const PlanningContext& context, const Demand& demand);

// Puts it through the candidate gates: it is admitted, or a decision says why not.
void judge(const PlanningContext& context, const Demand& demand, Considered considered, Field& field);

// What evidence says of a candidate, for its decision.
std::optional<EvidenceSummary> summarise(const PlanningContext& context, const Considered& considered);

// Evidence of 90 days and more counts, and is said to be old.
inline constexpr const char* kOldReason = "more than 90 days old; it counts all the same";
// What has changed since the candidate's outdated evidence was recorded; there must be some.
std::string outdated_reason(const PlanningContext& context, const Considered& considered);

}  // namespace axle
