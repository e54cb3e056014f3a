// What the planner is told of a graph's edges.
#pragma once

#include "model/graph.h"
#include "spec/planner_input.h"

namespace axle {

// Fills tensors and shared_weights: sizes from `graph`, whose values hold the shapes that are judged, types with their symbols
// from `declared`, the same graph as the model declares it.
void add_graph_facts(const Graph& graph, const Graph& declared, ModelFacts& facts);

}  // namespace axle
