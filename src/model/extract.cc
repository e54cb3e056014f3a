#include "model/extract.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/hash.h"
#include "base/text.h"
#include "model/cost.h"
#include "model/onnx_source.h"
#include "model/onnx_writer.h"

namespace axle {
namespace {

constexpr uint64_t kSingleNodeConstantBytes = 64u << 10;

class Extractor {
 public:
  Extractor(const Graph& graph, const ExtractOptions& options)
      : graph_(graph), options_(options), source_(std::make_shared<OnnxSource>()) {}

  Result<std::shared_ptr<const Graph>> extract(std::vector<NodeId> nodes) {
    AXLE_RETURN_IF_ERROR(check(nodes));
    inside_.assign(graph_.nodes.size(), false);
    for (const NodeId id : nodes) inside_[id] = true;
    copy_header();
    for (const NodeId id : nodes) AXLE_RETURN_IF_ERROR(add_node(id));
    AXLE_RETURN_IF_ERROR(add_outputs(nodes));
    out_.digest = digest();
    out_.source = source_;
    fill_costs(out_);
    return seal_graph(std::move(out_));
  }

 private:
  Status check(std::vector<NodeId>& nodes) const {
    if (graph_.source == nullptr) {
      return failed_precondition_error(fmt::format("a model of format {} cannot be cut", graph_.format))
          .with_hint("hand it whole to an engine that reads it");
    }
    std::sort(nodes.begin(), nodes.end());
    if (nodes.empty()) return invalid_argument_error("a partition needs at least one node");
    if (nodes.front() < 0 || nodes.back() >= static_cast<NodeId>(graph_.nodes.size())) {
      return invalid_argument_error(fmt::format("the graph has no node {}", nodes.front() < 0 ? nodes.front() : nodes.back()));
    }
    if (const auto twice = std::adjacent_find(nodes.begin(), nodes.end()); twice != nodes.end()) {
      return invalid_argument_error(fmt::format("node '{}' is named twice in one partition", graph_.nodes[*twice].name));
    }
    return ok_status();
  }

  void copy_header() {
    out_.name = options_.name.empty() ? fmt::format("{}.part", graph_.name.empty() ? "graph" : graph_.name) : options_.name;
    out_.ir_version = graph_.ir_version;
    out_.opsets = graph_.opsets;
    source_->header = graph_.source->header;
    source_->folder = graph_.source->folder;
    source_->locations = graph_.source->locations;
    source_->model_file = graph_.source->model_file;
  }

  Status add_node(NodeId id) {
    const Node& old = graph_.nodes[id];
    Node node = old;
    node.inputs.clear();
    node.outputs.clear();
    node.captured.clear();
    const auto take = [&](const std::vector<ValueId>& from, std::vector<ValueId>& to) -> Status {
      for (const ValueId value : from) {
        ValueId mapped = -1;
        if (value >= 0) {
          AXLE_ASSIGN_OR_RETURN(mapped, use(value));
        }
        to.push_back(mapped);
      }
      return ok_status();
    };
    AXLE_RETURN_IF_ERROR(take(old.inputs, node.inputs));
    AXLE_RETURN_IF_ERROR(take(old.captured, node.captured));
    for (const ValueId value : old.outputs) node.outputs.push_back(value < 0 ? -1 : produce(value));
    for (const std::string& domain : graph_.custom_domains) {
      if (old.domain == domain &&
          std::find(out_.custom_domains.begin(), out_.custom_domains.end(), domain) == out_.custom_domains.end()) {
        out_.custom_domains.push_back(domain);
      }
    }
    source_->nodes.push_back(graph_.source->nodes[id]);
    out_.nodes.push_back(std::move(node));
    return ok_status();
  }

  ValueId copy_value(ValueId old) {
    const auto id = static_cast<ValueId>(out_.values.size());
    ids_.emplace(old, id);
    out_.values.push_back(graph_.values[old]);
    const Value& value = out_.values.back();
    if (!value.is_tensor) {
      if (const auto type = graph_.source->other_types.find(value.name); type != graph_.source->other_types.end())
        source_->other_types.insert(*type);
    }
    return id;
  }

