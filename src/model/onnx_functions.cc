// Model-local functions: bounded, then inlined by onnx's own inliner.
#include <fmt/format.h>

#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/text.h"
#include "model/onnx_validate.h"
#include "model/onnx_version.h"
#include "onnx/inliner/inliner.h"
#include "onnx/onnx_pb.h"

namespace axle {
namespace {

constexpr uint32_t kMaxCallDepth = 64;

std::string function_key(const std::string& domain, const std::string& name, const std::string& overload) {
  return normal_domain(domain) + "\n" + name + "\n" + overload;
}

struct Growth {
  uint64_t nodes = 0;
  uint64_t bytes = 0;
  Growth& operator+=(const Growth& other) {
    nodes += other.nodes;
    bytes += other.bytes;
    return *this;
  }
};

// Counts what inlining would make, so that a few kilobytes of functions that call each other twice cannot become 2^n nodes.
class GrowthCounter {
 public:
  GrowthCounter(const onnx::ModelProto& model, const ModelLimits& limits) : limits_(limits) {
    for (const auto& function : model.functions()) {
      Function& entry = functions_[function_key(function.domain(), function.name(), function.overload())];
      if (entry.proto != nullptr) twice_ = &function;
      entry.proto = &function;
    }
  }

  Status check(const onnx::ModelProto& model) { return count_nodes(model.graph().node(), 0).status(); }
  Status check_all() {
    if (twice_ != nullptr) {
      return invalid_argument_error(fmt::format("function '{}' is defined twice", printable(twice_->name(), 80)))
          .with_hint("export the model again");
    }
    for (auto& [key, function] : functions_) AXLE_RETURN_IF_ERROR(count_function(function, 0));
    return ok_status();
  }

 private:
  using Nodes = google::protobuf::RepeatedPtrField<onnx::NodeProto>;
  struct Function {
    const onnx::FunctionProto* proto = nullptr;
    bool open = false;
    std::optional<Growth> growth;
  };

  Result<Growth> count_nodes(const Nodes& nodes, uint32_t depth) {
    Growth total;
    for (const auto& node : nodes) {
      AXLE_ASSIGN_OR_RETURN(const Growth growth, count_node(node, depth));
      total += growth;
      if (total.nodes > limits_.max_nodes || total.bytes > limits_.max_structure_bytes) {
        return resource_exhausted_error(fmt::format("inlining the model's functions gives more than {} nodes or {} bytes",
                                                    limits_.max_nodes, limits_.max_structure_bytes))
            .with_hint("raise the model limits if this model is trusted");
      }
    }
    return total;
  }

  Result<Growth> count_node(const onnx::NodeProto& node, uint32_t depth) {
    Growth total{1, node.ByteSizeLong()};
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) {
        AXLE_ASSIGN_OR_RETURN(const Growth body, count_nodes(attribute.g().node(), depth));
        total += body;
      }
      for (const auto& graph : attribute.graphs()) {
        AXLE_ASSIGN_OR_RETURN(const Growth body, count_nodes(graph.node(), depth));
        total += body;
      }
    }
    const auto found = functions_.find(function_key(node.domain(), node.op_type(), node.overload()));
    if (found == functions_.end()) return total;
    AXLE_ASSIGN_OR_RETURN(const Growth body, count_function(found->second, depth));
    total += body;
    return total;
  }

  Result<Growth> count_function(Function& function, uint32_t depth) {
    if (function.growth) return *function.growth;
    if (function.open) {
      return invalid_argument_error(fmt::format("function '{}' calls itself", printable(function.proto->name(), 80)))
          .with_hint("export the model again");
    }
    if (depth >= kMaxCallDepth) {
      return resource_exhausted_error(fmt::format("functions call each other deeper than {} levels", kMaxCallDepth));
    }
    function.open = true;
    AXLE_ASSIGN_OR_RETURN(function.growth, count_nodes(function.proto->node(), depth + 1));
    function.open = false;
    return *function.growth;
  }

  const ModelLimits& limits_;
  const onnx::FunctionProto* twice_ = nullptr;
  std::unordered_map<std::string, Function> functions_;
};

}  // namespace

Status inline_functions(onnx::ModelProto& model, const ModelLimits& limits) {
  if (model.functions_size() == 0) return ok_status();
  // Also functions that nothing calls must be sound: the inliner looks at all of them.
  GrowthCounter counter(model, limits);
  AXLE_RETURN_IF_ERROR(counter.check(model));
  AXLE_RETURN_IF_ERROR(counter.check_all());
  try {
    onnx::inliner::InlineLocalFunctions(model, /*convert_version=*/false);
  } catch (const std::exception& error) {
    return invalid_argument_error(fmt::format("the model's functions cannot be inlined: {}", printable(error.what())))
        .with_hint("export the model without model-local functions");
  }
  return ok_status();
}

}  // namespace axle
