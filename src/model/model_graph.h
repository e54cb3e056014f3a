// From the public Model to what planner, engines and runtime work on.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "axle/model.h"
#include "model/graph.h"

namespace axle {

// The analysed graph: constants folded into weights, functions inlined, types and shapes inferred, costs filled in.
// Made on the first call, then shared. Formats that are handed whole to an engine give a graph with 0 nodes.
Result<std::shared_ptr<const Graph>> graph_of(const Model& model);

// A copy of `graph` in which the named inputs have these shapes and everything that follows from them (value shapes,
// costs) is known. INVALID_ARGUMENT: no such input, or a shape that contradicts its declaration.
Result<std::shared_ptr<const Graph>> infer_shapes_for(const Graph& graph, const std::map<std::string, Shape>& input_shapes);
Result<std::shared_ptr<const Graph>> infer_shapes_for(const Model& model, const std::map<std::string, Shape>& input_shapes);

// What a warm start needs instead of reading the model: io specs, digest, files with stamps. Canonical JSON
// (docs/formats/model-record.md).
Result<std::string> model_record(const Model& model);
// A model whose graph is read only when asked for. ABORTED when a file's stamp differs from the record (or is too young
// to be trusted: load it instead), INVALID_ARGUMENT for a malformed record, NOT_FOUND.
Result<Model> open_recorded_model(const std::string& path, const std::string& record);

}  // namespace axle
