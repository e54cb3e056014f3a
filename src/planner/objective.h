// What a run takes of what the objective wants little of, besides time and memory: energy by counters where they were
// read, else by a declared model, money by the policy's prices. The latter two are rates of a resource times the run's time; a mixed plan
// adds up its parts.
#pragma once

#include <cstdint>
#include <string>

#include "planner/gates.h"

namespace axle {

// The objective is energy or cost.
bool by_rate(const PlanningContext& context);

// The row whose energy was read from counters; null where the objective is another or none was read.
const EvidenceRow* measured_energy(const PlanningContext& context, const Considered& considered);
// What one run of `time_ns` takes by rates: picojoules, or 10^-15 of the prices' unit. 0 = not known.
int64_t taken(const PlanningContext& context, const Considered& considered, int64_t time_ns);
// "12.3 mJ", "0.42 per million runs".
std::string taken_text(const PlanningContext& context, int64_t taken);
// What a plan under such an objective says of itself: by what the figure was made.
std::string rate_note(const PlanningContext& context, const Considered& chosen, int64_t taken);
// FAILED_PRECONDITION when it is known of none of them: nothing could be ordered.
Status check_rates(const PlanningContext& context, const std::vector<Considered>& admitted);
// Why it is not known, as a sentence's rest: "no profile gives the power of cpu:0".
std::string unknown_text(const PlanningContext& context, const Considered& considered);

// Most power drawn at one time by the candidate's resources, in milliwatts, by the declared model: parts that run one after the other
// take turns, the stages of a pipeline add up. 0 = not known.
int64_t drawn_milliwatts(const PlanningContext& context, const Considered& considered);

// Power of a resource while `threads` of it work, in milliwatts: the profile's, of a processor a third of it at idle and the rest
// by the cores at work. 0 = no profile gives it.
int64_t power_milliwatts(const PlanningContext& context, const Resource& resource, int32_t threads);

}  // namespace axle
