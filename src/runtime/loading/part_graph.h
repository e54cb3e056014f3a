// What an engine is handed of a model: the graph of a partition, its axes fixed.
#pragma once

#include <memory>
#include <string>

#include "axle/model.h"
#include "axle/plan.h"
#include "engine/engine.h"

namespace axle {

// Whole models are their own graph; parts the subgraph that is cut out for them; both after axes were fixed. INVALID_ARGUMENT: the plan
// names nodes or axes that the model lacks.
Result<std::shared_ptr<const Graph>> part_graph(const Model& model, const Partition& part);

// That graph as this engine takes it there: large weights stay in the model's file where the engine's capability lists the format
// "onnx-external" (docs/formats/engine-answers.md), else a part holds them.
Result<std::shared_ptr<const GraphIndex>> graph_for_engine(const Engine& engine, const std::string& resource,
                                                           std::shared_ptr<const Graph> graph);

}  // namespace axle
