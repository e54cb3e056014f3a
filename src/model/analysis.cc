#include "model/analysis.h"

#include "model/cost.h"
#include "model/infer.h"

namespace axle {

void analyse_graph(Graph& graph) {
  if (graph.source == nullptr) return;
  check_operators(graph);
  infer_values(graph);
  fill_costs(graph);
}

}  // namespace axle
