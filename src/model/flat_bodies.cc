#include "model/flat_bodies.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "model/infer.h"
#include "model/onnx_convert.h"
#include "model/onnx_graph.h"
#include "model/onnx_source.h"
#include "model/onnx_version.h"
#include "model/onnx_writer.h"

namespace axle {
namespace {

using Names = std::vector<std::string>;

// Names of one body, over those of the graphs around it. The main graph's stay as they are.
struct Scope {
  const Scope* outer = nullptr;
  std::unordered_map<std::string, std::string> renamed;

  const std::string& find(const std::string& name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->outer) {
      if (const auto found = scope->renamed.find(name); found != scope->renamed.end()) return found->second;
    }
    return name;
  }
};

// What a value is made of. `dropped_axis`: of the first of `from`, in each slice of it; -1 = none.
struct Flow {
  std::string_view op = kFlowNew;
  Names from;
  int64_t dropped_axis = -1;
};

int64_t integer(const onnx::NodeProto& node, std::string_view name, int64_t fallback) {
  for (const auto& attribute : node.attribute()) {
    if (attribute.name() == name) return attribute.i();
  }
  return fallback;
}

std::string at(const Names& names, size_t index) { return index < names.size() ? names[index] : std::string(); }

class Flattener {
 public:
  explicit Flattener(const Graph& graph) : graph_(graph), model_(graph.source->header), out_(*model_.mutable_graph()) {}

  onnx::ModelProto flatten() {
    auto& flow = *model_.add_opset_import();
    flow.set_domain(std::string(kFlowDomain));
    flow.set_version(1);
    out_.set_name(graph_.name.empty() ? "graph" : graph_.name);
    for (const Value& value : graph_.values) {
      if (const auto other = graph_.source->other_types.find(value.name); other != graph_.source->other_types.end())
        types_[value.name] = other->second;
      else if (value.dtype != DataType::kUndefined)
        fill_type(value, types_[value.name]);
    }
    for (const ValueId id : graph_.inputs) add_info(graph_.values[static_cast<size_t>(id)].name, *out_.add_input());
    for (const ValueId id : graph_.outputs) add_info(graph_.values[static_cast<size_t>(id)].name, *out_.add_output());
    for (const auto& weight : graph_.weights) out_.add_initializer()->set_name(weight->name);
    const Scope main;
    for (const auto& node : graph_.source->nodes) add_node(node, main);
    return std::move(model_);
  }

 private:
  void add_info(const std::string& name, onnx::ValueInfoProto& info) {
    info.set_name(name);
    if (const auto type = types_.find(name); type != types_.end()) *info.mutable_type() = type->second;
  }

  void add_node(const onnx::NodeProto& proto, const Scope& scope) {
    onnx::NodeProto& node = *out_.add_node();
    node.set_name(proto.name());
    node.set_op_type(proto.op_type());
    node.set_domain(proto.domain());
    std::vector<const onnx::GraphProto*> bodies;
    for (const auto& attribute : proto.attribute()) {
      if (attribute.has_g()) bodies.push_back(&attribute.g());
      for (const auto& graph : attribute.graphs()) bodies.push_back(&graph);
      if (!attribute.has_g() && attribute.graphs_size() == 0) *node.add_attribute() = attribute;
    }
    Names inputs, outputs;
    for (const auto& name : proto.input()) inputs.push_back(name.empty() ? name : scope.find(name));
    for (const auto& name : proto.output()) outputs.push_back(name.empty() ? name : scope.find(name));
    for (const auto& name : inputs) node.add_input(name);
    const bool standard = normal_domain(proto.domain()).empty() && !bodies.empty() &&
                          (proto.op_type() == "If" || proto.op_type() == "Loop" || proto.op_type() == "Scan");
    if (standard) node.set_domain(std::string(kFlowDomain));  // without its bodies it is no operator of ONNX
    if (standard && proto.op_type() == "If") return add_if(bodies, scope, outputs);
    if (standard && proto.op_type() == "Loop") return add_loop(*bodies.front(), scope, inputs, outputs);
    if (standard) return add_scan(proto, *bodies.front(), scope, inputs, outputs);
    for (const auto& name : outputs) node.add_output(name);
    for (const auto* body : bodies) add_body(*body, scope, {});
  }

