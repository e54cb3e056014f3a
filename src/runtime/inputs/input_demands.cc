#include "runtime/inputs/input_demands.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "model/flat_bodies.h"
#include "runtime/inputs/operand_ask.h"

namespace axle {
namespace {

using Kind = InputDemand::Kind;

constexpr int kDeepestWalk = 16;
constexpr double kHiding = -1000;  // what masked positions are at least pushed down by

// Element i of what comes out is element i of what went in.
constexpr auto kInOrder =
    std::to_array<std::string_view>({"Cast", "CastLike", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Flatten"});
// Values pass as they are, but elsewhere.
constexpr auto kElsewhere = std::to_array<std::string_view>(
    {"Transpose", "Expand", "Slice", "Tile", "Pad", "Split", "Gather", "GatherElements", "GatherND", "Clip"});

bool is_in(std::span<const std::string_view> ops, std::string_view op) { return std::ranges::find(ops, op) != ops.end(); }

bool stays_in_order(const Node& node) {
  return node.domain == kFlowDomain ? node.op_type == kFlowSame : is_in(kInOrder, node.op_type);
}

bool passes(const Node& node, size_t operand) {
  if (node.domain == kFlowDomain) return node.op_type == kFlowSame || node.op_type == kFlowMoved;
  if (is_in(kInOrder, node.op_type) || is_in(kElsewhere, node.op_type)) return operand == 0;
  if (node.op_type == "Where") return operand > 0;
  return node.op_type == "Concat" || node.op_type == "Min" || node.op_type == "Max";
}

// Smallest and largest element of the other operand of a sum or a difference, when it is constant.
struct Added {
  int64_t least = 0, most = 0;
};
std::optional<Added> added_constant(const Graph& graph, const Node& node, size_t operand) {
  const bool sum = node.op_type == "Add";
  if ((!sum && (node.op_type != "Sub" || operand != 0)) || node.inputs.size() != 2) return std::nullopt;
  const auto values = Ask(graph, node, operand, 0).constants(1 - operand);
  if (!values || values->empty()) return std::nullopt;
  const auto [least, most] = std::ranges::minmax(*values);
  return sum ? Added{least, most} : Added{-most, -least};
}

// Beyond these no index points anywhere.
int64_t together(int64_t a, int64_t b) {
  constexpr int64_t kFar = int64_t{1} << 61;
  return std::clamp(std::clamp(a, -kFar, kFar) + std::clamp(b, -kFar, kFar), -kFar, kFar);
}

InputDemand elsewhere(InputDemand demand) {
  if (demand.kind == Kind::kGiven || demand.kind == Kind::kIndices) demand.kind = Kind::kWhole;
  demand.values.clear();
  demand.columns.clear();
  return demand;
}

// What holds for both. A single value stands before a range.
InputDemand both(InputDemand a, InputDemand b) {
  if (a.kind == Kind::kNone || a.kind == Kind::kReal) return b.kind == Kind::kNone ? a : b;
  if (b.kind == Kind::kNone || b.kind == Kind::kReal || a.kind == Kind::kGiven) return a;
  if (b.kind == Kind::kGiven) return b;
  if (b.kind == Kind::kIndices && b.high <= a.high) std::swap(a, b);
  if (a.kind == Kind::kIndices && a.high <= b.high && b.low <= 0) return a;
  a = elsewhere(std::move(a));
  a.high = std::min(a.high, b.high);
  a.low = std::min(std::max(a.low, b.low), a.high);
  return a;
}

bool contains(std::string_view text, std::string_view word) { return text.find(word) != std::string_view::npos; }

}  // namespace

struct InputDemands::Walk {
  std::set<std::tuple<ValueId, int64_t, int64_t>> seen;
  InputDemand strong, weak;
};

InputDemands::InputDemands(const Graph& graph, int64_t usual_size)
    : graph_(graph), usual_size_(usual_size), consumers_(graph.values.size()) {
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto& inputs = graph.nodes[n].inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] >= 0) consumers_[static_cast<size_t>(inputs[i])].emplace_back(static_cast<NodeId>(n), i);
    }
  }
}

// `least` and `most`: what was added to the elements on the way. `in_order`: every element is still at its place.
void InputDemands::walk(ValueId value, std::pair<int64_t, int64_t> added, bool in_order, int depth, Walk& state) const {
  const auto [least, most] = added;
  const bool moved = least != 0 || most != 0;
  if (depth > kDeepestWalk || !state.seen.emplace(value, least, most).second) return;
  for (const auto& [id, operand] : consumers_[static_cast<size_t>(value)]) {
    const Node& node = graph_.nodes[static_cast<size_t>(id)];
    OperandDemand asked = operand_demand(graph_, node, operand, usual_size_);
    if (asked.demand.kind != Kind::kNone) {
      InputDemand demand = in_order && !moved ? std::move(asked.demand) : elsewhere(std::move(asked.demand));
      demand.high -= static_cast<double>(most);
      // A negative index, made positive by adding the size of the axis: the other way leads on without.
      if (moved && demand.high < 0) continue;
      if (moved) demand.low = std::clamp(demand.low - static_cast<double>(least), 0.0, demand.high);
      InputDemand& known = asked.weak ? state.weak : state.strong;
      known = both(std::move(known), std::move(demand));
      continue;
    }
    std::pair<int64_t, int64_t> next = added;
    const auto constant = added_constant(graph_, node, operand);
    if (constant)
      next = {together(least, constant->least), together(most, constant->most)};
    else if (!passes(node, operand))
      continue;
    const bool kept = in_order && stays_in_order(node);
    for (const ValueId output : node.outputs) {
      if (output >= 0) walk(output, next, kept, depth + 1, state);
    }
  }
}

