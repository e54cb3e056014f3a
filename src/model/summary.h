// ModelSummary of an analysed graph.
#pragma once

#include "axle/model.h"
#include "model/graph.h"
#include "model/inspect.h"

namespace axle {

ModelSummary summarise(const Graph& graph, ModelFormat format, const Inspection& inspection);

}  // namespace axle