  void add_if(const std::vector<const onnx::GraphProto*>& branches, const Scope& scope, const Names& outputs) {
    std::vector<Names> given;
    for (const auto* branch : branches) given.push_back(add_body(*branch, scope, {}));
    for (size_t i = 0; i < outputs.size(); ++i) {
      Flow flow{kFlowSame, {}};
      for (const Names& names : given) flow.from.push_back(at(names, i));
      add_flow(flow, outputs[i]);
    }
  }

  // Inputs: turns, condition, states. Body: number of the turn, condition, states -> condition, states, what is put together.
  void add_loop(const onnx::GraphProto& body, const Scope& scope, const Names& inputs, const Names& outputs) {
    std::vector<Flow> flows = {Flow{}};
    for (size_t i = 1; i < inputs.size(); ++i) flows.push_back({kFlowSame, {inputs[i]}});
    const Names given = add_body(body, scope, flows);
    const size_t states = inputs.size() < 2 ? 0 : inputs.size() - 2;
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (i < states)
        add_flow({kFlowSame, {inputs[2 + i], at(given, 1 + i)}}, outputs[i]);
      else
        add_flow({kFlowMoved, {at(given, 1 + i)}}, outputs[i]);
    }
  }

  // Inputs: states, what is walked along. Opset 8 has lengths before them, and an axis of batches in all.
  void add_scan(const onnx::NodeProto& proto, const onnx::GraphProto& body, const Scope& scope, const Names& inputs,
                const Names& outputs) {
    const auto opset = graph_.opsets.find("");
    const bool batched = opset != graph_.opsets.end() && opset->second < 9;
    const size_t first = batched ? 1 : 0;
    const size_t given_inputs = inputs.size() - std::min(first, inputs.size());
    const auto walked = static_cast<size_t>(std::clamp<int64_t>(integer(proto, "num_scan_inputs", 0), 0, INT32_MAX));
    const size_t states = given_inputs - std::min(walked, given_inputs);
    std::vector<int64_t> axes;
    for (const auto& attribute : proto.attribute()) {
      if (attribute.name() == "scan_input_axes") axes.assign(attribute.ints().begin(), attribute.ints().end());
    }
    std::vector<Flow> flows;
    for (size_t i = 0; i < given_inputs; ++i) {
      const bool state = i < states;
      const int64_t axis = state || i - states >= axes.size() ? 0 : axes[i - states];
      Flow flow{state && !batched ? kFlowSame : kFlowMoved, {inputs[first + i]}};
      if (!state && !batched) flow.dropped_axis = std::max<int64_t>(axis, 0);
      flows.push_back(std::move(flow));
    }
    const Names given = add_body(body, scope, flows);
    for (size_t i = 0; i < outputs.size(); ++i) {
      if (i < states)
        add_flow({batched ? kFlowMoved : kFlowSame, {inputs[first + i], at(given, i)}}, outputs[i]);
      else
        add_flow({kFlowMoved, {at(given, i)}}, outputs[i]);
    }
  }

