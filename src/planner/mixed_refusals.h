// Why a mixed plan cannot be made, node by node and pin by pin, and what could be had instead.
#pragma once

#include <string>
#include <vector>

#include "planner/cut_units.h"
#include "planner/mixed_plan.h"
#include "planner/part_places.h"

namespace axle {

Decision mixed_rejection(std::string candidate, std::string code, const std::string& reason,
                         std::vector<NodeReason> nodes = {});

// For units that no place takes: one decision on mixing, and one for each pin that has a part in it.
std::vector<Decision> explain_uncovered(const PlanningContext& context, const std::vector<PartPlace>& places,
                                        const CutUnits& units, const std::vector<int32_t>& uncovered);
// Every unit has a place, but no plan with two places was found; `whole`: one with a single place was.
Decision explain_no_cut(bool whole);
// Weights of one node at a precision.
uint64_t weight_bytes(const ModelFacts& model, int32_t node, const std::string& precision);
// A resource whose memory has no room for the weights of its parts, as a reason; "" = there is none. Core sets share their
// processor's memory, and every prepared shape holds weights of its own.
std::string overfull(const PlanningContext& context, const MixedPlan& mixed);
// The first reason why these nodes do not run as demanded; "" when there is none.
std::string why_not_demanded(const PlanningContext& context, const std::vector<PartPlace>& places,
                             const std::vector<int32_t>& nodes);

}  // namespace axle
