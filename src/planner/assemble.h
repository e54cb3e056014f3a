// From a chosen candidate to a partition and a plan.
#pragma once

#include <string>
#include <vector>

#include "planner/choose.h"

namespace axle {

// The whole model on one candidate, with complete options, core set and spin rule.
Partition make_partition(const PlanningContext& context, const Considered& considered);
// Copies between the caller and a device with memory of its own; none for host memory.
std::vector<Transfer> make_transfers(const PlanningContext& context, const Considered& considered);
// Lays parts that are numbered from 0 by themselves, and what crosses between them, behind those that the plan has.
void append_parts(std::vector<Partition> partitions, std::vector<Transfer> transfers, Plan& plan);
// What was wanted and what came instead, for every fallback of `demand`; `refused` holds the decisions on the demand as written.
std::vector<Substitution> make_substitutions(const PlanningContext& context, const Demand& demand, const Considered& chosen,
                                             const std::vector<Decision>& refused);
// What a user should know of this plan, one sentence each.
std::vector<std::string> make_notes(const PlanningContext& context, const Demand& demand, const Considered& chosen,
                                    bool replicas);

// A note for each thing that makes evidence stale: what no longer counts is never left out silently.
void note_stale_evidence(Plan& plan);

}  // namespace axle