  // Returns what its outputs are called here. Inputs beyond `flows` come from nowhere.
  Names add_body(const onnx::GraphProto& body, const Scope& outer, const std::vector<Flow>& flows) {
    Scope scope{&outer, {}};
    const std::string prefix = fmt::format("{}.{}/", kFlowDomain, bodies_++);
    const auto rename = [&](const std::string& name) {
      if (!name.empty()) scope.renamed.emplace(name, prefix + name);
    };
    std::unordered_set<std::string_view> constant;
    for (const auto& tensor : body.initializer()) {
      rename(tensor.name());
      constant.insert(tensor.name());
      onnx::TensorProto& copy = *out_.add_initializer();
      copy = tensor;
      copy.set_name(scope.find(tensor.name()));
    }
    for (const auto& info : body.input()) rename(info.name());
    for (const auto& node : body.node()) std::ranges::for_each(node.output(), rename);
    for (const auto* infos : {&body.input(), &body.value_info(), &body.output()}) {
      for (const auto& info : *infos) {
        if (info.has_type() && scope.renamed.contains(info.name())) declare(scope.find(info.name()), info.type());
      }
    }
    for (int i = 0; i < body.input_size(); ++i) {
      const std::string& name = body.input(i).name();
      if (name.empty() || constant.contains(name)) continue;
      const Flow flow = static_cast<size_t>(i) < flows.size() ? flows[static_cast<size_t>(i)] : Flow{};
      take_type(flow, scope.find(name));
      add_flow(flow, scope.find(name));
    }
    for (const auto& node : body.node()) add_node(node, scope);
    Names given;
    for (const auto& info : body.output()) given.push_back(scope.find(info.name()));
    return given;
  }

  void declare(const std::string& name, const onnx::TypeProto& type) {
    types_[name] = type;
    add_info(name, *out_.add_value_info());
  }

  void add_flow(const Flow& flow, const std::string& to) {
    if (to.empty()) return;
    onnx::NodeProto& node = *out_.add_node();
    node.set_op_type(std::string(flow.op));
    node.set_domain(std::string(kFlowDomain));
    for (const std::string& from : flow.from) {
      if (!from.empty()) node.add_input(from);
    }
    node.add_output(to);
    if (types_.contains(to)) add_info(to, *out_.add_value_info());
  }

  // Bodies seldom say all of their inputs' shapes, and nothing is inferred through flow nodes. A state that grows has the
  // shape of its first turn.
  void take_type(const Flow& flow, const std::string& to) {
    const auto source = flow.from.empty() ? types_.end() : types_.find(flow.from.front());
    if (source == types_.end() || (flow.op == kFlowMoved && flow.dropped_axis < 0)) return;
    onnx::TypeProto type = source->second;
    if (!type.tensor_type().has_shape()) return;
    auto& dims = *type.mutable_tensor_type()->mutable_shape()->mutable_dim();
    if (flow.dropped_axis >= dims.size()) return;
    if (flow.dropped_axis >= 0) dims.erase(dims.begin() + static_cast<int>(flow.dropped_axis));
    if (const auto known = types_.find(to); known != types_.end() && known->second.tensor_type().has_shape()) {
      const auto& declared = known->second.tensor_type().shape().dim();
      if (declared.size() != dims.size()) return;
      for (int i = 0; i < dims.size(); ++i) {
        if (declared[i].has_dim_value()) dims[i] = declared[i];
      }
    }
    declare(to, type);
  }

  const Graph& graph_;
  onnx::ModelProto model_;
  onnx::GraphProto& out_;
  std::unordered_map<std::string, onnx::TypeProto> types_;  // of values by their names here
  int bodies_ = 0;
};

}  // namespace

Result<std::shared_ptr<const Graph>> flat_bodies(std::shared_ptr<const Graph> graph) {
  const bool any = std::ranges::any_of(graph->nodes, [](const Node& node) { return node.has_subgraph; });
  if (!any || graph->source == nullptr) return graph;
  try {
    KnownWeights weights;
    for (const auto& weight : graph->weights) weights[weight->name] = weight;
    const ModelOptions options;
    ExternalData external(graph->source->folder, options);
    const ModelBytes no_bytes;
    const TensorContext context{no_bytes, external, options.limits};
    AXLE_ASSIGN_OR_RETURN(Graph flat, build_graph(Flattener(*graph).flatten(), nullptr, context, weights));
    infer_values(flat);
    return seal_graph(std::move(flat));
  } catch (const std::exception& error) {
    return internal_error(fmt::format("the bodies of the model's nodes cannot be looked into: {}", error.what()));
  }
}

}  // namespace axle