namespace {

// How a graph uses a mask: what lets everything be seen.
enum class Seen : uint8_t { kUnknown, kOne, kZero, kSurelyOne };

std::optional<double> constant_beside(const Graph& graph, const Node& node, size_t operand) {
  const Ask ask(graph, node, operand, 0);
  const Value* other = node.inputs.size() == 2 ? ask.value(1 - operand) : nullptr;
  if (other == nullptr || other->weight < 0) return std::nullopt;
  const Weight& weight = *graph.weights[static_cast<size_t>(other->weight)];
  return first_element_as_double(weight.dtype, weight.bytes);
}

using Consumers = std::vector<std::vector<std::pair<NodeId, size_t>>>;

// Whether a value is multiplied by what hides positions, or chooses between it and something else.
bool is_turned_down(const Graph& graph, const Consumers& consumers, ValueId value) {
  return std::ranges::any_of(consumers[static_cast<size_t>(value)], [&](const auto& consumer) {
    const Node& node = graph.nodes[static_cast<size_t>(consumer.first)];
    const auto factor = node.op_type == "Mul" ? constant_beside(graph, node, consumer.second) : std::nullopt;
    return (factor && *factor <= kHiding) || (node.op_type == "Cast" && !node.outputs.empty() && node.outputs[0] >= 0 &&
                                              graph.values[static_cast<size_t>(node.outputs[0])].dtype == DataType::kBool);
  });
}

Seen seen_by(const Graph& graph, const Consumers& consumers, const Node& node, size_t operand) {
  const auto constant = constant_beside(graph, node, operand);
  if (node.op_type == "Sub" && operand == 1 && constant == 1.0) {
    return !node.outputs.empty() && node.outputs[0] >= 0 && is_turned_down(graph, consumers, node.outputs[0]) ? Seen::kSurelyOne
                                                                                                              : Seen::kOne;
  }
  if (node.op_type == "Mul" && constant) return *constant <= kHiding ? Seen::kZero : Seen::kOne;
  if (node.op_type == "Add" && !constant) return Seen::kZero;
  if (node.op_type == "Softmax") return Seen::kUnknown;
  return Seen::kOne;
}

Seen seen_from(const Graph& graph, const Consumers& consumers, ValueId value, int depth, std::set<ValueId>& met) {
  if (depth > kDeepestWalk || !met.insert(value).second) return Seen::kUnknown;
  for (const auto& [id, operand] : consumers[static_cast<size_t>(value)]) {
    const Node& node = graph.nodes[static_cast<size_t>(id)];
    Seen seen = Seen::kUnknown;
    if (passes(node, operand) && node.op_type != "Where") {
      for (const ValueId output : node.outputs) {
        if (output >= 0 && seen == Seen::kUnknown) seen = seen_from(graph, consumers, output, depth + 1, met);
      }
    } else {
      seen = seen_by(graph, consumers, node, operand);
    }
    if (seen != Seen::kUnknown) return seen;
  }
  return Seen::kUnknown;
}

InputDemand exactly(double value) { return {Kind::kWhole, value, value, {}, {}}; }

}  // namespace

InputDemand InputDemands::mask_demand(const IoSpec& spec, ValueId input, const InputDemand& indices) const {
  const bool named = contains(spec.name, "mask");
  if (indices.kind == Kind::kWhole || indices.kind == Kind::kIndices || indices.kind == Kind::kGiven) return indices;
  if (!is_floating(spec.dtype) && named) return exactly(1);
  std::set<ValueId> met;
  const Seen seen = seen_from(graph_, consumers_, input, 0, met);
  if (seen == Seen::kSurelyOne) return exactly(1);
  if (!named) return indices;
  return exactly(seen == Seen::kZero ? 0 : 1);
}

InputDemand InputDemands::of(const IoSpec& spec, const Shape& shape) const {
  // 0 is a row of every table of token types.
  if (!is_floating(spec.dtype) && (contains(spec.name, "token_type") || contains(spec.name, "segment"))) return exactly(0);
  const auto input =
      std::ranges::find_if(graph_.inputs, [&](ValueId id) { return graph_.values[static_cast<size_t>(id)].name == spec.name; });
  if (input == graph_.inputs.end()) return contains(spec.name, "mask") ? exactly(1) : InputDemand{};
  Walk state;
  walk(*input, {0, 0}, true, 0, state);
  InputDemand demand = mask_demand(spec, *input, state.strong);
  if (demand.kind == Kind::kNone && state.weak.kind != Kind::kNone && !is_floating(spec.dtype)) demand = state.weak;
  if (demand.kind == Kind::kNone && !is_floating(spec.dtype) && contains(spec.name, "len") && !shape.empty()) return exactly(1);
  if (demand.kind == Kind::kWhole && contains(spec.name, "position") && !shape.empty())
    demand.high = std::max(demand.low, std::min(demand.high, static_cast<double>(std::max<int64_t>(shape.back() - 1, 0))));
  return demand;
}

}  // namespace axle
