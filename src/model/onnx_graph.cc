#include "model/onnx_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "model/onnx_convert.h"
#include "model/onnx_source.h"
#include "model/onnx_version.h"
#include "model/share_weights.h"
#include "model/topological_order.h"

namespace axle {
namespace {

constexpr const char* kDamagedHint = "the model is damaged or was written by a faulty tool: export it again";

Status malformed(std::string text) { return invalid_argument_error(std::move(text)).with_hint(kDamagedHint); }

std::string describe(const onnx::NodeProto& node) {
  return fmt::format("node '{}' ({})", printable(node.name(), 80), printable(node.op_type(), 40));
}

// Names that the bodies of `node` take from outside, each once, in order of first use.
class CaptureFinder {
 public:
  explicit CaptureFinder(const onnx::NodeProto& node) { visit_bodies(node); }
  std::vector<std::string> take() { return std::move(found_); }

 private:
  void visit_bodies(const onnx::NodeProto& node) {
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) visit_graph(attribute.g());
      for (const auto& graph : attribute.graphs()) visit_graph(graph);
    }
  }

  void visit_graph(const onnx::GraphProto& graph) {
    auto& scope = scopes_.emplace_back();
    for (const auto& info : graph.input()) scope.insert(info.name());
    for (const auto& tensor : graph.initializer()) scope.insert(tensor.name());
    for (const auto& node : graph.node()) scope.insert(node.output().begin(), node.output().end());
    for (const auto& node : graph.node()) {
      for (const auto& name : node.input()) use(name);
      visit_bodies(node);
    }
    for (const auto& info : graph.output()) use(info.name());
    scopes_.pop_back();
  }

  void use(const std::string& name) {
    const bool local = std::any_of(scopes_.begin(), scopes_.end(), [&](const auto& scope) { return scope.contains(name); });
    if (!name.empty() && !local && seen_.insert(name).second) found_.push_back(name);
  }

  std::vector<std::unordered_set<std::string_view>> scopes_;
  std::unordered_set<std::string_view> seen_;
  std::vector<std::string> found_;
};

class GraphBuilder {
 public:
  GraphBuilder(onnx::ModelProto model, const LiftedModel* lifted, const TensorContext& context, const KnownWeights& known)
      : model_(std::move(model)), lifted_(lifted), context_(context), known_weights_(known),
        source_(std::make_shared<OnnxSource>()) {}

  Result<Graph> build() {
    read_header();
    AXLE_RETURN_IF_ERROR(add_weights());
    AXLE_RETURN_IF_ERROR(add_inputs());
    AXLE_RETURN_IF_ERROR(take_nodes());
    AXLE_RETURN_IF_ERROR(add_node_outputs());
    AXLE_RETURN_IF_ERROR(connect_nodes());
    AXLE_RETURN_IF_ERROR(sort_nodes());
    AXLE_RETURN_IF_ERROR(name_nodes());
    for (const auto& info : model_.graph().value_info()) declare_type(info);
    AXLE_RETURN_IF_ERROR(add_outputs());
    finish_source();
    return std::move(graph_);
  }

 private:
  void read_header() {
    graph_.name = model_.graph().name();
    graph_.ir_version = model_.ir_version();
    for (const auto& opset : model_.opset_import()) graph_.opsets[normal_domain(opset.domain())] = opset.version();
    // Files older than IR version 3 need not say it.
    if (model_.ir_version() < 3) graph_.opsets.try_emplace("", 1);
  }

  Result<ValueId> add_value(const std::string& name) {
    const auto id = static_cast<ValueId>(graph_.values.size());
    if (!ids_.emplace(name, id).second) return malformed(fmt::format("value '{}' is defined twice", printable(name, 80)));
    graph_.values.emplace_back().name = name;
    return id;
  }

  Status add_weight(const onnx::TensorProto& tensor, const std::string& name, const LiftedBytes* lifted) {
    if (name.empty()) return malformed("an initialiser has no name");
    std::shared_ptr<const Weight> weight;
    if (const auto known = known_weights_.find(name); known != known_weights_.end()) {
      weight = known->second;
    } else {
      AXLE_ASSIGN_OR_RETURN(weight, make_weight(tensor, name, lifted, context_));
    }
    AXLE_ASSIGN_OR_RETURN(const ValueId id, add_value(name));
    Value& value = graph_.values[id];
    value.dtype = weight->dtype;
    value.rank_known = true;
    for (const int64_t size : weight->shape) value.shape.push_back(Dim{size, {}});
    value.weight = static_cast<int32_t>(graph_.weights.size());
    graph_.weights.push_back(std::move(weight));
    return ok_status();
  }

