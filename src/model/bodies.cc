#include "model/bodies.h"

#include <algorithm>
#include <unordered_map>

#include "model/body_cost.h"
#include "model/cost.h"
#include "model/onnx_convert.h"
#include "model/onnx_source.h"
#include "model/onnx_version.h"

namespace axle {
namespace {

template <typename Visit>
void for_each_body(const onnx::NodeProto& node, const Visit& visit) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) visit(attribute.g());
    for (const auto& graph : attribute.graphs()) visit(graph);
  }
}

void count_tensor(const onnx::TensorProto& tensor, BodyCensus& census) {
  const Shape shape(tensor.dims().begin(), tensor.dims().end());
  census.parameter_count += static_cast<uint64_t>(element_count(shape).value_or(0));
  if (tensor.data_type() != onnx::TensorProto::STRING) {
    census.weight_bytes += dense_size_bytes(static_cast<DataType>(tensor.data_type()), shape).value_or(0);
  }
}

bool is_constant(const onnx::NodeProto& node) { return node.op_type() == "Constant" && normal_domain(node.domain()).empty(); }

void count_body(const onnx::GraphProto& body, BodyCensus& census) {
  for (const auto& tensor : body.initializer()) count_tensor(tensor, census);
  for (const auto& node : body.node()) {
    if (is_constant(node)) {
      for (const auto& attribute : node.attribute()) {
        if (attribute.has_t()) count_tensor(attribute.t(), census);
      }
      continue;
    }
    const std::string domain = normal_domain(node.domain());
    ++census.op_counts[domain.empty() ? node.op_type() : domain + ":" + node.op_type()];
    for_each_body(node, [&](const onnx::GraphProto& inner) { count_body(inner, census); });
  }
}

// Names of one graph over those of the graphs around it.
struct Scope {
  const Scope* outer = nullptr;
  std::unordered_map<std::string, Value> values;

  Value find(const std::string& name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->outer) {
      if (const auto found = scope->values.find(name); found != scope->values.end()) return found->second;
    }
    return {};
  }
};

uint64_t body_flops(const onnx::GraphProto& body, const Scope& outer);

uint64_t node_body_flops(const onnx::NodeProto& node, const Scope& scope) {
  uint64_t dearest = 0;
  for_each_body(node, [&](const onnx::GraphProto& inner) { dearest = std::max(dearest, body_flops(inner, scope)); });
  return dearest;
}

void declare(const std::string& name, const onnx::TensorProto& tensor, Scope& scope) {
  Value value;
  value.dtype = static_cast<DataType>(tensor.data_type());
  value.rank_known = true;
  for (const int64_t size : tensor.dims()) value.shape.push_back(Dim{size, {}});
  scope.values[name] = std::move(value);
}

Scope scope_of(const onnx::GraphProto& body, const Scope& outer) {
  Scope scope{&outer, {}};
  for (const auto* infos : {&body.input(), &body.value_info(), &body.output()}) {
    for (const auto& info : *infos) {
      if (info.has_type()) apply_type(info.type(), scope.values[info.name()]);
    }
  }
  for (const auto& tensor : body.initializer()) declare(tensor.name(), tensor, scope);
  for (const auto& node : body.node()) {
    const bool has_tensor =
        is_constant(node) && node.output_size() == 1 && node.attribute_size() == 1 && node.attribute(0).has_t();
    if (has_tensor) declare(node.output(0), node.attribute(0).t(), scope);
  }
  return scope;
}

// The body as a throw-away Graph without weights, so that the same formulas apply.
uint64_t body_flops(const onnx::GraphProto& body, const Scope& outer) {
  const Scope scope = scope_of(body, outer);
  Graph graph;
  std::unordered_map<std::string, ValueId> ids;
  const auto id_of = [&](const std::string& name) -> ValueId {
    if (name.empty()) return -1;
    const auto [found, fresh] = ids.try_emplace(name, static_cast<ValueId>(graph.values.size()));
    if (fresh) {
      graph.values.push_back(scope.find(name));
      graph.values.back().weight = -1;
    }
    return found->second;
  };
  for (const auto& proto : body.node()) {
    if (is_constant(proto)) continue;
    Node& node = graph.nodes.emplace_back();
    node.op_type = proto.op_type();
    node.domain = normal_domain(proto.domain());
    for (const auto& attribute : proto.attribute()) node.attributes.push_back(to_attribute(attribute));
    for (const auto& name : proto.input()) node.inputs.push_back(id_of(name));
    for (const auto& name : proto.output()) node.outputs.push_back(id_of(name));
    node.body_flops = node_body_flops(proto, scope);
  }
  fill_costs(graph);
  uint64_t total = 0;
  for (const Node& node : graph.nodes) {
    if (__builtin_add_overflow(total, node.flops, &total)) return UINT64_MAX;
  }
  return total;
}

}  // namespace

BodyCensus count_bodies(const Graph& graph) {
  BodyCensus census;
  if (graph.source == nullptr) return census;
  for (const auto& node : graph.source->nodes)
    for_each_body(node, [&](const onnx::GraphProto& body) { count_body(body, census); });
  return census;
}

void cost_bodies(const google::protobuf::RepeatedPtrField<onnx::NodeProto>& inferred, Graph& graph) {
  std::unordered_map<std::string_view, Node*> with_bodies;
  for (Node& node : graph.nodes) {
    if (node.has_subgraph) with_bodies.emplace(node.name, &node);
  }
  if (with_bodies.empty()) return;
  Scope scope;
  for (const Value& value : graph.values) scope.values.emplace(value.name, value);
  for (const auto& proto : inferred) {
    const auto found = with_bodies.find(proto.name());
    if (found == with_bodies.end()) continue;
    found->second->body_flops = node_body_flops(proto, scope);
    BodyCensus census;
    for_each_body(proto, [&](const onnx::GraphProto& body) { count_body(body, census); });
    found->second->body_weight_bytes = census.weight_bytes;
  }
}

}  // namespace axle
