#include "model/bind_axes.h"

#include <fmt/format.h>

#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "model/cost.h"
#include "model/infer.h"
#include "model/onnx_writer.h"

namespace axle {

Result<std::shared_ptr<const Graph>> bind_axes(const Graph& graph, const std::map<std::string, int64_t>& sizes) {
  if (graph.source == nullptr) {
    return failed_precondition_error(
               fmt::format("a model of format {} is handed over whole: its axes cannot be fixed", graph.format))
        .with_hint("export it to ONNX, or with fixed sizes");
  }
  Graph bound = graph;
  std::map<std::string, int64_t> symbols;
  std::set<std::string> found;
  for (const ValueId id : bound.inputs) {
    Value& value = bound.values[static_cast<size_t>(id)];
    for (size_t i = 0; i < value.shape.size(); ++i) {
      Dim& dim = value.shape[i];
      if (dim.is_static()) continue;
      const std::string name = dim.symbol.empty() ? fmt::format("{}[{}]", value.name, i) : dim.symbol;
      const auto size = sizes.find(name);
      if (size == sizes.end()) continue;
      found.insert(name);
      if (!dim.symbol.empty()) symbols[dim.symbol] = size->second;
      dim.size = size->second;
    }
  }
  for (const auto& [axis, size] : sizes) {
    if (size < 1) return invalid_argument_error(fmt::format("axis {} cannot have size {}", printable(axis, 80), size));
    if (!found.contains(axis))
      return invalid_argument_error(fmt::format("the model has no open axis '{}'", printable(axis, 80)))
          .with_hint("axle inspect lists the open axes");
  }
  infer_values(bound, symbols);
  fill_costs(bound);
  bound.path.clear();
  Sha256 hash;
  hash.update_field("axle-axes-1").update_field(graph.digest);
  for (const auto& [axis, size] : sizes) hash.update_field(axis).update_field(std::to_string(size));
  bound.digest = hash.finish().to_string();
  return seal_graph(std::move(bound));
}

}  // namespace axle
