#include "model/infer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "model/body_cost.h"
#include "model/cost.h"
#include "model/fold.h"
#include "model/model_graph.h"
#include "model/onnx_convert.h"
#include "model/onnx_source.h"
#include "model/onnx_version.h"
#include "model/onnx_writer.h"
#include "onnx/checker.h"
#include "onnx/defs/schema.h"
#include "onnx/shape_inference/implementation.h"

namespace axle {
namespace {

// Weights up to this size are shown to inference with their values: shapes, axes, scalars.
constexpr size_t kSmallWeightBytes = 1024;
constexpr size_t kMaxIssues = 50;
constexpr int kMaxRounds = 4;

void add_issue(Graph& graph, std::string text) {
  if (graph.issues.size() < kMaxIssues) graph.issues.push_back(std::move(text));
}

bool is_onnx_domain(const std::string& domain) { return domain.empty() || domain.starts_with("ai.onnx."); }

void bind_symbols(SymbolicShape& shape, const std::map<std::string, int64_t>& sizes) {
  for (Dim& dim : shape) {
    if (dim.is_static() || dim.symbol.empty()) continue;
    if (const auto found = sizes.find(dim.symbol); found != sizes.end()) dim.size = found->second;
  }
}

void add_weight(const Weight& weight, onnx::GraphProto& out) {
  if (weight.bytes.size() > kSmallWeightBytes || weight.dtype == DataType::kString) {
    onnx::ValueInfoProto& info = *out.add_input();
    info.set_name(weight.name);
    auto& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(static_cast<int32_t>(weight.dtype));
    tensor.mutable_shape();
    for (const int64_t size : weight.shape) tensor.mutable_shape()->add_dim()->set_dim_value(size);
    return;
  }
  onnx::TensorProto& tensor = *out.add_initializer();
  tensor.set_name(weight.name);
  tensor.set_data_type(static_cast<int32_t>(weight.dtype));
  for (const int64_t size : weight.shape) tensor.add_dims(size);
  tensor.set_raw_data(weight.bytes.data(), weight.bytes.size());
}

void add_folded(const std::string& name, const FoldedTensor& folded, onnx::GraphProto& out) {
  onnx::TensorProto& tensor = *out.add_initializer();
  tensor.set_name(name);
  tensor.set_data_type(static_cast<int32_t>(folded.dtype));
  for (const int64_t size : folded.shape) tensor.add_dims(size);
  for (const int64_t value : folded.values)
    folded.dtype == DataType::kInt64 ? tensor.add_int64_data(value) : tensor.add_int32_data(static_cast<int32_t>(value));
}

// The graph as inference needs it: no large weights, interior types only where operators cannot tell, and the values that
// shapes are made of in place of the nodes that compute them.
onnx::ModelProto inference_model(const Graph& graph, const FoldedValues& folded) {
  onnx::ModelProto model = graph.source->header;
  onnx::GraphProto& out = *model.mutable_graph();
  out.set_name("graph");
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto known = graph.nodes[i].outputs.size() == 1 ? folded.find(graph.nodes[i].outputs[0]) : folded.end();
    if (known == folded.end())
      *out.add_node() = graph.source->nodes[i];
    else
      add_folded(graph.values[known->first].name, known->second, out);
  }
  for (const auto& weight : graph.weights) add_weight(*weight, out);
  const auto add_info = [&](const Value& value, onnx::ValueInfoProto& info) {
    info.set_name(value.name);
    if (const auto other = graph.source->other_types.find(value.name); other != graph.source->other_types.end()) {
      *info.mutable_type() = other->second;
    } else if (value.dtype != DataType::kUndefined) {
      fill_type(value, *info.mutable_type());
    }
  };
  for (const ValueId id : graph.inputs) add_info(graph.values[id], *out.add_input());
  for (const ValueId id : graph.outputs) out.add_output()->set_name(graph.values[id].name);
  for (const Value& value : graph.values) {
    if (value.producer >= 0 && !is_onnx_domain(graph.nodes[value.producer].domain)) add_info(value, *out.add_value_info());
  }
  return model;
}

// What is known stays; what was found fills the gaps. Returns false when the two contradict each other.
bool merge(const Value& found, Value& value) {
  bool agrees = true;
  if (value.dtype == DataType::kUndefined) value.dtype = found.dtype;
  agrees = found.dtype == DataType::kUndefined || found.dtype == value.dtype;
  value.is_tensor = value.is_tensor && found.is_tensor;
  if (!found.rank_known) return agrees;
  if (!value.rank_known) {
    value.rank_known = true;
    value.shape = found.shape;
    return agrees;
  }
  if (value.shape.size() != found.shape.size()) return false;
  for (size_t i = 0; i < value.shape.size(); ++i) {
    Dim& dim = value.shape[i];
    if (!dim.is_static() && found.shape[i].is_static()) dim.size = found.shape[i].size;
    if (!dim.is_static() && dim.symbol.empty()) dim.symbol = found.shape[i].symbol;
    agrees = agrees && (!dim.is_static() || !found.shape[i].is_static() || dim.size == found.shape[i].size);
  }
  return agrees;
}

void take_types(const onnx::GraphProto& inferred, Graph& graph) {
  std::unordered_map<std::string_view, Value*> by_name;
  for (Value& value : graph.values) {
    if (value.producer >= 0) by_name.emplace(value.name, &value);
  }
  const auto take = [&](const onnx::ValueInfoProto& info) {
    const auto value = by_name.find(info.name());
    if (value == by_name.end() || !info.has_type()) return;
    Value found;
    apply_type(info.type(), found);
    if (!merge(found, *value->second)) {
      add_issue(graph, fmt::format("value '{}' is declared with another type or shape than its operator gives",
                                   printable(info.name(), 80)));
    }
  };
  for (const auto& info : inferred.value_info()) take(info);
  for (const auto& info : inferred.output()) take(info);
}

void take_folded(const FoldedValues& folded, Graph& graph) {
  for (const auto& [id, tensor] : folded) {
    Value& value = graph.values[id];
    value.dtype = tensor.dtype;
    value.rank_known = true;
    value.shape.clear();
    for (const int64_t size : tensor.shape) value.shape.push_back(Dim{size, {}});
  }
}

}  // namespace

