// Cut units: the smallest pieces of a graph that may run in different places, and the tensors between them. Kept together are
// what only a whole can hand over (sequences, maps, optionals, tensors of unknown type), the draws of one random-number
// generator, an operator with the QuantizeLinear and DequantizeLinear around it, and what an engine wants as a group; with
// everything that lies on a way between. A node with subgraphs (If, Loop, Scan) is one node, so it stays whole.
#pragma once

#include <cstdint>
#include <vector>

#include "planner/cut_problem.h"
#include "spec/planner_input.h"

namespace axle {

struct CutUnits {
  std::vector<int32_t> unit_of;                // per node
  std::vector<std::vector<int32_t>> nodes;     // per unit, ascending; units are in a topological order
  std::vector<CutTensor> tensors;              // between units; those inside one, or never read, are left out
  std::vector<int32_t> facts_of;               // per tensor above: index in ModelFacts::tensors
};

// Draws random numbers.
bool is_random(const NodeFacts& node);

// `groups`: further nodes that stay together.
CutUnits make_cut_units(const ModelFacts& model, const std::vector<std::vector<int32_t>>& groups = {});

}  // namespace axle