  Status add_weights() {
    uint32_t position = 0;
    for (const auto& tensor : model_.graph().initializer()) {
      const LiftedBytes* lifted = nullptr;
      if (lifted_ != nullptr) {
        if (auto found = lifted_->initializers.find(position); found != lifted_->initializers.end()) lifted = &found->second;
      }
      AXLE_RETURN_IF_ERROR(add_weight(tensor, tensor.name(), lifted));
      ++position;
    }
    return ok_status();
  }

  // Old exporters list initialisers as inputs too: those are weights.
  Status add_inputs() {
    for (const auto& info : model_.graph().input()) {
      if (auto found = ids_.find(info.name()); found != ids_.end() && graph_.values[found->second].weight >= 0) continue;
      if (info.name().empty()) return malformed("a graph input has no name");
      AXLE_ASSIGN_OR_RETURN(const ValueId id, add_value(info.name()));
      declare_type(info);
      graph_.inputs.push_back(id);
    }
    return ok_status();
  }

  Status take_nodes() {
    for (auto& node : *model_.mutable_graph()->mutable_node()) {
      std::optional<onnx::TensorProto> constant = constant_value(node);
      if (!constant || node.output_size() != 1 || node.output(0).empty()) {
        protos_.push_back(&node);
        continue;
      }
      const LiftedBytes* lifted = nullptr;
      if (lifted_ != nullptr) {
        if (auto found = lifted_->constants.find(node.output(0)); found != lifted_->constants.end()) lifted = &found->second;
      }
      AXLE_RETURN_IF_ERROR(add_weight(*constant, node.output(0), lifted));
    }
    return ok_status();
  }

  Status add_node_outputs() {
    graph_.nodes.resize(protos_.size());
    for (size_t i = 0; i < protos_.size(); ++i) {
      for (const auto& name : protos_[i]->output()) {
        ValueId id = -1;
        if (!name.empty()) {
          AXLE_ASSIGN_OR_RETURN(id, add_value(name));
          graph_.values[id].producer = static_cast<NodeId>(i);
        }
        graph_.nodes[i].outputs.push_back(id);
      }
    }
    return ok_status();
  }

  Result<ValueId> find_used(const std::string& name, const onnx::NodeProto& node) const {
    const auto found = ids_.find(name);
    if (found != ids_.end()) return found->second;
    return malformed(fmt::format("{} uses value '{}', which nothing defines", describe(node), printable(name, 80)));
  }

  Status connect_nodes() {
    std::set<std::string> custom_domains;
    for (size_t i = 0; i < protos_.size(); ++i) {
      const onnx::NodeProto& proto = *protos_[i];
      Node& node = graph_.nodes[i];
      node.op_type = proto.op_type();
      node.domain = normal_domain(proto.domain());
      AXLE_ASSIGN_OR_RETURN(node.opset, opset_of(node.domain, proto));
      for (const auto& name : proto.input()) {
        ValueId id = -1;
        if (!name.empty()) {
          AXLE_ASSIGN_OR_RETURN(id, find_used(name, proto));
        }
        node.inputs.push_back(id);
      }
      for (const auto& attribute : proto.attribute()) {
        node.attributes.push_back(to_attribute(attribute));
        node.has_subgraph = node.has_subgraph || attribute.has_g() || attribute.graphs_size() > 0;
      }
      if (node.has_subgraph) {
        for (const auto& name : CaptureFinder(proto).take()) {
          AXLE_ASSIGN_OR_RETURN(const ValueId id, find_used(name, proto));
          node.captured.push_back(id);
        }
      }
      collect_custom_domains(proto, custom_domains);
    }
    graph_.custom_domains.assign(custom_domains.begin(), custom_domains.end());
    return ok_status();
  }

  Result<int64_t> opset_of(const std::string& domain, const onnx::NodeProto& proto) {
    if (const auto found = graph_.opsets.find(domain); found != graph_.opsets.end()) return found->second;
    if (domain.empty())
      return malformed(fmt::format("{} is an ONNX operator, but the model imports no opset of ai.onnx", describe(proto)));
    if (unimported_.insert(domain).second) {
      graph_.issues.push_back(
          fmt::format("operators of domain '{}' are used, but the model imports no opset of it", printable(domain, 80)));
    }
    return 0;
  }

