// The documents of `axle run --json` and `axle plan --json` (docs/formats/run-document.md). Keys are only ever added.
#include "axle/explain.h"
#include "base/json.h"
#include "model/graph.h"
#include "model/model_graph.h"
#include "spec/batching_json.h"
#include "spec/evidence_json.h"
#include "spec/machine_json.h"
#include "spec/policy_json.h"
#include "spec/variant_json.h"

namespace axle {
namespace {

double microseconds(int64_t duration_ns) { return static_cast<double>(duration_ns) / 1e3; }
double milliseconds(int64_t duration_ns) { return static_cast<double>(duration_ns) / 1e6; }

Json model_json(const Model& model) {
  const auto summary = model.summary();
  return {{"path", model.path()},
          {"format", std::string(model.format_name())},
          {"digest", model.digest()},
          {"category", summary ? summary->category : ""}};
}

Json decision_json(const Decision& decision) {
  Json row = {{"candidate", decision.candidate},
              {"verdict", std::string(decision_verdict_name(decision.verdict))},
              {"code", decision.code},
              {"reason", decision.reason},
              {"nodes", Json::array()}};
  if (decision.estimate_ns > 0) row["estimate_us"] = microseconds(decision.estimate_ns);
  if (decision.evidence) {
    const EvidenceSummary& evidence = *decision.evidence;
    Json item = {{"p50_us", microseconds(evidence.p50_ns)},
                 {"p95_us", microseconds(evidence.p95_ns)},
                 {"runs", evidence.runs},
                 {"interval", {evidence.interval_low, evidence.interval_high}},
                 {"recorded_unix_s", evidence.recorded_unix_s},
                 {"stale", evidence.stale}};
    if (evidence.stale) item["stale_reason"] = evidence.stale_reason;
    if (evidence.p99_ns > 0) item["p99_us"] = microseconds(evidence.p99_ns);
    item["error"] = evidence.error ? error_figures_to_json(*evidence.error) : Json(nullptr);
    row["evidence"] = std::move(item);
  }
  for (const NodeReason& node : decision.nodes) {
    row["nodes"].push_back({{"name", node.node}, {"op", node.op}, {"code", node.code}, {"reason", node.reason}});
  }
  return row;
}

// Whole-model partitions name every node of the graph; formats that are handed whole have none to name.
Json node_names(const Partition& part, const Model* model) {
  if (!part.nodes.empty() || model == nullptr) return part.nodes;
  Json names = Json::array();
  if (const auto graph = graph_of(*model); graph) {
    for (const Node& node : (*graph)->nodes) names.push_back(node.name);
  }
  return names;
}

Result<Json> partition_json(const RunDocument& document, size_t index) {
  const Partition& part = document.plan->partitions[index];
  Json row = {{"id", part.id},
              {"candidate", part.candidate.format()},
              {"engine", part.candidate.engine},
              {"engine_version", part.engine_version},
              {"library_digest", part.library_digest},
              {"resource", part.candidate.resource},
              {"resource_kind", std::string(resource_kind_name(part.resource_kind))},
              {"simulated", part.simulated},
              {"precision", part.candidate.precision},
              {"threads", part.candidate.threads},
              {"preset", part.candidate.preset},
              {"options", part.options},
              {"cpu_set", part.cpu_set},
              {"spin", part.spin},
              {"isolated", part.isolated},
              {"nodes", node_names(part, document.model)},
              {"inputs", part.inputs},
              {"outputs", part.outputs},
              {"expected_us", microseconds(part.expected_ns)},
              {"expected_from", part.expected_from_evidence ? "evidence" : "estimate"},
              {"artefact", ""},
              {"cache", document.timing != nullptr ? document.timing->cache : "none"}};
  if (index < document.compiled.size()) {
    const CompiledPart& compiled = document.compiled[index];
    row["artefact"] = compiled.key_digest;
    row["artefact_bytes"] = compiled.size_bytes;
    row["cache"] = compiled.cache;
  }
  if (part.variant) row["variant"] = variant_to_json(*part.variant);
  if (!part.axes.empty()) row["axes"] = part.axes;
  if (part.load != Load::kAny) row["load"] = load_name(part.load);
  if (part.replica != 0) row["replica"] = part.replica;
  if (index < document.effective_json.size() && !document.effective_json[index].empty()) {
    AXLE_ASSIGN_OR_RETURN(row["effective"], parse_json(document.effective_json[index]));
  }
  if (index < document.counters.size() && !document.counters[index].empty()) row["counters"] = document.counters[index];
  return row;
}

Result<Json> plan_json(const RunDocument& document) {
  const Plan& plan = *document.plan;
  Json partitions = Json::array();
  for (size_t i = 0; i < plan.partitions.size(); ++i) {
    AXLE_ASSIGN_OR_RETURN(Json row, partition_json(document, i));
    partitions.push_back(std::move(row));
  }
  Json transfers = Json::array();
  for (const Transfer& transfer : plan.transfers) {
    transfers.push_back({{"from", transfer.from_partition},
                         {"to", transfer.to_partition},
                         {"tensor", transfer.tensor},
                         {"bytes", transfer.bytes},
                         {"from_space", transfer.from_space},
                         {"to_space", transfer.to_space}});
    if (!transfer.type.empty()) transfers.back()["type"] = transfer.type;
  }
  Json json{{"digest", plan.digest()},
            {"schedule", plan.schedule},
            {"partitions", std::move(partitions)},
            {"transfers", std::move(transfers)},
            {"shapes", plan.judged_shapes},
            {"expected_us", microseconds(plan.expected_ns)},
            {"notes", plan.notes}};
  if (plan.switch_at > 0) json["switch_at"] = plan.switch_at;
  if (!plan.each.empty()) json["each"] = plan.each;
  if (plan.batching.on()) json["batching"] = batching_to_json(plan.batching);
  return json;
}

Json timing_json(const RunDocument& document) {
  Json timing = Json::object();
  if (document.timing != nullptr) {
    timing = {{"plan_ms", milliseconds(document.timing->plan_ns)},
              {"load_ms", milliseconds(document.timing->load_ns)},
              {"compile_ms", milliseconds(document.timing->compile_ns)},
              {"cache", document.timing->cache}};
  }
  if (document.run_ns > 0) {
    timing["first_run_us"] = microseconds(document.first_run_ns);
    timing["run_us"] = microseconds(document.run_ns);
  }
  return timing;
}

Json outputs_json(const RunDocument& document) {
  Json outputs = Json::array();
  for (const OutputFile& output : document.outputs) {
    outputs.push_back({{"name", output.name},
                       {"dtype", std::string(data_type_name(output.dtype))},
                       {"shape", output.shape},
                       {"file", output.file}});
  }
  return outputs;
}

// Who has stale evidence, and the same with what makes it stale.
void add_stale(const Plan& plan, Json& root) {
  root["stale"] = root["stale_evidence"] = Json::array();
  for (const Decision& decision : plan.decisions) {
    if (!decision.evidence || !decision.evidence->stale) continue;
    root["stale"].push_back(decision.candidate);
    root["stale_evidence"].push_back({{"candidate", decision.candidate},
                                      {"reason", decision.evidence->stale_reason},
                                      {"recorded_unix_s", decision.evidence->recorded_unix_s}});
  }
}

std::string qos_unit(const std::string& constraint) {
  if (constraint == "throughput_min") return "per_s";
  if (constraint == "memory") return "bytes";
  return constraint == "power" ? "w" : "us";
}

Json qos_json(const QosReport& report) {
  Json bounds = Json::array();
  for (const QosBound& bound : report.bounds) {
    const std::string unit = qos_unit(bound.constraint);
    const double scale = unit == "us" ? 1e-3 : 1;
    Json row = {{"constraint", bound.constraint},       {"limit_" + unit, bound.limit * scale},
                {"value_" + unit, bound.value * scale}, {"window_runs", bound.window_runs},
                {"window_size", bound.window_size},     {"violated", bound.violated},
                {"violations", bound.violations}};
    if (!bound.not_measured.empty()) row["not_measured"] = bound.not_measured;
    bounds.push_back(std::move(row));
  }
  return {{"bounds", std::move(bounds)}, {"runs", report.runs}, {"failures", report.failures}, {"violated", report.violated()}};
}

Json kernels_json(const std::vector<KernelTime>& kernels) {
  Json rows = Json::array();
  for (const KernelTime& kernel : kernels) {
    rows.push_back({{"name", kernel.name},
                    {"partition", kernel.partition},
                    {"us", microseconds(kernel.time_ns)},
                    {"calls", kernel.calls}});
  }
  return rows;
}

}  // namespace

Result<std::string> render_run_json(const RunDocument& document) {
  Json root = Json::object();
  if (document.model != nullptr) root["model"] = model_json(*document.model);
  if (document.policy != nullptr) root["policy"] = policy_to_json_value(*document.policy);
  if (document.machine != nullptr) {
    root["machine"] = {{"fingerprint", document.machine->fingerprint()},
                       {"state", machine_to_json_value(*document.machine)["state"]}};
  }
  if (document.plan != nullptr) {
    AXLE_ASSIGN_OR_RETURN(root["plan"], plan_json(document));
    root["decisions"] = Json::array();
    for (const Decision& decision : document.plan->decisions) root["decisions"].push_back(decision_json(decision));
    root["substitutions"] = Json::array();
    for (const Substitution& taken : document.plan->substitutions) {
      root["substitutions"].push_back(
          {{"wanted", taken.wanted}, {"got", taken.got}, {"allowed_by", taken.allowed_by}, {"reason", taken.reason}});
    }
    add_stale(*document.plan, root);
  }
  root["timing"] = timing_json(document);
  root["outputs"] = outputs_json(document);
  if (!document.qos.bounds.empty()) root["qos"] = qos_json(document.qos);
  if (!document.kernels.empty()) root["kernels"] = kernels_json(document.kernels);
  return canonical_json(root);
}

}  // namespace axle
