#include "planner/constant_nodes.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "planner/cut_units.h"

namespace axle {
namespace {

bool may_be_constant(const NodeFacts& node) {
  constexpr std::string_view kWithSubgraphs[] = {"If", "Loop", "Scan"};
  return node.domain.empty() && !is_random(node) && std::ranges::find(kWithSubgraphs, node.op_type) == std::end(kWithSubgraphs);
}

}  // namespace

ConstantNodes::ConstantNodes(const ModelFacts& model) : model_(model), makes_(model.nodes.size()), from_(model.nodes.size()) {
  for (const NodeFacts& node : model.nodes) constant_.push_back(may_be_constant(node));
  // By producer, and nodes are in a topological order: what a node reads is settled before it.
  for (size_t t = 0; t < model.tensors.size(); ++t) {
    const TensorFacts& tensor = model.tensors[t];
    if (tensor.producer >= 0) makes_[static_cast<size_t>(tensor.producer)].push_back(static_cast<int32_t>(t));
    for (const int32_t reader : tensor.consumers) {
      const auto n = static_cast<size_t>(reader);
      if (tensor.producer >= 0) from_[n].push_back(tensor.producer);
      if (tensor.producer < 0 || !holds(tensor.producer) || tensor.type.empty()) constant_[n] = false;
    }
  }
}

std::vector<int32_t> ConstantNodes::chain(int32_t node) const {
  std::set<int32_t> found;
  std::vector<int32_t> open = {node};
  while (!open.empty()) {
    const int32_t next = open.back();
    open.pop_back();
    if (!found.insert(next).second) continue;
    const auto& from = from_[static_cast<size_t>(next)];
    open.insert(open.end(), from.begin(), from.end());
  }
  return {found.begin(), found.end()};
}

std::vector<int32_t> ConstantNodes::needed(const std::vector<int32_t>& nodes, const std::vector<std::string>& outputs) const {
  std::set<int32_t> kept;
  for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
    const auto& made = makes_[static_cast<size_t>(*node)];
    const bool read = std::ranges::any_of(made, [&](int32_t t) {
      const TensorFacts& tensor = model_.tensors[static_cast<size_t>(t)];
      return std::ranges::find(outputs, tensor.name) != outputs.end() ||
             std::ranges::any_of(tensor.consumers, [&](int32_t reader) { return kept.contains(reader); });
    });
    if (read || !holds(*node)) kept.insert(*node);
  }
  return {kept.begin(), kept.end()};
}

}  // namespace axle
