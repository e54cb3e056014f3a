// A Graph as engines see it through the accessors of the host table.
// GraphIndex is the shared, immutable part (made once per graph); a GraphView is what one verb is given, so that serialised
// bytes are held no longer than the verb runs.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "axle/engine_abi.h"
#include "axle/status.h"
#include "model/graph.h"

namespace axle {

struct WeightHandle;  // behind axle_weight_t; reference-counted, outlives the graph when an engine retains it

class GraphIndex {
 public:
  // INVALID_ARGUMENT when indices of the graph point outside it.
  static Result<std::shared_ptr<const GraphIndex>> create(std::shared_ptr<const Graph> graph);
  ~GraphIndex();
  GraphIndex(const GraphIndex&) = delete;
  GraphIndex& operator=(const GraphIndex&) = delete;

  const Graph& graph() const noexcept { return *graph_; }
  const std::shared_ptr<const Graph>& shared_graph() const noexcept { return graph_; }

  // Each fills *out as far as out->struct_size goes; an axle_code_t.
  int32_t value(ValueId id, axle_value_info_t* out) const noexcept;
  int32_t node(uint32_t index, axle_node_info_t* out) const noexcept;
  int32_t attribute(uint32_t node, uint32_t index, axle_attribute_t* out) const noexcept;
  const WeightHandle* weight(uint32_t index) const noexcept;

 private:
  explicit GraphIndex(std::shared_ptr<const Graph> graph);
  std::shared_ptr<const Graph> graph_;
  std::vector<axle_dim_t> dims_;          // of all values, one after the other
  std::vector<uint32_t> first_dim_;       // per value
  std::vector<axle_text_t> texts_;        // of all text-list attributes
  std::vector<uint32_t> first_attribute_; // per node, into first_text_
  std::vector<uint32_t> first_text_;      // per attribute
  std::vector<WeightHandle*> weights_;
};

// Behind axle_graph_t.
class GraphView {
 public:
  explicit GraphView(std::shared_ptr<const GraphIndex> index) noexcept : index_(std::move(index)) {}

  const axle_graph_t* abi() const noexcept { return reinterpret_cast<const axle_graph_t*>(this); }
  static const GraphView& of(const axle_graph_t* graph) noexcept { return *reinterpret_cast<const GraphView*>(graph); }
  const GraphIndex& index() const noexcept { return *index_; }

  Result<std::shared_ptr<const Graph::OnnxBytes>> onnx_bytes() const;
  // When the verb has returned.
  void drop_bytes() const noexcept;

 private:
  std::shared_ptr<const GraphIndex> index_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Graph::OnnxBytes> bytes_;
};

// Accessors of the host table (they ignore `host`).
void fill_graph_accessors(axle_host_api_t& table) noexcept;

}  // namespace axle