  Status sort_nodes() {
    std::vector<std::vector<int32_t>> uses(graph_.nodes.size());
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      for (const auto* list : {&graph_.nodes[i].inputs, &graph_.nodes[i].captured}) {
        for (const ValueId id : *list) {
          if (id >= 0 && graph_.values[id].producer >= 0) uses[i].push_back(graph_.values[id].producer);
        }
      }
    }
    const TopologicalOrder sorted = order_topologically(uses);
    if (!sorted.cycle.empty()) return cycle_error(sorted.cycle);
    std::vector<Node> nodes;
    nodes.reserve(graph_.nodes.size());
    std::vector<onnx::NodeProto*> protos;
    for (const int32_t old : sorted.order) {
      for (const ValueId id : graph_.nodes[old].outputs) {
        if (id >= 0) graph_.values[id].producer = static_cast<NodeId>(nodes.size());
      }
      nodes.push_back(std::move(graph_.nodes[old]));
      protos.push_back(protos_[old]);
    }
    graph_.nodes = std::move(nodes);
    protos_ = std::move(protos);
    return ok_status();
  }

  Status cycle_error(const std::vector<int32_t>& cycle) const {
    constexpr size_t kShown = 8;
    std::string text = "the graph has a cycle: ";
    for (size_t i = 0; i < std::min(cycle.size(), kShown); ++i) text += describe(*protos_[cycle[i]]) + " -> ";
    text += cycle.size() > kShown ? fmt::format("... {} more", cycle.size() - kShown) : describe(*protos_[cycle.front()]);
    return malformed(std::move(text));
  }

  // Names are what verdicts, pins and plans point at, so each node gets one of its own.
  Status name_nodes() {
    std::unordered_set<std::string> taken;
    for (const onnx::NodeProto* proto : protos_) taken.insert(proto->name());
    std::unordered_set<std::string> used;
    std::unordered_map<std::string, uint64_t> counters;
    uint64_t renamed = 0;
    for (size_t i = 0; i < protos_.size(); ++i) {
      std::string name = protos_[i]->name();
      if (name.empty() || !used.insert(name).second) {
        renamed += name.empty() ? 0 : 1;
        const std::string base = name.empty() ? protos_[i]->op_type() : name;
        uint64_t& counter = counters.try_emplace(base, name.empty() ? 0 : 1).first->second;
        do {
          name = fmt::format("{}_{}", base, counter++);
        } while (taken.contains(name));
        taken.insert(name);
        used.insert(name);
        protos_[i]->set_name(name);
      }
      graph_.nodes[i].name = std::move(name);
    }
    if (renamed > 0) graph_.issues.push_back(fmt::format("{} nodes shared a name with another one and were renamed", renamed));
    return ok_status();
  }

  void declare_type(const onnx::ValueInfoProto& info) {
    const auto found = ids_.find(info.name());
    if (found == ids_.end()) return;
    Value& value = graph_.values[found->second];
    if (value.weight >= 0 || !info.has_type()) return;
    apply_type(info.type(), value);
    if (!value.is_tensor) source_->other_types[info.name()] = info.type();
  }

  Status add_outputs() {
    std::unordered_set<ValueId> seen;
    for (const auto& info : model_.graph().output()) {
      const auto found = ids_.find(info.name());
      if (found == ids_.end())
        return malformed(fmt::format("graph output '{}' is defined by nothing", printable(info.name(), 80)));
      if (!seen.insert(found->second).second)
        return malformed(fmt::format("graph output '{}' is listed twice", printable(info.name(), 80)));
      declare_type(info);
      graph_.outputs.push_back(found->second);
    }
    if (graph_.outputs.empty()) return malformed("the graph has no outputs");
    return ok_status();
  }

  void finish_source() {
    source_->folder = context_.external.folder();
    for (const auto& [location, file] : context_.external.files()) source_->locations.emplace(file->path(), location);
    source_->model_file = shareable_file(context_.model.path);
    source_->nodes.resize(protos_.size());
    for (size_t i = 0; i < protos_.size(); ++i) source_->nodes[i].Swap(protos_[i]);
    model_.clear_graph();
    source_->header = std::move(model_);
    graph_.source = std::move(source_);
  }

  onnx::ModelProto model_;
  const LiftedModel* lifted_;
  const TensorContext& context_;
  const KnownWeights& known_weights_;
  std::shared_ptr<OnnxSource> source_;
  Graph graph_;
  std::vector<onnx::NodeProto*> protos_;          // in step with graph_.nodes
  std::unordered_map<std::string, ValueId> ids_;
  std::unordered_set<std::string> unimported_;
};

}  // namespace

Result<Graph> build_graph(onnx::ModelProto model, const LiftedModel* lifted, const TensorContext& context,
                          const KnownWeights& known_weights) {
  return GraphBuilder(std::move(model), lifted, context, known_weights).build();
}

}  // namespace axle
