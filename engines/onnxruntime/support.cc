#include "support.h"

#include <array>

#include "model_bytes.h"

namespace axle::ort {
namespace {

constexpr std::array<std::string_view, 14> kQuantisedOps = {
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger",
    "QLinearAdd", "QLinearMul", "QLinearGlobalAveragePool", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QGemm", "QAttention"};

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

// The vendor has one error code for most of these; its text tells them apart.
std::string code_of_refusal(std::string_view text) {
  if (contains(text, "is not a registered function/op") || contains(text, "No Op registered")) return "UNSUPPORTED_OP";
  if (contains(text, "No opset import for domain") || contains(text, "unknown domain")) return "DOMAIN";
  if (contains(text, "opset") && contains(text, "under development")) return "OPSET";
  if (contains(text, "Could not find an implementation")) return "UNSUPPORTED_OP";
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

int float_rank(int32_t dtype) {
  switch (dtype) {
    case 11: return 4;  // f64
    case 1: return 3;   // f32
    case 16: return 2;  // bf16
    case 10: return 1;  // f16
    default: return 0;
  }
}

}  // namespace

GraphTypes types_of(const kit::Graph& graph) {
  static constexpr std::array<std::string_view, 5> kNames = {"", "f16", "bf16", "f32", "f64"};
  GraphTypes types;
  int widest = 0;
  const auto look = [&](const kit::Value& value) {
    widest = std::max(widest, float_rank(value.dtype));
    types.single = types.single || value.dtype == 1;
  };
  for (const kit::Node& node : graph.nodes()) {
    for (const std::string_view op : kQuantisedOps) types.quantised = types.quantised || node.op_type() == op;
    for (uint32_t i = 0; i < node.output_count(); ++i) look(node.output(i));
  }
  for (uint32_t i = 0; i < graph.input_count(); ++i) look(graph.input(i));
  types.widest_float = kNames[static_cast<size_t>(widest)];
  return types;
}

std::optional<std::string> refuse_precision(const GraphTypes& types, std::string_view precision) {
  if (precision == "f32") return std::nullopt;  // the model as written: nothing is lowered
  if (precision == "int8") {
    if (types.quantised) return std::nullopt;
    return "the model is not quantised, and ONNX Runtime does not quantise at load";
  }
  if (precision == types.widest_float) return std::nullopt;
  return "ONNX Runtime computes in the model's own types (" + (types.widest_float.empty() ? "no floats" : types.widest_float) +
         "); it does not convert to " + std::string(precision);
}

ModelSource source_of(const kit::Graph& graph) {
  ModelSource source;
  if (!graph.path().empty()) {
    source.path = graph.path();
    return source;
  }
  if (graph.format() != "onnx") throw kit::unimplemented("a model of format '" + std::string(graph.format()) + "' needs its file");
  const kit::OnnxModel model = graph.onnx();
  source.bytes = model.bytes;
  source.external_folder = model.folder;
  return source;
}

std::optional<kit::Error> Supporter::try_load(const ModelSource& source, const kit::SupportArgs& args) {
  Settings settings = parse_settings(args.options);
  settings.prepacking = false;
  settings.graph_optimization_level = "none";
  try {
    auto options = make_session_options(runtime_->api(), settings, SessionPlan{});
    providers_.append(options.get(), settings, args.resource, args.precision);
    Session::open(runtime_, std::move(options), std::make_unique<WorkerThreads>(std::span<const int32_t>()), source, args.cancel);
    return std::nullopt;
  } catch (const kit::Error& error) {
    if (error.code() == AXLE_CANCELLED || error.code() == AXLE_RESOURCE_EXHAUSTED) throw;
    return error;
  }
}

kit::Verdict Supporter::probe(const ModelParts& parts, const kit::Node& node, const kit::SupportArgs& args) {
  if (node.has_subgraph()) return unknown("a node with a subgraph is judged with the whole model only");
  const Settings settings = parse_settings(args.options);
  const std::string key = settings.provider + '/' + std::string(args.precision) + '/' + node_signature(parts, node);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
  }
  const std::optional<std::string> model = single_node_model(parts, node);
  if (!model) return unknown("an input's element type is not known before compiling");
  ModelSource source;
  source.bytes = *model;
  const std::optional<kit::Error> error = try_load(source, args);
  const kit::Verdict verdict = error ? refusal(*error) : kit::Verdict{kit::VerdictKind::kYes, "", "", -1};
  const std::lock_guard lock(mutex_);
  constexpr size_t kMaxKnown = 65536;
  if (known_.size() < kMaxKnown) known_.emplace(key, verdict);
  return verdict;
}

kit::Support Supporter::answer(const kit::SupportArgs& args) {
  const kit::Graph& graph = args.graph;
  providers_.names_on(args.resource);
  kit::Support support;
  support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
  if (graph.format() != "onnx" && graph.format() != "ort") {
    support.graph = support.otherwise = refusal("FORMAT", "ONNX Runtime reads onnx and ort, not " + std::string(graph.format()));
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
  for (const kit::Node& node : graph.nodes()) {
    kit::Verdict verdict = probe(*parts, node, args);
    if (verdict.kind != kit::VerdictKind::kYes) support.nodes.push_back({node.index(), std::move(verdict)});
  }
  return support;
}

}  // namespace axle::ort
