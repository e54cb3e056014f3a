// A copy of the model, planned as if it were the model: in its own arithmetic, with the engines' answers for its graph. What was measured
// of the model says nothing of its parts.
#pragma once

#include "planner/context.h"

namespace axle {

struct CopyGround {
  CopyGround(const PlanningContext& whole, const VariantGraph& graph, const VariantFacts& facts)
      : variant(facts), input(input_of(whole.input, graph)), context(input, whole.machine) {}

  static PlannerInput input_of(const PlannerInput& whole, const VariantGraph& graph) {
    PlannerInput input = whole;
    input.model = graph.model;
    input.verdicts = graph.verdicts;
    input.variants.clear();
    input.variant_verdicts.clear();
    input.variant_graphs.clear();
    input.evidence.clear();
    return input;
  }

  const VariantFacts& variant;
  PlannerInput input;
  PlanningContext context;
};

}  // namespace axle
