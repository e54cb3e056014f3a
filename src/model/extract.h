// Parts of a graph as graphs of their own: partitions, and single nodes for asking engines.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/graph.h"

namespace axle {

// Part of every key of something made from an extracted graph; grows when extraction changes its result.
inline constexpr int kExtractorVersion = 1;

struct ExtractOptions {
  std::string name;               // of the new graph; "" = made from the parent's
  // Weights larger than this become inputs of the same type and static shape; for asking engines without moving the bytes.
  uint64_t max_constant_bytes = UINT64_MAX;
  // Names of the values handed out; empty = those that are used elsewhere or by the whole graph.
  std::vector<std::string> outputs;
};

// The nodes as a graph: inputs are values that come from elsewhere, in order of first use; outputs are values used elsewhere or
// by the whole graph, in order of production. Weights are shared, not copied. Types and symbolic shapes at the cut are kept.
// INVALID_ARGUMENT: no nodes, or an id out of range or named twice. FAILED_PRECONDITION: the cut goes through a value that is no
// tensor or whose type is unknown, or the graph is not ONNX.
Result<std::shared_ptr<const Graph>> extract_graph(const Graph& graph, std::span<const NodeId> nodes,
                                                   const ExtractOptions& options = {});

// One node as a model: inputs typed as in the graph, constants up to 64 KiB kept as constants.
Result<std::shared_ptr<const Graph>> make_single_node_model(const Graph& graph, NodeId node);

}  // namespace axle
