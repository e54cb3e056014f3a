#include "spec/planner_input_json.h"

#include <set>

#include "spec/answer_fields.h"
#include "spec/candidate.h"
#include "spec/device_profile_json.h"
#include "spec/engine_answers.h"
#include "spec/evidence_json.h"
#include "spec/graph_facts_json.h"
#include "spec/json_fields.h"
#include "spec/machine_json.h"
#include "spec/plan_json.h"
#include "spec/policy_json.h"
#include "spec/variant_json.h"

namespace axle {
namespace {

constexpr const char* kFormat = "axle-planner-input";
constexpr int64_t kVersion = 1;
constexpr size_t kNodeFields = 6;
constexpr int64_t kMaxTime = int64_t{1} << 62;
constexpr int64_t kMaxPermille = 1'000'000'000;

// ---- writing

Json io_to_json(const IoSpec& spec) {
  Json shape = nullptr;
  if (spec.rank_known) {
    shape = list_to_json(spec.shape, [](const Dim& dim) {
      return dim.is_static() ? Json(dim.size) : dim.symbol.empty() ? Json(nullptr) : Json(dim.symbol);
    });
  }
  return {
      {"dtype", answers::word_of_data_type(spec.dtype)}, {"name", spec.name}, {"optional", spec.optional}, {"shape", shape}};
}

// An array, not an object: models have tens of thousands of nodes.
Json node_to_json(const NodeFacts& n) {
  return Json::array({n.name, n.op_type, n.domain, n.flops, n.weight_bytes, n.activation_bytes});
}

Json model_file_to_json(const ModelFileFacts& f) {
  return {{"role", f.role}, {"sha256", f.sha256}, {"size_bytes", f.size_bytes}};
}

Json model_to_json(const ModelFacts& m) {
  return {{"activation_bytes", m.activation_bytes},
          {"category", m.category},
          {"cost_exact", m.cost_exact},
          {"digest", m.digest},
          {"dynamic_axes", m.dynamic_axes},
          {"files", list_to_json(m.files, model_file_to_json)},
          {"float_dtype", m.float_dtype},
          {"flops", m.flops},
          {"format", m.format},
          {"inputs", list_to_json(m.inputs, io_to_json)},
          {"nodes", list_to_json(m.nodes, node_to_json)},
          {"opsets", map_to_json(m.opsets)},
          {"outputs", list_to_json(m.outputs, io_to_json)},
          {"quantised", m.quantised},
          {"shared_weights", list_to_json(m.shared_weights, shared_weight_to_json)},
          {"tensors", list_to_json(m.tensors, tensor_facts_to_json)},
          {"weight_bytes", m.weight_bytes}};
}

Json capability_facts_to_json(const CapabilityFacts& c) {
  Json json = {{"capability", capability_to_json(c.capability)},
               {"engine_id", c.engine_id},
               {"resource", c.resource},
               {"simulated", c.simulated}};
  if (c.assumed) json["assumed"] = true;
  if (c.compile_only) json["compile_only"] = true;
  return json;
}

Json resource_profile_to_json(const ResourceProfile& p) {
  return {{"profile", device_profile_to_json_value(p.profile)}, {"resource", p.resource}};
}

Json estimate_ratio_to_json(const EstimateRatio& r) {
  return {{"candidates", r.candidates}, {"engine", r.engine},       {"model_digest", r.model_digest},
          {"permille", r.permille},     {"precision", r.precision}, {"resource_kind", resource_kind_name(r.resource_kind)}};
}

Json verdict_row_to_json(const VerdictRow& row) {
  return {{"engine", row.engine},
          {"precision", row.precision},
          {"resource", row.resource},
          {"verdict", graph_verdict_to_json(row.verdict)}};
}

// ---- reading

Result<Dim> read_dim(const Json& json, const std::string& where) {
  Dim dim;
  if (json.is_null()) return dim;
  if (json.is_string()) {
    dim.symbol = json.get<std::string>();
    return dim;
  }
  AXLE_ASSIGN_OR_RETURN(dim.size, read_integer(json, where));
  if (dim.size < 0)
    return invalid_argument_error(fmt::format("{} is {}; an axis is a size, a symbol or null", where, dim.size));
  return dim;
}

Result<IoSpec> read_io(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  IoSpec spec;
  spec.name = reader.text("name");
  const std::string dtype = reader.text("dtype");
  spec.dtype = answers::data_type_from_word(dtype);
  if (spec.dtype == DataType::kUndefined && dtype != "undefined") {
    reader.fail(invalid_argument_error(fmt::format("{}.dtype is \"{}\", which is no element type", where, dtype)));
  }
  spec.optional = reader.boolean("optional");
  const Json* shape = reader.optional("shape");
  spec.rank_known = shape != nullptr && !shape->is_null();
  if (spec.rank_known) spec.shape = read_list<Dim>(reader, "shape", read_dim);
  AXLE_RETURN_IF_ERROR(reader.finish());
  return spec;
}

Result<NodeFacts> read_node(const Json& json, const std::string& where) {
  if (!json.is_array() || json.size() != kNodeFields) {
    return invalid_argument_error(fmt::format("{} must be [name, op, domain, flops, weight bytes, activation bytes]", where));
  }
  const auto count = [&](size_t index) -> Result<uint64_t> {
    if (json[index].is_number_unsigned() && json[index].get<uint64_t>() <= uint64_t{1} << 62)
      return json[index].get<uint64_t>();
    return invalid_argument_error(fmt::format("{}[{}] must be an integer from 0", where, index));
  };
  NodeFacts node;
  AXLE_ASSIGN_OR_RETURN(node.name, read_text(json[0], where + "[0]"));
  AXLE_ASSIGN_OR_RETURN(node.op_type, read_text(json[1], where + "[1]"));
  AXLE_ASSIGN_OR_RETURN(node.domain, read_text(json[2], where + "[2]"));
  AXLE_ASSIGN_OR_RETURN(node.flops, count(3));
  AXLE_ASSIGN_OR_RETURN(node.weight_bytes, count(4));
  AXLE_ASSIGN_OR_RETURN(node.activation_bytes, count(5));
  return node;
}

Result<ModelFileFacts> read_model_file(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  ModelFileFacts file;
  file.role = reader.text("role");
  file.size_bytes = read_size(reader, "size_bytes");
  file.sha256 = reader.text("sha256");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return file;
}

Result<ModelFacts> read_model(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  ModelFacts m;
  m.digest = reader.text("digest");
  m.format = reader.text("format");
  m.category = reader.text("category");
  m.opsets = read_map<int64_t>(reader, "opsets", read_integer);
  m.inputs = read_list<IoSpec>(reader, "inputs", read_io);
  m.outputs = read_list<IoSpec>(reader, "outputs", read_io);
  m.nodes = read_list<NodeFacts>(reader, "nodes", read_node);
  m.flops = read_size(reader, "flops");
  m.tensors = read_list<TensorFacts>(reader, "tensors", read_tensor_facts);
  m.shared_weights = read_list<SharedWeightFacts>(reader, "shared_weights", read_shared_weight);
  m.weight_bytes = read_size(reader, "weight_bytes");
  m.activation_bytes = read_size(reader, "activation_bytes");
  m.cost_exact = reader.boolean("cost_exact");
  m.dynamic_axes = reader.texts_or_empty("dynamic_axes");
  m.quantised = reader.boolean("quantised");
  m.float_dtype = reader.text("float_dtype");
  if (reader.status().ok()) reader.fail(check_graph_facts(m, where));
  m.files = read_list<ModelFileFacts>(reader, "files", read_model_file);
  AXLE_RETURN_IF_ERROR(reader.finish());
  return m;
}

Result<CapabilityFacts> read_capability_facts(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  CapabilityFacts facts;
  facts.resource = reader.text("resource");
  facts.engine_id = reader.text("engine_id");
  facts.simulated = reader.boolean("simulated");
  facts.assumed = reader.boolean_or("assumed", false);
  facts.compile_only = reader.boolean_or("compile_only", false);
  const Json& capability = reader.object("capability");
  AXLE_RETURN_IF_ERROR(reader.finish());
  Result<Capability> read = capability_from_json(capability, AnswerKeys::kStrict);
  if (!read.has_value()) return std::move(read).error().with_context(where);
  facts.capability = std::move(read).value();
  return facts;
}

Result<ResourceProfile> read_resource_profile(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  ResourceProfile found;
  found.resource = reader.text("resource");
  const Json& profile = reader.object("profile");
  AXLE_RETURN_IF_ERROR(reader.finish());
  AXLE_ASSIGN_OR_RETURN(found.profile, read_device_profile(profile, where + ".profile"));
  return found;
}

Result<EstimateRatio> read_estimate_ratio(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  EstimateRatio ratio;
  ratio.model_digest = reader.text("model_digest");
  ratio.engine = reader.text("engine");
  ratio.resource_kind = read_word<ResourceKind>(
      reader, "resource_kind", [](const std::string& text) { return parse_resource_kind(text); },
      "cpu, gpu, npu, pim, remote, hybrid");
  ratio.precision = reader.text("precision");
  ratio.permille = read_bounded(reader, "permille", 1, kMaxPermille);
  ratio.candidates = read_int32(reader, "candidates", 1);
  AXLE_RETURN_IF_ERROR(reader.finish());
  return ratio;
}

auto verdict_row_reader(uint32_t node_count) {
  return [node_count](const Json& json, const std::string& where) -> Result<VerdictRow> {
    JsonReader reader(json, where);
    VerdictRow row;
    row.engine = reader.text("engine");
    row.resource = reader.text("resource");
    row.precision = reader.text("precision");
    const Json& verdict = reader.object("verdict");
    AXLE_RETURN_IF_ERROR(reader.finish());
    Result<GraphVerdict> read = graph_verdict_from_json(verdict, node_count, AnswerKeys::kStrict);
    if (!read.has_value()) return std::move(read).error().with_context(where);
    row.verdict = std::move(read).value();
    return row;
  };
}

Json variant_graph_to_json(const VariantGraph& v) {
  return {
      {"model", model_to_json(v.model)}, {"variant", v.variant}, {"verdicts", list_to_json(v.verdicts, verdict_row_to_json)}};
}

Result<VariantGraph> read_variant_graph(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  VariantGraph graph;
  graph.variant = reader.text("variant");
  AXLE_RETURN_IF_ERROR(reader.status());
  AXLE_ASSIGN_OR_RETURN(graph.model, read_model(reader.object("model"), where + ".model"));
  graph.verdicts =
      read_list<VerdictRow>(reader, "verdicts", verdict_row_reader(static_cast<uint32_t>(graph.model.nodes.size())));
  AXLE_RETURN_IF_ERROR(reader.finish());
  return graph;
}

Result<Machine> read_machine(const Json& json, const std::string& where) {
  AXLE_ASSIGN_OR_RETURN(const std::string text, canonical_json(json));
  Result<Machine> machine = parse_machine(text);
  if (!machine.has_value()) return std::move(machine).error().with_context(where);
  return machine;
}

Status check_rows(const PlannerInput& input, const std::string& where) {
  std::set<std::string_view> names;
  for (const EngineFacts& engine : input.engines) {
    if (!names.insert(engine.info.name).second) {
      return invalid_argument_error(fmt::format("{}.engines names \"{}\" twice", where, engine.info.name));
    }
  }
  for (const EvidenceRow& row : input.evidence) {
    AXLE_RETURN_IF_ERROR(check_candidate_name(row.key.candidate).with_context(where + ".evidence"));
  }
  if (!input.incumbent.empty()) AXLE_RETURN_IF_ERROR(check_candidate_name(input.incumbent).with_context(where + ".incumbent"));
  return ok_status();
}

}  // namespace

Json engine_facts_to_json(const EngineFacts& e) {
  return {{"absent_reason", e.absent_reason},
          {"capabilities", list_to_json(e.capabilities, capability_facts_to_json)},
          {"info", engine_info_to_json(e.info)},
          {"library_digest", e.library_digest},
          {"library_file_digest", e.library_file_digest},
          {"library_version", e.library_version},
          {"plugin_file_digest", e.plugin_file_digest},
          {"present", e.present}};
}

Result<EngineFacts> read_engine_facts(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  EngineFacts facts;
  facts.present = reader.boolean("present");
  facts.absent_reason = reader.text("absent_reason");
  facts.library_version = reader.text("library_version");
  facts.library_digest = reader.text("library_digest");
  facts.plugin_file_digest = reader.text_or("plugin_file_digest", "");
  facts.library_file_digest = reader.text_or("library_file_digest", "");
  facts.capabilities = read_list<CapabilityFacts>(reader, "capabilities", read_capability_facts);
  const Json& info = reader.object("info");
  AXLE_RETURN_IF_ERROR(reader.finish());
  Result<EngineInfo> read = engine_info_from_json(info, AnswerKeys::kStrict);
  if (!read.has_value()) return std::move(read).error().with_context(where);
  facts.info = std::move(read).value();
  return facts;
}

Json planner_input_to_json_value(const PlannerInput& input) {
  Json json = {{"as_of_unix_s", input.as_of_unix_s},
               {"engines", list_to_json(input.engines, engine_facts_to_json)},
               {"evidence", list_to_json(input.evidence, evidence_row_to_json)},
               {"format", kFormat},
               {"incumbent", input.incumbent},
               {"machine", machine_to_json_value(input.machine)},
               {"model", model_to_json(input.model)},
               {"policy", policy_to_json_value(input.policy)},
               {"samples_digest", input.samples_digest},
               {"shapes", input.shapes},
               {"verdicts", list_to_json(input.verdicts, verdict_row_to_json)},
               {"version", kVersion}};
  if (!input.profiles.empty()) json["profiles"] = list_to_json(input.profiles, resource_profile_to_json);
  if (!input.estimate_ratios.empty()) json["estimate_ratios"] = list_to_json(input.estimate_ratios, estimate_ratio_to_json);
  if (input.what_if) json["what_if"] = true;
  if (!input.variants.empty()) json["variants"] = list_to_json(input.variants, variant_facts_to_json);
  if (!input.variant_verdicts.empty()) json["variant_verdicts"] = list_to_json(input.variant_verdicts, variant_verdict_to_json);
  if (!input.variant_graphs.empty()) json["variant_graphs"] = list_to_json(input.variant_graphs, variant_graph_to_json);
  if (!input.sample_axes.empty()) json["sample_axes"] = map_to_json(input.sample_axes);
  return json;
}

namespace {

Result<int64_t> read_axis_size(const Json& json, const std::string& where) {
  if (json.is_number_integer() && json.get<int64_t>() >= 0) return json.get<int64_t>();
  return invalid_argument_error(where + " is no size: it must be a whole number");
}

}  // namespace

Result<PlannerInput> read_planner_input_json(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  PlannerInput input;
  const std::string format = reader.text("format");
  if (reader.status().ok() && format != kFormat) {
    return invalid_argument_error(fmt::format("{}.format is \"{}\", not \"{}\"", where, format, kFormat));
  }
  read_bounded(reader, "version", kVersion, kVersion);
  AXLE_RETURN_IF_ERROR(reader.status());
  AXLE_ASSIGN_OR_RETURN(input.model, read_model(reader.object("model"), where + ".model"));
  AXLE_ASSIGN_OR_RETURN(input.machine, read_machine(reader.object("machine"), where + ".machine"));
  AXLE_ASSIGN_OR_RETURN(input.policy, read_policy_json(reader.object("policy"), where + ".policy"));
  input.engines = read_list<EngineFacts>(reader, "engines", read_engine_facts);
  input.verdicts =
      read_list<VerdictRow>(reader, "verdicts", verdict_row_reader(static_cast<uint32_t>(input.model.nodes.size())));
  input.profiles = read_list<ResourceProfile>(reader, "profiles", read_resource_profile);
  input.estimate_ratios = read_list<EstimateRatio>(reader, "estimate_ratios", read_estimate_ratio);
  input.what_if = reader.boolean_or("what_if", false);
  input.variants = read_list<VariantFacts>(reader, "variants", read_variant_facts);
  input.variant_verdicts = read_list<VariantVerdict>(reader, "variant_verdicts", read_variant_verdict);
  input.variant_graphs = read_list<VariantGraph>(reader, "variant_graphs", read_variant_graph);
  input.evidence = read_list<EvidenceRow>(reader, "evidence", read_evidence_row);
  input.shapes = reader.text("shapes");
  if (reader.optional("sample_axes") != nullptr) input.sample_axes = read_map<int64_t>(reader, "sample_axes", read_axis_size);
  input.samples_digest = reader.text("samples_digest");
  input.incumbent = reader.text("incumbent");
  input.as_of_unix_s = read_bounded(reader, "as_of_unix_s", 0, kMaxTime);
  AXLE_RETURN_IF_ERROR(reader.finish());
  AXLE_RETURN_IF_ERROR(check_rows(input, where));
  return input;
}

Result<std::string> planner_input_to_json(const PlannerInput& input) {
  return canonical_json(planner_input_to_json_value(input));
}

Result<PlannerInput> parse_planner_input(std::string_view json) {
  AXLE_ASSIGN_OR_RETURN(const Json value, parse_json(json));
  return read_planner_input_json(value, "planner input");
}

}  // namespace axle
