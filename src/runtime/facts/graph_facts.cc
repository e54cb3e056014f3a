#include "runtime/facts/graph_facts.h"

#include <algorithm>

#include "base/checked.h"

namespace axle {
namespace {

// Unknown axes count as 1, as in every cost; saturated.
uint64_t bytes_of(const Value& value) {
  uint64_t elements = 1;
  for (const Dim& dim : value.shape)
    elements = checked_mul(elements, dim.is_static() ? static_cast<uint64_t>(dim.size) : 1).value_or(uint64_t{1} << 58);
  const auto bits = checked_mul(elements, static_cast<uint64_t>(data_type_bits(value.dtype)));
  return bits ? *bits / 8 + (*bits % 8 != 0 ? 1 : 0) : uint64_t{1} << 58;
}

}  // namespace

void add_graph_facts(const Graph& graph, const Graph& declared, ModelFacts& facts) {
  const Graph& types = declared.values.size() == graph.values.size() ? declared : graph;
  std::vector<std::vector<int32_t>> readers(graph.values.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const auto* list : {&graph.nodes[n].inputs, &graph.nodes[n].captured}) {
      for (const ValueId id : *list) {
        if (id < 0) continue;
        auto& nodes = readers[static_cast<size_t>(id)];
        if (nodes.empty() || nodes.back() != static_cast<int32_t>(n)) nodes.push_back(static_cast<int32_t>(n));
      }
    }
  }
  const auto add = [&](ValueId id, int32_t producer) {
    const Value& value = graph.values[static_cast<size_t>(id)];
    const Value& type = types.values[static_cast<size_t>(id)];
    const bool typed = type.is_tensor && type.dtype != DataType::kUndefined;
    facts.tensors.push_back({value.name, typed ? tensor_type_text(type.dtype, type.rank_known, type.shape) : "",
                             typed ? bytes_of(value) : 0, producer, std::move(readers[static_cast<size_t>(id)])});
  };
  for (const ValueId id : graph.inputs) add(id, -1);
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    for (const ValueId id : graph.nodes[n].outputs) {
      if (id >= 0) add(id, static_cast<int32_t>(n));
    }
  }
  for (size_t id = 0; id < graph.values.size(); ++id) {
    const int32_t weight = graph.values[id].weight;
    if (weight < 0 || readers[id].size() < 2) continue;
    facts.shared_weights.push_back({graph.weights[static_cast<size_t>(weight)]->bytes.size(), std::move(readers[id])});
  }
}

}  // namespace axle
