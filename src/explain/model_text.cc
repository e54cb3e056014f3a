#include <fmt/format.h>

#include <algorithm>

#include "axle/convert.h"
#include "axle/explain.h"
#include "base/json.h"
#include "explain/text_table.h"

namespace axle {
namespace {

std::string count_text(uint64_t count) {
  const auto value = static_cast<double>(count);
  if (count < 10'000) return std::to_string(count);
  if (count < 10'000'000) return fmt::format("{:.3g} k", value / 1e3);
  if (count < 10'000'000'000) return fmt::format("{:.3g} M", value / 1e6);
  return fmt::format("{:.3g} G", value / 1e9);
}

void add_specs(const char* title, const std::vector<IoSpec>& specs, const TextStyle& style, std::string& out) {
  if (specs.empty()) return;
  TextTable table({{title}, {"dtype"}, {"shape", false, true}});
  for (const IoSpec& spec : specs) {
    table.add_row(
        {{spec.name}, {std::string(data_type_name(spec.dtype))}, {spec.rank_known ? format_shape(spec.shape) : "any rank"}});
  }
  out += table.render(style.width, style.color, "  ") + "\n";
}

std::string ops_text(const ModelSummary& summary, size_t limit) {
  std::vector<std::pair<std::string, uint64_t>> ops(summary.op_counts.begin(), summary.op_counts.end());
  std::stable_sort(ops.begin(), ops.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  std::string text;
  for (size_t i = 0; i < ops.size() && i < limit; ++i)
    text += fmt::format("{}{} {}", i ? ", " : "", ops[i].second, ops[i].first);
  if (ops.size() > limit) text += fmt::format(", and {} more kinds", ops.size() - limit);
  return text;
}

Json specs_json(const std::vector<IoSpec>& specs) {
  Json list = Json::array();
  for (const IoSpec& spec : specs) {
    Json shape = Json::array();
    for (const Dim& dim : spec.shape) {
      if (dim.is_static())
        shape.push_back(dim.size);
      else
        shape.push_back(dim.symbol.empty() ? Json(nullptr) : Json(dim.symbol));
    }
    list.push_back({{"name", spec.name},
                    {"dtype", std::string(data_type_name(spec.dtype))},
                    {"shape", spec.rank_known ? std::move(shape) : Json(nullptr)},
                    {"optional", spec.optional}});
  }
  return list;
}

void add_opinions(const std::vector<EngineOpinion>& opinions, const TextStyle& style, std::string& out) {
  TextTable table({{"engine"}, {"on"}, {"precision"}, {"says"}, {"why", false, true}});
  for (const EngineOpinion& opinion : opinions) {
    if (!opinion.absent_reason.empty()) {
      table.add_row({{opinion.engine}, {""}, {""}, {"absent", Tone::kBad}, {opinion.absent_reason}});
      continue;
    }
    const bool yes = opinion.verdict.graph.kind == VerdictKind::kYes;
    std::string why = opinion.verdict.graph.text;
    if (!opinion.nodes.empty()) {
      const NodeReason& first = opinion.nodes.front();
      why = fmt::format("{} nodes refused, first {} ({}): {}", opinion.nodes.size(), first.node, first.op, first.reason);
    }
    table.add_row({{opinion.engine},
                   {opinion.resource},
                   {opinion.precision},
                   {std::string(verdict_kind_name(opinion.verdict.graph.kind)), yes ? Tone::kGood : Tone::kWarn},
                   {why}});
  }
  if (!table.empty()) out += table.render(style.width, style.color, "  ");
}

// What no engine reads and axle runs all the same.
std::string conversion_text(const Model& model) {
  if (!needs_conversion(model.format())) return "";
  return "  converted to ONNX by torch, and asked about then, when it is planned or run: axle plan, axle run\n";
}

Json opinion_json(const EngineOpinion& opinion) {
  Json row = {{"engine", opinion.engine},
              {"present", opinion.absent_reason.empty()},
              {"resource", opinion.resource},
              {"precision", opinion.precision},
              {"verdict", std::string(verdict_kind_name(opinion.verdict.graph.kind))},
              {"code", opinion.verdict.graph.code},
              {"reason", opinion.absent_reason.empty() ? opinion.verdict.graph.text : opinion.absent_reason},
              {"nodes", Json::array()}};
  for (const NodeReason& node : opinion.nodes) {
    row["nodes"].push_back({{"name", node.node}, {"op", node.op}, {"code", node.code}, {"reason", node.reason}});
  }
  return row;
}

}  // namespace

std::string render_model_text(const Model& model, const std::vector<EngineOpinion>& opinions, const TextStyle& style) {
  std::string out = toned(model.path().empty() ? model.name() : model.path(), Tone::kStrong, style.color) + "\n";
  out += fmt::format("  format    {}{}{}\n  digest    {}\n", model.format_name(), model.producer().empty() ? "" : ", made by ",
                     model.producer(), model.digest());
  std::string opsets;
  for (const auto& [domain, version] : model.opsets()) {
    opsets += fmt::format("{}{} {}", opsets.empty() ? "" : ", ", domain.empty() ? "ai.onnx" : domain, version);
  }
  if (!opsets.empty()) out += "  opset     " + opsets + "\n";
  if (const auto summary = model.summary(); summary) {
    out += fmt::format("  category  {} ({})\n", summary->category, summary->category_reason);
    if (summary->node_count > 0) {
      out += fmt::format("  nodes     {}: {}\n", summary->node_count, ops_text(*summary, style.verbose ? 1000 : 8));
      out += fmt::format("  work      {}{} FLOPs, {} moved per run\n", summary->cost_exact ? "" : "at least ",
                         count_text(summary->flops), format_size(summary->activation_bytes + summary->weight_bytes));
    }
    if (summary->parameter_count > 0) {
      out += fmt::format("  weights   {} parameters, {}\n", count_text(summary->parameter_count),
                         format_size(summary->weight_bytes));
    }
    if (!summary->dynamic_axes.empty()) out += fmt::format("  dynamic   {}\n", fmt::join(summary->dynamic_axes, ", "));
    for (const std::string& issue : summary->issues) out += toned("  note      " + issue, Tone::kWarn, style.color) + "\n";
  } else {
    out += "  analysis  " + summary.error().message() + "\n";
  }
  out += "\n";
  add_specs("input", model.inputs(), style, out);
  add_specs("output", model.outputs(), style, out);
  add_opinions(opinions, style, out);
  return out + conversion_text(model);
}

Result<std::string> render_model_json(const Model& model, const std::vector<EngineOpinion>& opinions) {
  Json document = {{"path", model.path()},
                   {"format", std::string(model.format_name())},
                   {"digest", model.digest()},
                   {"name", model.name()},
                   {"producer", model.producer()},
                   {"opsets", model.opsets()},
                   {"metadata", model.metadata()},
                   {"inputs", specs_json(model.inputs())},
                   {"outputs", specs_json(model.outputs())}};
  AXLE_ASSIGN_OR_RETURN(const ModelSummary summary, model.summary());
  document["category"] = summary.category;
  document["category_reason"] = summary.category_reason;
  document["nodes"] = summary.node_count;
  document["ops"] = summary.op_counts;
  document["parameters"] = summary.parameter_count;
  document["weight_bytes"] = summary.weight_bytes;
  document["flops"] = summary.flops;
  document["activation_bytes"] = summary.activation_bytes;
  document["cost_exact"] = summary.cost_exact;
  document["dynamic_axes"] = summary.dynamic_axes;
  document["issues"] = summary.issues;
  document["engines"] = Json::array();
  for (const EngineOpinion& opinion : opinions) document["engines"].push_back(opinion_json(opinion));
  return canonical_json(document);
}

}  // namespace axle
