#include "model/onnx_validate.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <unordered_set>

#include "base/text.h"
#include "base/utf8.h"
#include "model/onnx_version.h"
#include "onnx/onnx_pb.h"

namespace axle {
namespace {

constexpr const char* kDamagedHint = "the model is damaged or was written by a faulty tool: export it again";
constexpr const char* kLimitHint = "raise the model limits if this model is trusted";

Status malformed(std::string text) { return invalid_argument_error(std::move(text)).with_hint(kDamagedHint); }
Status over_limit(std::string text) { return resource_exhausted_error(std::move(text)).with_hint(kLimitHint); }

std::string describe(const onnx::NodeProto& node) {
  return fmt::format("node '{}' ({})", printable(node.name(), 80), printable(node.op_type(), 40));
}

class Validator {
 public:
  Validator(const LiftedModel& lifted, const TensorContext& context)
      : lifted_(lifted), context_(context), limits_(context.limits) {}

  Status check_model(const onnx::ModelProto& model) {
    AXLE_RETURN_IF_ERROR(check_graph(model.graph(), 0));
    in_function_ = true;
    for (const auto& function : model.functions()) {
      AXLE_RETURN_IF_ERROR(check_name(function.name(), "a function"));
      AXLE_RETURN_IF_ERROR(check_name(function.domain(), "a function's domain"));
      for (const auto& node : function.node()) AXLE_RETURN_IF_ERROR(check_node(node, 0));
    }
    in_function_ = false;
    return ok_status();
  }

 private:
  Status check_name(std::string_view name, std::string_view what) const {
    if (name.size() > limits_.max_name_bytes) {
      return over_limit(
          fmt::format("the name of {} has {} bytes, over the limit of {}", what, name.size(), limits_.max_name_bytes));
    }
    if (!is_valid_utf8(name)) return malformed(fmt::format("the name of {} is not UTF-8: '{}'", what, printable(name, 60)));
    return ok_status();
  }

  Status check_graph(const onnx::GraphProto& graph, uint32_t depth) {
    if (depth > limits_.max_subgraph_depth) {
      return over_limit(fmt::format("graphs are nested deeper than {} levels", limits_.max_subgraph_depth));
    }
    if (graph.sparse_initializer_size() > 0) {
      return unimplemented_error(
                 fmt::format("graph '{}' has sparse initialisers, which axle does not read", printable(graph.name(), 80)))
          .with_hint("export the model with dense weights");
    }
    AXLE_RETURN_IF_ERROR(check_name(graph.name(), "a graph"));
    for (const auto* infos : {&graph.input(), &graph.output(), &graph.value_info()}) {
      values_ += static_cast<uint64_t>(infos->size());
      for (const auto& info : *infos) {
        AXLE_RETURN_IF_ERROR(check_name(info.name(), "a value"));
        AXLE_RETURN_IF_ERROR(check_type(info));
      }
    }
    for (const auto& tensor : graph.initializer()) AXLE_RETURN_IF_ERROR(check_name(tensor.name(), "an initialiser"));
    for (const auto& node : graph.node()) AXLE_RETURN_IF_ERROR(check_node(node, depth));
    if (values_ > limits_.max_values) return over_limit(fmt::format("the model has more than {} values", limits_.max_values));
    return depth == 0 ? ok_status() : check_nested(graph);
  }

  Status check_type(const onnx::ValueInfoProto& info) const {
    if (!info.type().has_tensor_type()) return ok_status();
    const auto& shape = info.type().tensor_type().shape();
    if (static_cast<uint32_t>(shape.dim_size()) > limits_.max_rank) {
      return over_limit(fmt::format("value '{}' has rank {}, over the limit of {}", printable(info.name(), 80),
                                    shape.dim_size(), limits_.max_rank));
    }
    for (const auto& dim : shape.dim()) AXLE_RETURN_IF_ERROR(check_name(dim.dim_param(), "a dimension"));
    return ok_status();
  }

  Status check_node(const onnx::NodeProto& node, uint32_t depth) {
    if (++nodes_ > limits_.max_nodes) return over_limit(fmt::format("the model has more than {} nodes", limits_.max_nodes));
    values_ += static_cast<uint64_t>(node.output_size());
    AXLE_RETURN_IF_ERROR(check_name(node.name(), "a node"));
    AXLE_RETURN_IF_ERROR(check_name(node.op_type(), "an operator"));
    AXLE_RETURN_IF_ERROR(check_name(node.domain(), "a domain"));
    if (node.op_type().empty()) return malformed(fmt::format("node '{}' has no operator", printable(node.name(), 80)));
    for (const auto& name : node.input()) AXLE_RETURN_IF_ERROR(check_name(name, "a value"));
    for (const auto& name : node.output()) AXLE_RETURN_IF_ERROR(check_name(name, "a value"));
    if (static_cast<uint32_t>(node.attribute_size()) > limits_.max_attributes_per_node) {
      return over_limit(fmt::format("{} has {} attributes, over the limit of {}", describe(node), node.attribute_size(),
                                    limits_.max_attributes_per_node));
    }
    std::unordered_set<std::string_view> names;
    for (const auto& attribute : node.attribute()) {
      if (!names.insert(attribute.name()).second) {
        return malformed(fmt::format("{} has attribute '{}' twice", describe(node), printable(attribute.name(), 40)));
      }
      AXLE_RETURN_IF_ERROR(check_attribute(node, attribute, depth));
    }
    return ok_status();
  }

