// Random inputs that a model can digest. What an integer input may hold is read off the ops that consume it.
#include <algorithm>
#include <array>
#include <limits>
#include <random>
#include <set>

#include "axle/tune.h"
#include "model/graph.h"
#include "model/model_graph.h"
#include "runtime/generate_inputs.h"
#include "tensor/convert.h"

namespace axle {
namespace {

constexpr int kDeepestWalk = 12;
constexpr std::array kShapeOnlyOps = {"Cast",   "Unsqueeze", "Squeeze", "Reshape", "Transpose", "Identity", "Concat",
                                      "Expand", "Flatten",   "Slice",   "Tile",    "Pad",       "Split"};

// Inclusive range of an integer input; `fixed` when the graph compares it with one constant.
struct IntegerRange {
  int64_t low = 0;
  int64_t high = 1;
  bool found = false;
};

using Consumers = std::vector<std::vector<std::pair<NodeId, size_t>>>;

Consumers consumers_of(const Graph& graph) {
  Consumers result(graph.values.size());
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    const auto& inputs = graph.nodes[n].inputs;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i] >= 0) result[static_cast<size_t>(inputs[i])].emplace_back(static_cast<NodeId>(n), i);
    }
  }
  return result;
}

int64_t axis_attribute(const Node& node, int64_t fallback) {
  for (const Attribute& attribute : node.attributes) {
    if (attribute.name == "axis" && !attribute.ints.empty()) return attribute.ints.front();
  }
  return fallback;
}

int64_t size_at(const Value& value, int64_t axis) {
  const auto rank = static_cast<int64_t>(value.shape.size());
  if (axis < 0) axis += rank;
  if (!value.rank_known || axis < 0 || axis >= rank) return -1;
  return value.shape[static_cast<size_t>(axis)].size;
}

// The first element of a constant operand of `node` other than `index`, as an integer.
std::optional<int64_t> constant_operand(const Graph& graph, const Node& node, size_t index) {
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (i == index || node.inputs[i] < 0) continue;
    const int32_t weight = graph.values[static_cast<size_t>(node.inputs[i])].weight;
    if (weight < 0) continue;
    const Weight& constant = *graph.weights[static_cast<size_t>(weight)];
    if (const auto value = first_element_as_double(constant.dtype, constant.bytes)) return static_cast<int64_t>(*value);
  }
  return std::nullopt;
}

// What `node` asks of the integers that reach its input `index`; not found when it asks nothing.
IntegerRange demand_of(const Graph& graph, const Node& node, size_t index) {
  const std::string& op = node.op_type;
  if ((op == "Gather" || op == "GatherElements") && index == 1) {
    const int64_t size = size_at(graph.values[static_cast<size_t>(node.inputs[0])], axis_attribute(node, 0));
    return {0, size > 0 ? size - 1 : 0, true};
  }
  if (op == "GatherND" && index == 1) return {0, 0, true};
  if (op == "OneHot" && index == 0) {
    const auto depth = constant_operand(graph, node, 0);
    return {0, depth && *depth > 0 ? *depth - 1 : 0, true};
  }
  if (op == "Equal") {
    if (const auto constant = constant_operand(graph, node, index)) return {*constant, *constant, true};
  }
  const bool shape_operand = (index == 1 && (op == "Reshape" || op == "Expand" || op == "Tile")) || op == "ConstantOfShape";
  if (shape_operand) return {1, 1, true};
  if ((op == "LSTM" || op == "GRU" || op == "RNN") && index == 4) {
    const int64_t length = size_at(graph.values[static_cast<size_t>(node.inputs[0])], 0);
    return {length > 0 ? length : 1, length > 0 ? length : 1, true};
  }
  return {};
}

void walk(const Graph& graph, const Consumers& consumers, ValueId value, int depth, std::set<ValueId>& seen,
          IntegerRange& range) {
  if (depth > kDeepestWalk || !seen.insert(value).second) return;
  for (const auto& [node_id, index] : consumers[static_cast<size_t>(value)]) {
    const Node& node = graph.nodes[static_cast<size_t>(node_id)];
    const IntegerRange demand = demand_of(graph, node, index);
    if (demand.found) {
      // Several demands: the tightest upper bound is safe for all of them.
      if (!range.found || demand.high < range.high) range = demand;
      continue;
    }
    const bool passes = std::find(kShapeOnlyOps.begin(), kShapeOnlyOps.end(), node.op_type) != kShapeOnlyOps.end();
    if (!passes) continue;
    for (ValueId output : node.outputs) {
      if (output >= 0) walk(graph, consumers, output, depth + 1, seen, range);
    }
  }
}

bool contains(const std::string& text, const char* word) { return text.find(word) != std::string::npos; }

IntegerRange range_of(const Graph& graph, const Consumers& consumers, const IoSpec& spec, const Shape& shape) {
  if (contains(spec.name, "mask")) return {1, 1, true};
  if (contains(spec.name, "token_type") || contains(spec.name, "segment")) return {0, 0, true};
  IntegerRange range;
  for (ValueId input : graph.inputs) {
    if (graph.values[static_cast<size_t>(input)].name != spec.name) continue;
    std::set<ValueId> seen;
    walk(graph, consumers, input, 0, seen, range);
  }
  if (!range.found && contains(spec.name, "len") && !shape.empty()) return {1, 1, true};
  if (range.found && contains(spec.name, "position") && !shape.empty()) {
    range.high = std::min(range.high, std::max<int64_t>(shape.back() - 1, 0));
  }
  return range;
}

