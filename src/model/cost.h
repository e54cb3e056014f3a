// Work and traffic of each node, from shapes: what a roofline estimate needs. Counts are of the operator as ONNX defines it,
// not of any engine's kernel.
#pragma once

#include "model/graph.h"

namespace axle {

// Fills flops, weight_bytes, activation_bytes and cost_exact of every node. Axes that are not known count as 1.
void fill_costs(Graph& graph);

}  // namespace axle
