// What an engine says of a graph: support, compile, load, io, counters.
#include <fmt/core.h>

#include <algorithm>

#include "spec/answer_fields.h"
#include "spec/engine_answers.h"

namespace axle {
namespace {

using answers::each;
using answers::finish;
using answers::WordRow;

constexpr size_t kMaxNodes = 4'000'000;
constexpr size_t kMaxTensors = 4096;
constexpr size_t kMaxRank = 64;
constexpr size_t kMaxOptions = 512;

constexpr std::array<WordRow<VerdictKind>, 4> kVerdictWords = {{{"unknown", VerdictKind::kUnknown},
                                                                {"yes", VerdictKind::kYes},
                                                                {"no", VerdictKind::kNo},
                                                                {"needs-group", VerdictKind::kNeedsGroup}}};
constexpr std::array<WordRow<OutputMode>, 3> kModeWords = {
    {{"either", OutputMode::kEither}, {"caller", OutputMode::kCaller}, {"engine", OutputMode::kEngine}}};
constexpr std::array<std::string_view, 13> kVerdictCodes = {
    "UNSUPPORTED_OP", "DOMAIN",    "OPSET",  "DTYPE",  "RANK",     "SHAPE", "DYNAMIC_SHAPE",
    "ATTRIBUTE",      "PRECISION", "MEMORY", "FORMAT", "RESOURCE", "OTHER"};

Verdict read_verdict(JsonReader& reader) {
  Verdict verdict;
  verdict.kind = answers::word(reader, "verdict", kVerdictWords);
  verdict.code = answers::text(reader, "code");
  verdict.text = answers::text(reader, "text");
  verdict.group = static_cast<int32_t>(std::clamp<int64_t>(reader.integer_or("group", -1), -1, INT32_MAX));
  if (verdict.kind != VerdictKind::kNeedsGroup) verdict.group = -1;
  if (verdict.kind == VerdictKind::kYes) verdict.code.clear();
  if (verdict.kind == VerdictKind::kNo &&
      std::find(kVerdictCodes.begin(), kVerdictCodes.end(), verdict.code) == kVerdictCodes.end()) {
    verdict.code = "OTHER";
  }
  return verdict;
}

Result<Verdict> verdict_member(JsonReader& reader, const char* key, AnswerKeys keys) {
  const Json& json = reader.object(key);
  AXLE_RETURN_IF_ERROR(reader.status());
  JsonReader member(json, reader.where() + "." + key);
  Verdict verdict = read_verdict(member);
  AXLE_RETURN_IF_ERROR(finish(member, keys));
  return verdict;
}

Json verdict_to_json(const Verdict& verdict) {
  Json json = {
      {"verdict", std::string(answers::word_of(kVerdictWords, verdict.kind))}, {"code", verdict.code}, {"text", verdict.text}};
  if (verdict.kind == VerdictKind::kNeedsGroup) json["group"] = verdict.group;
  return json;
}

// A file name below the scratch folder: relative, no "..", no NUL.
bool is_inside_path(const std::string& path) {
  if (path.empty() || path[0] == '/' || path.find('\0') != std::string::npos) return false;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view part(path.data() + begin, end - begin);
    if (part.empty() || part == "." || part == "..") return false;
    begin = end + 1;
  }
  return true;
}

// What is said of an output alone.
struct OutputTraits {
  OutputMode mode = OutputMode::kEither;
  bool exact = false;
};

Result<IoSpec> io_spec_from_json(const Json& json, const std::string& where, AnswerKeys keys, OutputTraits* output) {
  JsonReader reader(json, where);
  IoSpec spec;
  spec.name = answers::required_text(reader, "name");
  spec.dtype = answers::data_type(reader, "dtype");
  const Json* shape = reader.optional("shape");
  if (shape == nullptr && !reader.has("shape")) return invalid_argument_error(where + " lacks the key \"shape\"");
  spec.rank_known = shape != nullptr && !shape->is_null();
  if (spec.rank_known) {
    each(reader, "shape", kMaxRank, true, [&](const Json& item, const std::string& place) -> Status {
      Dim dim;
      if (item.is_string())
        dim.symbol = item.get<std::string>();
      else if (item.is_number_unsigned() && item.get<uint64_t>() <= INT64_MAX)
        dim.size = item.get<int64_t>();
      else if (!item.is_null())
        return invalid_argument_error(place + " must be a size, a symbol or null");
      spec.shape.push_back(std::move(dim));
      return ok_status();
    });
  }
  if (output != nullptr) {
    output->mode = answers::word(reader, "mode", kModeWords, std::optional(OutputMode::kEither));
    output->exact = reader.boolean_or("exact", false);
  } else {
    spec.optional = reader.boolean_or("optional", false);
  }
  AXLE_RETURN_IF_ERROR(finish(reader, keys));
  return spec;
}

Json io_spec_to_json(const IoSpec& spec, const OutputTraits* output) {
  Json json = {{"name", spec.name}, {"dtype", std::string(answers::word_of_data_type(spec.dtype))}};
  Json shape = nullptr;
  if (spec.rank_known) {
    shape = Json::array();
    for (const Dim& dim : spec.shape) {
      if (dim.is_static())
        shape.push_back(dim.size);
      else if (!dim.symbol.empty())
        shape.push_back(dim.symbol);
      else
        shape.push_back(nullptr);
    }
  }
  json["shape"] = std::move(shape);
  if (output == nullptr) {
    json["optional"] = spec.optional;
    return json;
  }
  json["mode"] = std::string(answers::word_of(kModeWords, output->mode));
  if (output->exact) json["exact"] = true;
  return json;
}

int32_t bounded_int32(JsonReader& reader, const char* key, int64_t fallback) {
  return static_cast<int32_t>(std::clamp<int64_t>(reader.integer_or(key, fallback), INT32_MIN, INT32_MAX));
}

}  // namespace

