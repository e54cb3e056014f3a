#include "model/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "model/bodies.h"
#include "model/category.h"

namespace axle {
namespace {

void add_to(uint64_t& total, uint64_t amount) {
  if (__builtin_add_overflow(total, amount, &total)) total = UINT64_MAX;
}

uint64_t element_count_of(const Weight& weight) {
  uint64_t count = 1;
  for (const int64_t size : weight.shape) count *= static_cast<uint64_t>(size);
  return count;
}

std::vector<std::string> dynamic_axes(const Graph& graph) {
  std::vector<std::string> axes;
  const auto add = [&](std::string name) {
    if (std::find(axes.begin(), axes.end(), name) == axes.end()) axes.push_back(std::move(name));
  };
  for (const ValueId id : graph.inputs) {
    const Value& value = graph.values[id];
    if (!value.rank_known) add(value.name);
    for (size_t i = 0; i < value.shape.size(); ++i) {
      const Dim& dim = value.shape[i];
      if (!dim.is_static()) add(dim.symbol.empty() ? fmt::format("{}[{}]", value.name, i) : dim.symbol);
    }
  }
  return axes;
}

void summarise_graph(const Graph& graph, ModelSummary& summary) {
  summary.node_count = graph.nodes.size();
  summary.cost_exact = true;
  for (const Node& node : graph.nodes) {
    ++summary.op_counts[node.domain.empty() ? node.op_type : node.domain + ":" + node.op_type];
    add_to(summary.flops, node.flops);
    add_to(summary.activation_bytes, node.activation_bytes);
    summary.cost_exact = summary.cost_exact && node.cost_exact;
  }
  for (const auto& weight : graph.weights) {
    summary.parameter_count += element_count_of(*weight);
    summary.weight_bytes += weight->bytes.size();
  }
  const BodyCensus bodies = count_bodies(graph);
  for (const auto& [op, count] : bodies.op_counts) summary.op_counts[op] += count;
  summary.parameter_count += bodies.parameter_count;
  summary.weight_bytes += bodies.weight_bytes;
  Category category = classify(graph, summary.op_counts);
  summary.category = std::move(category.name);
  summary.category_reason = std::move(category.reason);
}

// Formats that are not seen as a graph: from what they say of themselves.
void classify_whole(ModelFormat format, const Inspection& inspection, ModelSummary& summary) {
  constexpr std::array<std::string_view, 2> kTransformerKeys = {"architectures", "general.architecture"};
  const bool may_be_llm = format == ModelFormat::kGguf || format == ModelFormat::kHfFolder;
  for (const std::string_view key : kTransformerKeys) {
    const auto found = inspection.metadata.find(std::string(key));
    if (may_be_llm && found != inspection.metadata.end()) {
      const bool vision = found->second.find("ViT") != std::string::npos || found->second.find("Swin") != std::string::npos;
      const bool speech =
          found->second.find("Whisper") != std::string::npos || found->second.find("Wav2Vec2") != std::string::npos;
      summary.category = vision ? "VISION_TRANSFORMER" : speech ? "SPEECH_RNN" : "LLM_TRANSFORMER";
      summary.category_reason = fmt::format("the file names its architecture: {}", found->second);
      return;
    }
  }
  summary.category = "OTHER";
  summary.category_reason = fmt::format("a model of format {} is not seen as a graph", model_format_name(format));
}

}  // namespace

ModelSummary summarise(const Graph& graph, ModelFormat format, const Inspection& inspection) {
  ModelSummary summary;
  summary.dynamic_axes = dynamic_axes(graph);
  summary.issues = graph.issues;
  if (format == ModelFormat::kOnnx) {
    summarise_graph(graph, summary);
    return summary;
  }
  summary.op_counts = inspection.op_counts;
  summary.parameter_count = inspection.parameter_count;
  summary.weight_bytes = inspection.weight_bytes;
  classify_whole(format, inspection, summary);
  return summary;
}

}  // namespace axle
