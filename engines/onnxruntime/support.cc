#include "support.h"

#include <algorithm>
#include <array>

#include "model_bytes.h"

namespace axle::ort {
namespace {

constexpr std::array<std::string_view, 14> kQuantisedOps = {"QuantizeLinear",
                                                            "DequantizeLinear",
                                                            "DynamicQuantizeLinear",
                                                            "QLinearConv",
                                                            "QLinearMatMul",
                                                            "MatMulInteger",
                                                            "ConvInteger",
                                                            "QLinearAdd",
                                                            "QLinearMul",
                                                            "QLinearGlobalAveragePool",
                                                            "DynamicQuantizeMatMul",
                                                            "MatMulIntegerToFloat",
                                                            "QGemm",
                                                            "QAttention"};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// The vendor has one error code for most of these; its text tells them apart.
std::string code_of_refusal(std::string_view text) {
  if (contains(text, "is not a registered function/op") || contains(text, "No Op registered")) return "UNSUPPORTED_OP";
  if (contains(text, "No opset import for domain") || contains(text, "unknown domain")) return "DOMAIN";
  if (contains(text, "opset") && contains(text, "under development")) return "OPSET";
  if (contains(text, "Could not find an implementation") || contains(text, "fallback to CPU EP")) return "UNSUPPORTED_OP";
  if (contains(text, "Type Error") || contains(text, "type inference") || contains(text, "Type (")) return "DTYPE";
  if (contains(text, "ShapeInference")) return "SHAPE";
  if (contains(text, "ttribute")) return "ATTRIBUTE";
  return "OTHER";
}

kit::Verdict refusal(std::string code, std::string text) {
  constexpr size_t kMaxText = 2000;
  if (text.size() > kMaxText) text.resize(kMaxText);
  return {kit::VerdictKind::kNo, std::move(code), std::move(text), -1};
}

kit::Verdict refusal(const kit::Error& error) { return refusal(code_of_refusal(error.message()), error.message()); }

kit::Verdict unknown(std::string text) { return {kit::VerdictKind::kUnknown, "OTHER", std::move(text), -1}; }

bool is_float(int32_t dtype) {
  return dtype == 1 || dtype == 10 || dtype == 11 || dtype == 16;  // f32, f16, f64, bf16
}

}  // namespace

GraphTypes types_of(const kit::Graph& graph) {
  GraphTypes types;
  const auto look = [&](const kit::Value& value) {
    if (is_float(value.dtype)) types.floats.emplace(kit::data_type_name(value.dtype));
  };
  for (const kit::Node& node : graph.nodes()) {
    types.quantised = types.quantised || std::ranges::find(kQuantisedOps, node.op_type()) != kQuantisedOps.end();
    for (uint32_t i = 0; i < node.output_count(); ++i) look(node.output(i));
  }
  for (uint32_t i = 0; i < graph.input_count(); ++i) look(graph.input(i));
  return types;
}

void check_precision_name(std::string_view precision) {
  for (const std::string_view known : kPrecisions) {
    if (precision == known) return;
  }
  throw kit::unimplemented("onnxruntime has no precision '" + std::string(precision) + "'")
      .hint("it has f32, int8, f64, f16 and bf16");
}

std::optional<std::string> refuse_precision(const GraphTypes& types, std::string_view precision) {
  if (precision == "f32") return std::nullopt;  // nothing is lowered; quantised islands are computed in floats
  if (precision == "int8") {
    if (types.quantised) return std::nullopt;
    return "the model is not quantised, and ONNX Runtime does not quantise at load";
  }
  if (types.floats.contains(std::string(precision))) return std::nullopt;
  std::string own;
  for (const std::string& name : types.floats) own += (own.empty() ? "" : ", ") + name;
  return "ONNX Runtime computes in the model's own types (" + (own.empty() ? "no floats" : own) + "); it does not convert to " +
         std::string(precision);
}

std::optional<kit::Error> Supporter::try_load(const ModelSource& source, const kit::SupportArgs& args) {
  Settings settings = parse_settings(args.options);
  settings.prepacking = false;
  settings.graph_optimization_level = "none";
  try {
    auto options = make_session_options(runtime_->api(), settings, SessionPlan{});
    providers_.append(options.get(), settings, args.resource, args.precision);
    Session::open(runtime_, std::move(options), std::make_unique<WorkerThreads>(std::span<const int32_t>()), source,
                  args.cancel);
    return std::nullopt;
  } catch (const kit::Error& error) {
    if (error.code() == AXLE_CANCELLED || error.code() == AXLE_RESOURCE_EXHAUSTED) throw;
    return providers_.explained(error, settings);
  }
}

namespace {

std::string key_prefix(const Settings& settings) { return settings.custom_ops + '\n'; }

// The CPU provider takes a node or not whatever the precision; others are set up by it.
std::string probe_key(const Settings& settings, std::string_view precision, const std::string& signature) {
  std::string key = key_prefix(settings) + settings.provider;
  if (settings.provider != "cpu") key += '/' + std::string(precision) + (settings.allow_cpu_fallback ? "/or-cpu" : "");
  return key + '/' + signature;
}

}  // namespace

kit::Verdict Supporter::probe(const ModelParts& parts, const kit::Node& node, const kit::SupportArgs& args,
                              std::map<std::string, kit::Verdict>& local, bool alone) {
  if (node.has_subgraph()) return unknown("a node with a subgraph is judged with the whole model only");
  const Settings settings = parse_settings(args.options);
  const std::string kind = probe_key(settings, args.precision, node_signature(parts, node, settings.provider != "cpu"));
  const std::vector<std::string> names = quoted_names(node);
  if (!alone) {
    if (const auto known = known_.find(kind, names)) return *known;
  }
  const std::string key = node_signature(parts, node, true);
  if (const auto found = local.find(key); found != local.end()) return found->second;
  const std::optional<std::string> model = single_node_model(parts, node);
  if (!model) return unknown("an input's element type is not known before compiling");
  ModelSource source;
  source.bytes = *model;
  const std::optional<kit::Error> error = try_load(source, args);
  kit::Verdict verdict = error ? refusal(*error) : kit::Verdict{kit::VerdictKind::kYes, "", "", -1};
  if (!alone) known_.add(kind, verdict, names);
  return local.emplace(key, std::move(verdict)).first->second;
}

void Supporter::probe_all(const ModelParts& parts, const kit::SupportArgs& args, kit::Support& support) {
  const std::string folder(args.scratch_folder), prefix = key_prefix(parse_settings(args.options));
  known_.read(folder, prefix);
  std::map<std::string, kit::Verdict> tried;
  const auto refused = [&] {
    return std::ranges::any_of(support.nodes,
                               [](const kit::NodeVerdict& n) { return n.verdict.kind == kit::VerdictKind::kNo; });
  };
  // What others of its kind have shown need not hold for a node's sizes and numbers: where none is refused by that, each speaks for itself.
  for (const bool alone : {false, true}) {
    support.nodes.clear();
    for (const kit::Node& node : args.graph.nodes()) {
      kit::Verdict verdict = probe(parts, node, args, tried, alone);
      if (verdict.kind != kit::VerdictKind::kYes) support.nodes.push_back({node.index(), std::move(verdict)});
    }
    if (refused()) break;
  }
  known_.write(folder, prefix);
  runtime_->host().log(kit::LogLevel::kDebug, "onnxruntime",
                       std::to_string(tried.size()) + " kinds of nodes were tried alone, of " +
                           std::to_string(args.graph.node_count()) + " nodes");
}

kit::Support Supporter::answer(const kit::SupportArgs& args) {
  const kit::Graph& graph = args.graph;
  providers_.names_on(args.resource);
  kit::Support support;
  support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
  if (graph.format() != "onnx" && graph.format() != "ort") {
    support.graph = support.otherwise =
        refusal("FORMAT", "ONNX Runtime reads onnx and ort, not " + std::string(graph.format()));
    return support;
  }
  if (const auto reason = refuse_precision(types_of(graph), args.precision)) {
    support.graph = support.otherwise = refusal("PRECISION", *reason);
    return support;
  }
  const std::optional<kit::Error> error = try_load(source_of(graph), args);
  if (!error) return support;
  support.graph = refusal(*error);
  if (graph.node_count() == 0) {
    support.otherwise = support.graph;
    return support;
  }
  const std::optional<ModelParts> parts = split_model(graph.onnx().bytes);
  if (!parts || parts->nodes.size() != graph.node_count()) {
    support.otherwise = unknown("the model could not be taken apart: " + support.graph.text);
    return support;
  }
  probe_all(*parts, args, support);
  return support;
}

}  // namespace axle::ort