std::string_view verdict_kind_name(VerdictKind kind) noexcept { return answers::word_of(kVerdictWords, kind); }

Result<GraphVerdict> graph_verdict_from_json(const Json& json, uint32_t node_count, AnswerKeys keys) {
  JsonReader reader(json, "support");
  GraphVerdict result;
  AXLE_ASSIGN_OR_RETURN(result.graph, verdict_member(reader, "graph", keys));
  AXLE_ASSIGN_OR_RETURN(result.otherwise, verdict_member(reader, "default", keys));
  each(reader, "nodes", kMaxNodes, false, [&](const Json& item, const std::string& where) -> Status {
    JsonReader member(item, where);
    const int64_t index = member.integer("index");
    NodeVerdict node{0, read_verdict(member)};
    AXLE_RETURN_IF_ERROR(finish(member, keys));
    if (index < 0 || index >= static_cast<int64_t>(node_count)) {
      return invalid_argument_error(fmt::format("{}.index is {}, the graph has {} nodes", where, index, node_count));
    }
    node.index = static_cast<uint32_t>(index);
    result.nodes.push_back(std::move(node));
    return ok_status();
  });
  AXLE_RETURN_IF_ERROR(finish(reader, keys));
  std::sort(result.nodes.begin(), result.nodes.end(),
            [](const NodeVerdict& a, const NodeVerdict& b) { return a.index < b.index; });
  const auto same = [](const NodeVerdict& a, const NodeVerdict& b) { return a.index == b.index; };
  if (const auto twice = std::adjacent_find(result.nodes.begin(), result.nodes.end(), same); twice != result.nodes.end()) {
    return invalid_argument_error(fmt::format("support.nodes speaks of node {} twice", twice->index));
  }
  return result;
}

Json graph_verdict_to_json(const GraphVerdict& verdict) {
  Json nodes = Json::array();
  for (const NodeVerdict& node : verdict.nodes) {
    Json item = verdict_to_json(node.verdict);
    item["index"] = node.index;
    nodes.push_back(std::move(item));
  }
  return {
      {"graph", verdict_to_json(verdict.graph)}, {"default", verdict_to_json(verdict.otherwise)}, {"nodes", std::move(nodes)}};
}

Result<ArtefactManifest> parse_manifest(std::string_view text, AnswerKeys keys) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(text, kMaxAnswerBytes, 16));
  JsonReader reader(json, "manifest");
  ArtefactManifest manifest;
  manifest.format = answers::name(reader, "format");
  manifest.self_contained = reader.boolean_or("self_contained", false);
  each(reader, "blobs", kMaxTensors, true, [&](const Json& item, const std::string& where) -> Status {
    JsonReader member(item, where);
    ManifestBlob blob{answers::name(member, "name"), answers::required_text(member, "path")};
    AXLE_RETURN_IF_ERROR(finish(member, keys));
    if (!is_inside_path(blob.path)) return invalid_argument_error(where + ".path leaves the scratch folder");
    manifest.blobs.push_back(std::move(blob));
    return ok_status();
  });
  manifest.compatibility = answers::text_map(reader, "compatibility");
  AXLE_RETURN_IF_ERROR(finish(reader, keys));
  return manifest;
}

Json manifest_to_json(const ArtefactManifest& manifest) {
  Json blobs = Json::array();
  for (const ManifestBlob& blob : manifest.blobs) blobs.push_back({{"name", blob.name}, {"path", blob.path}});
  return {{"format", manifest.format},
          {"self_contained", manifest.self_contained},
          {"blobs", std::move(blobs)},
          {"compatibility", manifest.compatibility}};
}

