// Everything that is computed over a graph once it is read: types, shapes, costs, odd operators.
#pragma once

#include "model/graph.h"

namespace axle {

// In place. Registers operator schemas. Whatever cannot be found out stays unknown and is said in graph.issues.
void analyse_graph(Graph& graph);

}  // namespace axle
