#include "reductions.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>
#include <set>

namespace axle::openvino {
namespace {

constexpr int32_t kFloat32 = 1, kInt64 = 7, kFloat64 = 11;

// Small integer initialisers by name, looked up once.
class Constants {
 public:
  explicit Constants(const kit::Graph& graph) : graph_(graph) {}

  // Nothing: not an initialiser of such numbers.
  std::optional<std::vector<int64_t>> of(const kit::Value& value) {
    if (value.is_weight == 0) return std::nullopt;
    if (by_name_.empty()) {
      for (uint32_t i = 0; i < graph_.weight_count(); ++i) by_name_.emplace(graph_.weight(i).name(), i);
    }
    const auto found = by_name_.find(std::string(value.value_name()));
    if (found == by_name_.end()) return std::nullopt;
    const kit::Weight weight = graph_.weight(found->second);
    if (weight.dtype() != kInt64 || weight.shape().size() > 1) return std::nullopt;
    std::vector<int64_t> numbers(weight.size_bytes() / sizeof(int64_t));
    if (!numbers.empty()) std::memcpy(numbers.data(), weight.data(), numbers.size() * sizeof(int64_t));
    return numbers;
  }

 private:
  const kit::Graph& graph_;
  std::map<std::string, uint32_t> by_name_;
};

enum class Kind : uint8_t { kOther, kReduce, kArg, kPool };

Kind kind_of(const kit::Node& node) {
  const std::string_view op = node.op_type();
  if (!node.domain().empty() && node.domain() != "ai.onnx") return Kind::kOther;
  if (op == "ReduceMax" || op == "ReduceMin") return Kind::kReduce;
  if (op == "ArgMax" || op == "ArgMin") return Kind::kArg;
  return op == "GlobalAveragePool" || op == "GlobalMaxPool" ? Kind::kPool : Kind::kOther;
}

// Of a ReduceMax of any opset; nothing where only a run tells.
std::optional<std::vector<int64_t>> listed_axes(const kit::Node& node, int64_t rank, Constants& constants) {
  std::optional<std::vector<int64_t>> axes = std::vector<int64_t>();
  if (const auto given = node.find_attribute("axes"))
    axes->assign(given->int_values().begin(), given->int_values().end());
  else if (node.input_count() > 1 && !node.input(1).absent())
    axes = constants.of(node.input(1));
  if (axes && axes->empty() && node.int_or("noop_with_empty_axes", 0) == 0) {
    for (int64_t i = 0; i < rank; ++i) axes->push_back(i);
  }
  return axes;
}

// Sizes of what the node reduces, as far as they are known before a run.
std::vector<axle_dim_t> reduced(const kit::Node& node, Constants& constants) {
  const Kind kind = kind_of(node);
  if (kind == Kind::kOther) return {};
  const kit::Value data = node.input(0);
  const auto rank = static_cast<int64_t>(data.shape().size());
  // In narrower types the library's extremes are ONNX's.
  const bool wide = data.dtype == kFloat32 || data.dtype == kInt64 || data.dtype == kFloat64;
  if (!data.rank_known() || (kind == Kind::kReduce && !wide)) return {};
  std::vector<int64_t> axes;
  if (kind == Kind::kArg) axes = {node.int_or("axis", 0)};
  for (int64_t i = 2; kind == Kind::kPool && i < rank; ++i) axes.push_back(i);
  if (kind == Kind::kReduce) axes = listed_axes(node, rank, constants).value_or(axes);
  std::vector<axle_dim_t> sizes;
  for (int64_t axis : axes) {
    axis += axis < 0 ? rank : 0;
    if (axis >= 0 && axis < rank) sizes.push_back(data.shape()[static_cast<size_t>(axis)]);
  }
  return sizes;
}

std::set<std::string> input_symbols(const kit::Graph& graph) {
  std::set<std::string> symbols;
  for (uint32_t i = 0; i < graph.input_count(); ++i) {
    for (const axle_dim_t& dim : graph.input(i).shape()) {
      if (dim.size < 0 && !kit::text(dim.symbol).empty()) symbols.emplace(kit::text(dim.symbol));
    }
  }
  return symbols;
}

}  // namespace

Reductions reductions_of(const kit::Graph& graph) {
  Reductions reductions;
  Constants constants(graph);
  std::optional<std::set<std::string>> symbols;
  for (const kit::Node& node : graph.nodes()) {
    const std::vector<axle_dim_t> sizes = reduced(node, constants);
    if (std::ranges::any_of(sizes, [](const axle_dim_t& dim) { return dim.size == 0; }))
      reductions.of_nothing.push_back(node.index());
    for (const axle_dim_t& dim : sizes) {
      const std::string symbol(dim.size < 0 ? kit::text(dim.symbol) : std::string_view());
      if (symbol.empty()) continue;
      if (!symbols) symbols = input_symbols(graph);
      const bool known =
          std::ranges::any_of(reductions.open, [&](const OpenReduction& other) { return other.symbol == symbol; });
      if (!known && symbols->contains(symbol))
        reductions.open.push_back({std::string(node.name()), std::string(node.op_type()), symbol});
    }
  }
  return reductions;
}

}  // namespace axle::openvino