Shape shape_of(const IoSpec& spec, const GenerateOptions& options, const std::set<std::string>& batch_symbols) {
  Shape shape;
  for (size_t axis = 0; axis < spec.shape.size(); ++axis) {
    const Dim& dim = spec.shape[axis];
    const auto named = options.axes.find(dim.symbol);
    const bool leading = dim.symbol.empty() ? axis == 0 : batch_symbols.contains(dim.symbol);
    if (dim.is_static())
      shape.push_back(dim.size);
    else if (!dim.symbol.empty() && named != options.axes.end())
      shape.push_back(named->second);
    else
      shape.push_back(leading ? options.axis_size : options.inner_axis_size);
  }
  return shape;
}

template <typename T>
void fill_integers(Tensor& tensor, const IntegerRange& range, std::mt19937_64& random) {
  const auto width = static_cast<uint64_t>(range.high - range.low) + 1;
  for (T& element : tensor.mutable_as<T>()) {
    element = static_cast<T>(range.low + static_cast<int64_t>(width == 0 ? random() : random() % width));
  }
}

Result<Tensor> random_floats(DataType dtype, Shape shape, std::mt19937_64& random) {
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(DataType::kFloat32, std::move(shape)));
  // 24 random bits give every float in [-1, 1) on a grid of 2^-23.
  for (float& element : tensor.mutable_as<float>()) element = static_cast<float>(random() >> 40) * 0x1.0p-23F - 1;
  return convert_floating(tensor, dtype);
}

Result<Tensor> fill(const IoSpec& spec, Shape shape, const IntegerRange& range, std::mt19937_64& random) {
  if (spec.dtype == DataType::kString) {
    AXLE_ASSIGN_OR_RETURN(const int64_t count, element_count(shape));
    return Tensor::from_strings(std::move(shape), std::vector<std::string>(static_cast<size_t>(count), "axle"));
  }
  if (is_floating(spec.dtype)) return random_floats(spec.dtype, std::move(shape), random);
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(spec.dtype, std::move(shape)));
  switch (spec.dtype) {
    case DataType::kBool: fill_integers<uint8_t>(tensor, {1, 1, true}, random); break;
    case DataType::kInt8: fill_integers<int8_t>(tensor, range, random); break;
    case DataType::kUint8: fill_integers<uint8_t>(tensor, range, random); break;
    case DataType::kInt16: fill_integers<int16_t>(tensor, range, random); break;
    case DataType::kUint16: fill_integers<uint16_t>(tensor, range, random); break;
    case DataType::kInt32: fill_integers<int32_t>(tensor, range, random); break;
    case DataType::kUint32: fill_integers<uint32_t>(tensor, range, random); break;
    case DataType::kInt64: fill_integers<int64_t>(tensor, range, random); break;
    case DataType::kUint64: fill_integers<uint64_t>(tensor, range, random); break;
    default:
      return unimplemented_error("values of type " + std::string(data_type_name(spec.dtype)) + " are not generated")
          .with_hint("give real inputs: --inputs FILE.npz");
  }
  return tensor;
}

std::set<std::string> batch_symbols_of(const Model& model) {
  std::set<std::string> symbols;
  for (const IoSpec& spec : model.inputs()) {
    if (!spec.shape.empty() && !spec.shape.front().symbol.empty()) symbols.insert(spec.shape.front().symbol);
  }
  return symbols;
}

}  // namespace

std::vector<Shape> generated_shapes(const Model& model, const GenerateOptions& options) {
  const std::set<std::string> batch_symbols = batch_symbols_of(model);
  std::vector<Shape> shapes;
  for (const IoSpec& spec : model.inputs()) {
    if (!spec.optional) shapes.push_back(shape_of(spec, options, batch_symbols));
  }
  return shapes;
}

Result<std::vector<NamedTensor>> generate_inputs(const Model& model, const GenerateOptions& options) {
  if (model.inputs().empty() && model.format() != ModelFormat::kOnnx) {
    return unimplemented_error("the inputs of a " + std::string(model.format_name()) +
                               " model are not known before an engine loads it")
        .with_hint("give real inputs: --inputs FILE.npz");
  }
  AXLE_ASSIGN_OR_RETURN(const auto graph, graph_of(model));
  const Consumers consumers = consumers_of(*graph);
  std::vector<Shape> shapes = generated_shapes(model, options);
  size_t next = 0;
  std::mt19937_64 random(options.seed);
  std::vector<NamedTensor> inputs;
  for (const IoSpec& spec : model.inputs()) {
    if (spec.optional) continue;
    Shape& shape = shapes[next++];
    const IntegerRange range = range_of(*graph, consumers, spec, shape);
    auto tensor = fill(spec, std::move(shape), range, random);
    if (!tensor) {
      return std::move(tensor)
          .error()
          .with_context("cannot generate input '" + spec.name + "'")
          .with_hint("--random has no values of that type: give them with --inputs FILE.npz");
    }
    inputs.push_back({spec.name, std::move(*tensor)});
  }
  return inputs;
}

}  // namespace axle