  ValueId produce(ValueId old) {
    const ValueId id = copy_value(old);
    out_.values[id].producer = static_cast<NodeId>(out_.nodes.size());
    return id;
  }

  Result<ValueId> use(ValueId old) {
    if (const auto found = ids_.find(old); found != ids_.end()) return found->second;
    const Value& value = graph_.values[old];
    const bool stays_constant = value.weight >= 0 && graph_.weights[value.weight]->bytes.size() <= options_.max_constant_bytes;
    if (!stays_constant) AXLE_RETURN_IF_ERROR(check_cut(value));
    const ValueId id = copy_value(old);
    Value& copy = out_.values[id];
    copy.producer = -1;
    if (stays_constant) {
      copy.weight = static_cast<int32_t>(out_.weights.size());
      out_.weights.push_back(graph_.weights[value.weight]);
    } else {
      copy.weight = -1;
      out_.inputs.push_back(id);
    }
    return id;
  }

  static Status check_cut(const Value& value) {
    const auto refuse = [&](const char* why) {
      return failed_precondition_error(fmt::format("the graph cannot be cut at value '{}': {}", printable(value.name, 80), why))
          .with_hint("keep the nodes on both sides of it in one partition");
    };
    if (!value.is_tensor) return refuse("it is not a tensor");
    if (value.dtype == DataType::kUndefined) return refuse("its type is not known");
    return ok_status();
  }

  Status add_outputs(const std::vector<NodeId>& nodes) {
    std::vector<bool> is_end(graph_.values.size(), false);
    for (const ValueId id : graph_.outputs) is_end[id] = true;
    std::vector<bool> needed = is_end;
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (inside_[i]) continue;
      for (const auto* list : {&graph_.nodes[i].inputs, &graph_.nodes[i].captured}) {
        for (const ValueId id : *list) {
          if (id >= 0) needed[id] = true;
        }
      }
    }
    for (const NodeId node : nodes) {
      for (const ValueId id : graph_.nodes[node].outputs) {
        if (id < 0 || !(options_.outputs.empty() ? needed[id] : is_asked_for(id))) continue;
        if (!is_end[id]) AXLE_RETURN_IF_ERROR(check_cut(graph_.values[id]));
        out_.outputs.push_back(ids_.at(id));
      }
    }
    if (!out_.outputs.empty()) return ok_status();
    // Nobody uses the result: keep what the last node makes, so that the part is a model at all.
    for (const ValueId id : graph_.nodes[nodes.back()].outputs) {
      if (id >= 0) out_.outputs.push_back(ids_.at(id));
    }
    return ok_status();
  }

  bool is_asked_for(ValueId id) const {
    return std::ranges::find(options_.outputs, graph_.values[id].name) != options_.outputs.end();
  }

  // Names the part by where it comes from: no weights are read.
  std::string digest() const {
    Sha256 hash;
    hash.update_field(fmt::format("axle-subgraph-{}", kExtractorVersion)).update_field(graph_.digest);
    for (const Node& node : out_.nodes) hash.update_field(node.name);
    for (const auto* list : {&out_.inputs, &out_.outputs}) {
      hash.update_field(std::to_string(list->size()));
      for (const ValueId id : *list) {
        const Value& value = out_.values[id];
        hash.update_field(value.name)
            .update_field(data_type_name(value.dtype))
            .update_field(value.rank_known ? format_shape(value.shape) : "?");
      }
    }
    return hash.finish().to_string();
  }

  const Graph& graph_;
  const ExtractOptions& options_;
  std::shared_ptr<OnnxSource> source_;
  Graph out_;
  std::vector<bool> inside_;
  std::unordered_map<ValueId, ValueId> ids_;
};

}  // namespace

Result<std::shared_ptr<const Graph>> extract_graph(const Graph& graph, std::span<const NodeId> nodes,
                                                   const ExtractOptions& options) {
  return Extractor(graph, options).extract(std::vector<NodeId>(nodes.begin(), nodes.end()));
}

Result<std::shared_ptr<const Graph>> make_single_node_model(const Graph& graph, NodeId node) {
  ExtractOptions options;
  options.max_constant_bytes = kSingleNodeConstantBytes;
  const NodeId nodes[] = {node};
  return extract_graph(graph, nodes, options);
}

}  // namespace axle