void infer_values(Graph& graph, const std::map<std::string, int64_t>& sizes) {
  if (graph.source == nullptr) return;
  for (Value& value : graph.values) bind_symbols(value.shape, sizes);
  try {
    const onnx::ShapeInferenceOptions options(/*check_type=*/false, /*strict_mode=*/0, /*data_prop=*/true);
    onnx::ModelProto model;
    FoldedValues folded;
    // A shape that becomes known makes more values known, which make more shapes known.
    for (int round = 0; round < kMaxRounds; ++round) {
      const size_t known = folded.size();
      fold_integers(graph, folded);
      if (round > 0 && folded.size() == known) break;
      model = inference_model(graph, folded);
      onnx::shape_inference::InferShapes(model, onnx::OpSchemaRegistry::Instance(), options);
      take_types(model.graph(), graph);
      take_folded(folded, graph);
    }
    cost_bodies(model.graph().node(), graph);
  } catch (const std::exception& error) {
    add_issue(graph, fmt::format("shape inference stopped: {}", printable(error.what(), 300)));
  }
  for (Value& value : graph.values) bind_symbols(value.shape, sizes);
}

void check_operators(Graph& graph) {
  if (graph.source == nullptr) return;
  onnx::checker::CheckerContext context;
  context.set_ir_version(static_cast<int>(graph.ir_version));
  context.set_opset_imports({graph.opsets.begin(), graph.opsets.end()});
  context.set_is_main_graph(true);
  onnx::checker::LexicalScopeContext scope;
  for (const Value& value : graph.values) scope.add(value.name);
  std::unordered_set<std::string> seen;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    if (!is_onnx_domain(node.domain)) continue;
    const std::string domain = node.domain.empty() ? "ai.onnx" : node.domain;
    if (onnx::OpSchemaRegistry::Schema(node.op_type, static_cast<int>(node.opset), node.domain) == nullptr) {
      if (seen.insert(domain + ":" + node.op_type).second) {
        add_issue(graph, fmt::format("operator '{}' is not defined in opset {} of {} (first at node '{}')",
                                     printable(node.op_type, 80), node.opset, domain, printable(node.name, 80)));
      }
      continue;
    }
    try {
      onnx::checker::check_node(graph.source->nodes[i], context, scope);
    } catch (const std::exception& error) {
      add_issue(graph, fmt::format("node '{}' ({}): {}", printable(node.name, 80), node.op_type, printable(error.what(), 200)));
    }
  }
}

namespace {

// Size of each symbol that `shape` settles.
Status bind_input(const Value& value, const Shape& shape, std::map<std::string, int64_t>& sizes) {
  const auto refuse = [&](const std::string& why) {
    return invalid_argument_error(fmt::format("input '{}' is declared as {} and cannot have shape {}: {}", value.name,
                                              format_shape(value.shape), format_shape(shape), why))
        .with_hint("give a shape that fits the model's declaration");
  };
  if (value.weight >= 0 || !value.is_tensor) return refuse("it is not a tensor input");
  if (!value.rank_known) return ok_status();
  if (value.shape.size() != shape.size()) return refuse("the rank differs");
  for (size_t i = 0; i < shape.size(); ++i) {
    const Dim& dim = value.shape[i];
    if (shape[i] < 0) return refuse("a size is negative");
    if (dim.is_static() && dim.size != shape[i]) return refuse(fmt::format("axis {} is fixed", i));
    if (dim.is_static() || dim.symbol.empty()) continue;
    const auto [bound, fresh] = sizes.try_emplace(dim.symbol, shape[i]);
    if (!fresh && bound->second != shape[i])
      return refuse(fmt::format("'{}' would be both {} and {}", dim.symbol, bound->second, shape[i]));
  }
  return ok_status();
}

}  // namespace

Result<std::shared_ptr<const Graph>> infer_shapes_for(const Graph& graph, const std::map<std::string, Shape>& input_shapes) {
  Graph bound = graph;
  std::map<std::string, int64_t> sizes;
  for (const auto& [name, shape] : input_shapes) {
    const auto input =
        std::find_if(bound.inputs.begin(), bound.inputs.end(), [&](ValueId id) { return bound.values[id].name == name; });
    if (input == bound.inputs.end()) {
      return invalid_argument_error(fmt::format("the model has no input '{}'", printable(name, 80)))
          .with_hint("axle inspect lists the inputs");
    }
    Value& value = bound.values[*input];
    AXLE_RETURN_IF_ERROR(bind_input(value, shape, sizes));
    value.rank_known = true;
    value.shape.resize(shape.size());
    for (size_t i = 0; i < shape.size(); ++i) value.shape[i].size = shape[i];
  }
  infer_values(bound, sizes);
  fill_costs(bound);
  return seal_graph(std::move(bound));
}

}  // namespace axle