  Status check_attribute(const onnx::NodeProto& node, const onnx::AttributeProto& attribute, uint32_t depth) {
    AXLE_RETURN_IF_ERROR(check_name(attribute.name(), "an attribute"));
    if (!attribute.ref_attr_name().empty() && !in_function_) {
      return malformed(fmt::format("{}: attribute '{}' refers to a function's attribute outside of a function", describe(node),
                                   printable(attribute.name(), 40)));
    }
    if (attribute.has_sparse_tensor() || attribute.sparse_tensors_size() > 0) {
      return unimplemented_error(fmt::format("{} has a sparse tensor, which axle does not read", describe(node)))
          .with_hint("export the model with dense weights");
    }
    const std::string place = fmt::format("{} of {}", printable(attribute.name(), 40), describe(node));
    // The builder checks what was lifted, against the dims that claim it.
    const bool is_lifted = !in_function_ && depth == 0 && node.output_size() == 1 && lifted_.constants.contains(node.output(0));
    if (attribute.has_t() && !is_lifted) AXLE_RETURN_IF_ERROR(check_tensor(attribute.t(), place, context_));
    for (const auto& tensor : attribute.tensors()) AXLE_RETURN_IF_ERROR(check_tensor(tensor, place, context_));
    if (attribute.has_g()) AXLE_RETURN_IF_ERROR(check_graph(attribute.g(), depth + 1));
    for (const auto& graph : attribute.graphs()) AXLE_RETURN_IF_ERROR(check_graph(graph, depth + 1));
    return ok_status();
  }

  // A nested graph must be sorted, with every name defined once; its tensors must be whole.
  Status check_nested(const onnx::GraphProto& graph) const {
    std::unordered_set<std::string_view> all, defined;
    const auto define_twice = [&](std::string_view name) {
      return malformed(
          fmt::format("value '{}' is defined twice in nested graph '{}'", printable(name, 80), printable(graph.name(), 80)));
    };
    for (const auto& info : graph.input()) {
      if (!all.insert(info.name()).second) return define_twice(info.name());
      defined.insert(info.name());
    }
    for (const auto& tensor : graph.initializer()) {
      AXLE_RETURN_IF_ERROR(check_tensor(tensor, tensor.name(), context_));
      all.insert(tensor.name());
      if (graph.input_size() == 0 && defined.contains(tensor.name())) return define_twice(tensor.name());
      defined.insert(tensor.name());
    }
    for (const auto& node : graph.node()) {
      for (const auto& name : node.output()) {
        if (!name.empty() && !all.insert(name).second) return define_twice(name);
      }
    }
    for (const auto& node : graph.node()) {
      for (const auto& name : node.input()) {
        if (all.contains(name) && !defined.contains(name)) {
          return malformed(fmt::format("{} in nested graph '{}' uses '{}' before it is defined", describe(node),
                                       printable(graph.name(), 80), printable(name, 80)));
        }
      }
      for (const auto& name : node.output()) defined.insert(name);
    }
    return ok_status();
  }

  const LiftedModel& lifted_;
  const TensorContext& context_;
  const ModelLimits& limits_;
  uint64_t nodes_ = 0;
  uint64_t values_ = 0;
  bool in_function_ = false;
};

}  // namespace

Status check_versions(const onnx::ModelProto& model) {
  if (model.ir_version() <= 0) return malformed(fmt::format("the model has IR version {}", model.ir_version()));
  if (model.ir_version() > newest_ir_version()) {
    return unimplemented_error(
               fmt::format("the model has IR version {}; the newest known here is {}", model.ir_version(), newest_ir_version()))
        .with_hint("update axle, or export the model for an older ONNX");
  }
  std::unordered_set<std::string> domains;
  for (const auto& opset : model.opset_import()) {
    const std::string domain = normal_domain(opset.domain());
    const std::string shown = domain.empty() ? "ai.onnx" : printable(domain, 80);
    if (!is_valid_utf8(domain)) return malformed("the name of an imported domain is not UTF-8");
    if (!domains.insert(domain).second) return malformed(fmt::format("the model imports opset domain {} twice", shown));
    if (opset.version() <= 0) return malformed(fmt::format("the model imports opset {} of {}", opset.version(), shown));
    const int64_t newest = newest_opset(domain);
    if (newest > 0 && opset.version() > newest) {
      return unimplemented_error(
                 fmt::format("the model uses opset {} of {}; the newest known here is {}", opset.version(), shown, newest))
          .with_hint("update axle, or export the model with an older opset");
    }
  }
  return ok_status();
}

Status check_structure(const onnx::ModelProto& model, const LiftedModel& lifted, const TensorContext& context) {
  return Validator(lifted, context).check_model(model);
}

}  // namespace axle