Result<EffectiveValues> parse_effective(std::string_view text, AnswerKeys keys) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(text, kMaxAnswerBytes, 16));
  JsonReader reader(json, "effective");
  EffectiveValues effective;
  effective.precision = answers::name(reader, "precision");
  effective.precision_read_back = reader.boolean_or("precision_read_back", false);
  effective.threads = bounded_int32(reader, "threads", 0);
  effective.spin = reader.boolean_or("spin", false);
  effective.cpu_set_honoured = reader.boolean_or("cpu_set_honoured", false);
  for (const int64_t cpu : reader.integers_or_empty("cpu_set")) {
    if (cpu < 0 || cpu > 1'000'000) return invalid_argument_error("effective.cpu_set holds " + std::to_string(cpu));
    effective.cpu_set.push_back(static_cast<int32_t>(cpu));
  }
  effective.options = answers::text_map(reader, "options", kMaxOptions);
  each(reader, "kernels", kMaxNodes, false, [&](const Json& item, const std::string& where) -> Status {
    JsonReader member(item, where);
    effective.kernels.push_back({answers::text(member, "node"), answers::text(member, "kernel"),
                                 answers::text(member, "precision"), answers::text(member, "resource")});
    return finish(member, keys);
  });
  each(reader, "fallbacks", kMaxNodes, false, [&](const Json& item, const std::string& where) -> Status {
    JsonReader member(item, where);
    effective.fallbacks.push_back({answers::text(member, "node"), answers::text(member, "from"), answers::text(member, "to"),
                                   answers::text(member, "reason")});
    return finish(member, keys);
  });
  AXLE_RETURN_IF_ERROR(finish(reader, keys));
  effective.json = std::string(text);
  return effective;
}

Json effective_to_json(const EffectiveValues& effective) {
  Json kernels = Json::array(), fallbacks = Json::array();
  for (const NodeKernel& k : effective.kernels) {
    kernels.push_back({{"node", k.node}, {"kernel", k.kernel}, {"precision", k.precision}, {"resource", k.resource}});
  }
  for (const EngineFallback& f : effective.fallbacks) {
    fallbacks.push_back({{"node", f.node}, {"from", f.from}, {"to", f.to}, {"reason", f.reason}});
  }
  return {{"precision", effective.precision},
          {"precision_read_back", effective.precision_read_back},
          {"threads", effective.threads},
          {"spin", effective.spin},
          {"cpu_set_honoured", effective.cpu_set_honoured},
          {"cpu_set", effective.cpu_set},
          {"options", effective.options},
          {"kernels", std::move(kernels)},
          {"fallbacks", std::move(fallbacks)}};
}

Result<EngineIo> parse_engine_io(std::string_view text, AnswerKeys keys) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(text, kMaxAnswerBytes, 16));
  JsonReader reader(json, "io");
  EngineIo io;
  each(reader, "inputs", kMaxTensors, true, [&](const Json& item, const std::string& where) -> Status {
    AXLE_ASSIGN_OR_RETURN(IoSpec spec, io_spec_from_json(item, where, keys, nullptr));
    io.inputs.push_back(std::move(spec));
    return ok_status();
  });
  each(reader, "outputs", kMaxTensors, true, [&](const Json& item, const std::string& where) -> Status {
    OutputTraits traits;
    AXLE_ASSIGN_OR_RETURN(IoSpec spec, io_spec_from_json(item, where, keys, &traits));
    io.outputs.push_back(std::move(spec));
    io.output_modes.push_back(traits.mode);
    io.exact_outputs.push_back(traits.exact);
    return ok_status();
  });
  AXLE_RETURN_IF_ERROR(finish(reader, keys));
  return io;
}

Json engine_io_to_json(const EngineIo& io) {
  Json inputs = Json::array(), outputs = Json::array();
  for (const IoSpec& spec : io.inputs) inputs.push_back(io_spec_to_json(spec, nullptr));
  for (size_t i = 0; i < io.outputs.size(); ++i) {
    const OutputTraits traits{io.output_modes[i], io.exact_outputs[i]};
    outputs.push_back(io_spec_to_json(io.outputs[i], &traits));
  }
  return {{"inputs", std::move(inputs)}, {"outputs", std::move(outputs)}};
}

Result<std::map<std::string, double>> parse_counters(std::string_view text) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(text, kMaxAnswerBytes, 16));
  if (!json.is_object() || json.size() > kMaxTensors) return invalid_argument_error("counters must be an object of numbers");
  std::map<std::string, double> counters;
  for (const auto& [name, value] : json.items()) {
    if (!value.is_number()) return invalid_argument_error("counters." + name.substr(0, 64) + " must be a number");
    counters.emplace(name, value.get<double>());
  }
  return counters;
}

Result<GraphVerdict> parse_graph_verdict(std::string_view text, uint32_t node_count, AnswerKeys keys) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(text, kMaxAnswerBytes, 16));
  return graph_verdict_from_json(json, node_count, keys);
}

}  // namespace axle
