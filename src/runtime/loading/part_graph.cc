#include "runtime/loading/part_graph.h"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "model/bind_axes.h"
#include "model/extract.h"
#include "model/model_graph.h"
#include "model/share_weights.h"

namespace axle {
namespace {

constexpr const char* kExternalFormat = "onnx-external";

Result<std::vector<NodeId>> node_ids(const Graph& graph, const std::vector<std::string>& names) {
  std::unordered_map<std::string_view, NodeId> by_name;
  for (size_t i = 0; i < graph.nodes.size(); ++i) by_name.emplace(graph.nodes[i].name, static_cast<NodeId>(i));
  std::vector<NodeId> ids;
  for (const std::string& name : names) {
    const auto found = by_name.find(name);
    if (found == by_name.end())
      return invalid_argument_error("the plan names the node '" + name + "', which the model does not have");
    ids.push_back(found->second);
  }
  return ids;
}

// One that cannot say what it takes there is handed what every engine takes.
bool takes_external_data(const Engine& engine, const std::string& resource) {
  const auto capability = engine.capability(resource);
  return capability.has_value() && std::ranges::find(capability->formats, kExternalFormat) != capability->formats.end();
}

}  // namespace

Result<std::shared_ptr<const Graph>> part_graph(const Model& model, const Partition& part) {
  AXLE_ASSIGN_OR_RETURN(std::shared_ptr<const Graph> graph, graph_of(model));
  if (!part.axes.empty()) {
    AXLE_ASSIGN_OR_RETURN(graph, bind_axes(*graph, part.axes));
  }
  if (!part.nodes.empty()) {
    AXLE_ASSIGN_OR_RETURN(const std::vector<NodeId> ids, node_ids(*graph, part.nodes));
    // Another part may compute the same constants for itself: what this one hands out is the plan's to say.
    AXLE_ASSIGN_OR_RETURN(graph, extract_graph(*graph, ids, {.outputs = part.outputs}));
  }
  return graph;
}

Result<std::shared_ptr<const GraphIndex>> graph_for_engine(const Engine& engine, const std::string& resource,
                                                           std::shared_ptr<const Graph> graph) {
  // A whole model on disk is handed over as its file.
  if (graph->path.empty() && takes_external_data(engine, resource)) graph = share_weights(std::move(graph));
  return GraphIndex::create(std::move(graph));
}

}  // namespace axle
