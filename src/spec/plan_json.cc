#include "spec/plan_json.h"

#include <algorithm>

#include "base/hash.h"
#include "spec/batching_json.h"
#include "spec/evidence_json.h"
#include "spec/json_fields.h"
#include "spec/variant_json.h"

namespace axle {
namespace {

constexpr const char* kFormat = "axle-plan";
constexpr int64_t kVersion = 1;
constexpr int64_t kMaxTime = int64_t{1} << 62;
constexpr const char* kVerdictWords = "chosen, rejected, tie, not_measured, failed";

Json candidate_to_json(const Candidate& c) {
  Json json = {
      {"engine", c.engine}, {"precision", c.precision}, {"preset", c.preset}, {"resource", c.resource}, {"threads", c.threads}};
  if (!c.variant.empty()) json["variant"] = c.variant;
  return json;
}

Json summary_to_json(const EvidenceSummary& s) {
  Json json = {{"interval_high", s.interval_high},
               {"interval_low", s.interval_low},
               {"p50_ns", s.p50_ns},
               {"p95_ns", s.p95_ns},
               {"p99_ns", s.p99_ns},
               {"recorded_unix_s", s.recorded_unix_s},
               {"runs", s.runs},
               {"stale", s.stale}};
  if (s.error) json["error"] = error_figures_to_json(*s.error);
  if (!s.stale_reason.empty()) json["stale_reason"] = s.stale_reason;
  return json;
}

Json transfer_to_json(const Transfer& t) {
  Json json = {{"bytes", t.bytes},   {"from_partition", t.from_partition}, {"from_space", t.from_space},
               {"tensor", t.tensor}, {"to_partition", t.to_partition},     {"to_space", t.to_space}};
  if (!t.type.empty()) json["type"] = t.type;
  return json;
}

// What is executed; the digest is taken over this.
Json partition_core_to_json(const Partition& p) {
  Json json = {{"candidate", candidate_to_json(p.candidate)},
               {"cpu_set", p.cpu_set},
               {"engine_version", p.engine_version},
               {"id", p.id},
               {"inputs", p.inputs},
               {"isolated", p.isolated},
               {"library_digest", p.library_digest},
               {"nodes", p.nodes},
               {"options", map_to_json(p.options)},
               {"outputs", p.outputs},
               {"resource_kind", resource_kind_name(p.resource_kind)},
               {"simulated", p.simulated},
               {"spin", p.spin}};
  if (p.replica != 0) json["replica"] = p.replica;
  if (p.load != Load::kAny) json["load"] = load_name(p.load);
  if (p.variant) json["variant"] = variant_to_json(*p.variant);
  if (!p.axes.empty()) json["axes"] = map_to_json(p.axes);
  return json;
}

Json partition_to_json(const Partition& p) {
  Json json = partition_core_to_json(p);
  json["expected_from_evidence"] = p.expected_from_evidence;
  json["expected_ns"] = p.expected_ns;
  return json;
}

Json substitution_to_json(const Substitution& s) {
  return {{"allowed_by", s.allowed_by}, {"got", s.got}, {"reason", s.reason}, {"wanted", s.wanted}};
}

Json plan_core_to_json(const Plan& plan) {
  Json json = {{"format", kFormat},
               {"judged_shapes", plan.judged_shapes},
               {"machine_fingerprint", plan.machine_fingerprint},
               {"model_digest", plan.model_digest},
               {"partitions", list_to_json(plan.partitions, partition_core_to_json)},
               {"policy_digest", plan.policy_digest},
               {"schedule", plan.schedule},
               {"transfers", list_to_json(plan.transfers, transfer_to_json)},
               {"version", kVersion}};
  if (plan.switch_at != 0) json["switch_at"] = plan.switch_at;
  if (!plan.each.empty()) json["each"] = plan.each;
  if (plan.batching.on()) json["batching"] = batching_to_json(plan.batching);
  return json;
}

// ---- reading

Result<Candidate> read_candidate(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Candidate c;
  c.engine = reader.text("engine");
  c.resource = reader.text("resource");
  c.precision = reader.text("precision");
  c.threads = read_int32(reader, "threads", 1);
  c.preset = reader.text("preset");
  c.variant = reader.text_or("variant", "");
  AXLE_RETURN_IF_ERROR(reader.finish());
  const Result<Candidate> same = parse_candidate(c.format());
  if (!same.has_value()) return Status(same.error()).with_context(where);
  if (*same != c) return invalid_argument_error(fmt::format("{} does not read back from its name \"{}\"", where, c.format()));
  return c;
}

Result<EvidenceSummary> read_summary(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  EvidenceSummary s;
  s.p50_ns = read_bounded(reader, "p50_ns", 0, kMaxTime);
  s.p95_ns = read_bounded(reader, "p95_ns", 0, kMaxTime);
  s.p99_ns = read_bounded(reader, "p99_ns", 0, kMaxTime);
  s.runs = read_bounded(reader, "runs", 0, kMaxTime);
  s.interval_low = reader.number("interval_low");
  s.interval_high = reader.number("interval_high");
  s.recorded_unix_s = read_bounded(reader, "recorded_unix_s", 0, kMaxTime);
  s.stale = reader.boolean("stale");
  s.stale_reason = reader.text_or("stale_reason", "");
  if (const Json* error = reader.optional("error")) {
    AXLE_ASSIGN_OR_RETURN(s.error, read_error_figures(*error, where + ".error"));
  }
  AXLE_RETURN_IF_ERROR(reader.finish());
  return s;
}

Result<Decision> read_decision(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Decision d;
  d.candidate = reader.text("candidate");
  d.verdict = read_word<DecisionVerdict>(reader, "verdict", parse_decision_verdict, kVerdictWords);
  d.code = reader.text("code");
  d.reason = reader.text("reason");
  d.estimate_ns = read_bounded(reader, "estimate_ns", 0, kMaxTime);
  if (const Json* evidence = reader.optional("evidence")) {
    AXLE_ASSIGN_OR_RETURN(d.evidence, read_summary(*evidence, where + ".evidence"));
  }
  d.nodes = read_list<NodeReason>(reader, "nodes", read_node_reason);
  AXLE_RETURN_IF_ERROR(reader.finish());
  return d;
}

Result<Transfer> read_transfer(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Transfer t;
  t.from_partition = read_int32(reader, "from_partition", -1);
  t.to_partition = read_int32(reader, "to_partition", -1);
  t.tensor = reader.text("tensor");
  t.bytes = read_size(reader, "bytes");
  t.from_space = reader.text("from_space");
  t.to_space = reader.text("to_space");
  t.type = reader.text_or("type", "");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return t;
}

std::optional<Load> parse_load(std::string_view name) noexcept {
  for (const Load load : {Load::kLow, Load::kHigh}) {
    if (load_name(load) == name) return load;
  }
  return std::nullopt;
}

Result<int64_t> read_axis_size(const Json& json, const std::string& where) {
  if (json.is_number_integer() && json.get<int64_t>() > 0) return json.get<int64_t>();
  return invalid_argument_error(where + " is no size: it must be a whole number above 0");
}

Result<Partition> read_partition(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Partition p;
  p.id = read_int32(reader, "id");
  if (reader.optional("replica") != nullptr) p.replica = read_int32(reader, "replica");
  if (reader.optional("load") != nullptr) p.load = read_word<Load>(reader, "load", parse_load, "low, high");
  AXLE_ASSIGN_OR_RETURN(p.candidate, read_candidate(reader.object("candidate"), where + ".candidate"));
  p.engine_version = reader.text("engine_version");
  p.library_digest = reader.text("library_digest");
  p.resource_kind = read_word<ResourceKind>(reader, "resource_kind", parse_resource_kind, "cpu, gpu, npu, pim, remote, hybrid");
  p.simulated = reader.boolean("simulated");
  p.nodes = reader.texts_or_empty("nodes");
  p.inputs = reader.texts_or_empty("inputs");
  p.outputs = reader.texts_or_empty("outputs");
  p.options = read_texts_map(reader, "options");
  p.cpu_set = read_int32s(reader, "cpu_set");
  p.spin = reader.boolean("spin");
  p.isolated = reader.boolean("isolated");
  if (reader.optional("axes") != nullptr) p.axes = read_map<int64_t>(reader, "axes", read_axis_size);
  p.expected_ns = read_bounded(reader, "expected_ns", 0, kMaxTime);
  p.expected_from_evidence = reader.boolean("expected_from_evidence");
  if (const Json* variant = reader.optional("variant")) {
    AXLE_ASSIGN_OR_RETURN(p.variant, read_variant(*variant, where + ".variant"));
  }
  AXLE_RETURN_IF_ERROR(reader.finish());
  if (p.candidate.variant != (p.variant ? p.variant->name() : ""))
    return invalid_argument_error(
        fmt::format("{}: its candidate runs the variant \"{}\", its variant is another", where, p.candidate.variant));
  return p;
}

Result<Substitution> read_substitution(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Substitution s{reader.text("wanted"), reader.text("got"), reader.text("allowed_by"), reader.text("reason")};
  AXLE_RETURN_IF_ERROR(reader.finish());
  return s;
}

// Both loads and the number that tells them apart, or none of it.
Status check_loads(const Plan& plan, const std::string& where) {
  const bool hybrid = plan.schedule == "hybrid";
  const bool ordered = std::is_sorted(plan.partitions.begin(), plan.partitions.end(),
                                      [](const Partition& a, const Partition& b) { return a.load < b.load; });
  const bool complete =
      hybrid ? plan.switch_at >= 2 && plan.partitions.front().load == Load::kLow && plan.partitions.back().load == Load::kHigh
             : plan.switch_at == 0 && plan.partitions.back().load == Load::kAny;
  if (complete && ordered) return ok_status();
  return invalid_argument_error(
      fmt::format("{}: a plan of the schedule \"hybrid\", and no other, has switch_at and partitions for the load \"low\", "
                  "then for \"high\"",
                  where));
}

// Replicas are numbered from 0 for each load and each set of prepared sizes, and stand together.
Status check_replicas(const Plan& plan, const std::string& where) {
  if (!plan.each.empty() && (plan.schedule != "replicas" || (plan.each != "pipeline" && plan.each != "split"))) {
    return invalid_argument_error(fmt::format(
        "{}.each is \"{}\": replicas, and nothing else, may be each a \"pipeline\" or a \"split\"", where, plan.each));
  }
  const Partition* before = nullptr;
  for (const Partition& part : plan.partitions) {
    const bool first = before == nullptr || part.load != before->load || part.axes != before->axes;
    const int32_t replica = first ? 0 : before->replica;
    if (part.replica != replica && (first || part.replica != replica + 1)) {
      return invalid_argument_error(fmt::format("{}.partitions[{}].replica is {}; replicas count from 0 and stand together",
                                                where, part.id, part.replica));
    }
    before = &part;
  }
  return ok_status();
}

Status check_structure(const Plan& plan, const std::string& where) {
  if (plan.partitions.empty())
    return invalid_argument_error(fmt::format("{} has no partitions; a plan has at least one", where));
  for (size_t i = 0; i < plan.partitions.size(); ++i) {
    if (plan.partitions[i].id != static_cast<int32_t>(i)) {
      return invalid_argument_error(
          fmt::format("{}.partitions[{}].id is {}; ids count from 0", where, i, plan.partitions[i].id));
    }
  }
  AXLE_RETURN_IF_ERROR(check_loads(plan, where));
  AXLE_RETURN_IF_ERROR(check_replicas(plan, where));
  const auto count = static_cast<int32_t>(plan.partitions.size());
  for (const Transfer& t : plan.transfers) {
    if (t.from_partition >= count || t.to_partition >= count) {
      return invalid_argument_error(
          fmt::format("{}: the transfer of \"{}\" names a partition that does not exist", where, t.tensor));
    }
  }
  return ok_status();
}

}  // namespace

std::string_view load_name(Load load) noexcept {
  switch (load) {
    case Load::kAny: return "any";
    case Load::kLow: return "low";
    case Load::kHigh: return "high";
  }
  return "unknown";
}

std::string_view decision_verdict_name(DecisionVerdict verdict) noexcept {
  switch (verdict) {
    case DecisionVerdict::kChosen: return "chosen";
    case DecisionVerdict::kRejected: return "rejected";
    case DecisionVerdict::kTie: return "tie";
    case DecisionVerdict::kNotMeasured: return "not_measured";
    case DecisionVerdict::kFailed: return "failed";
  }
  return "unknown";
}

std::optional<DecisionVerdict> parse_decision_verdict(std::string_view name) noexcept {
  for (const auto verdict : {DecisionVerdict::kChosen, DecisionVerdict::kRejected, DecisionVerdict::kTie,
                             DecisionVerdict::kNotMeasured, DecisionVerdict::kFailed}) {
    if (decision_verdict_name(verdict) == name) return verdict;
  }
  return std::nullopt;
}

Json node_reason_to_json(const NodeReason& reason) {
  return {{"code", reason.code}, {"node", reason.node}, {"op", reason.op}, {"reason", reason.reason}};
}

Result<NodeReason> read_node_reason(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  NodeReason reason{reader.text("node"), reader.text("op"), reader.text("code"), reader.text("reason")};
  AXLE_RETURN_IF_ERROR(reader.finish());
  return reason;
}

Json decision_to_json(const Decision& d) {
  Json json = {{"candidate", d.candidate},     {"code", d.code},
               {"estimate_ns", d.estimate_ns}, {"nodes", list_to_json(d.nodes, node_reason_to_json)},
               {"reason", d.reason},           {"verdict", decision_verdict_name(d.verdict)}};
  if (d.evidence) json["evidence"] = summary_to_json(*d.evidence);
  return json;
}

Json plan_to_json_value(const Plan& plan) {
  Json json = plan_core_to_json(plan);
  json["decisions"] = list_to_json(plan.decisions, decision_to_json);
  json["digest"] = plan.digest();
  json["expected_ns"] = plan.expected_ns;
  json["notes"] = plan.notes;
  json["partitions"] = list_to_json(plan.partitions, partition_to_json);
  json["substitutions"] = list_to_json(plan.substitutions, substitution_to_json);
  return json;
}

Result<Plan> read_plan_json(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Plan plan;
  if (const std::string format = reader.text("format"); reader.status().ok() && format != kFormat) {
    return invalid_argument_error(fmt::format("{}.format is \"{}\", not \"{}\"", where, format, kFormat));
  }
  if (const int64_t version = reader.integer("version"); reader.status().ok() && version != kVersion) {
    return invalid_argument_error(fmt::format("{}.version is {}; this build reads version {}", where, version, kVersion));
  }
  plan.model_digest = reader.text("model_digest");
  plan.policy_digest = reader.text("policy_digest");
  plan.machine_fingerprint = reader.text("machine_fingerprint");
  plan.schedule = reader.text("schedule");
  plan.each = reader.text_or("each", "");
  if (reader.optional("switch_at") != nullptr) plan.switch_at = read_int32(reader, "switch_at", 2);
  if (const Json* batching = reader.optional("batching")) {
    AXLE_ASSIGN_OR_RETURN(plan.batching, read_batching(*batching, where + ".batching"));
  }
  plan.judged_shapes = reader.text("judged_shapes");
  plan.partitions = read_list<Partition>(reader, "partitions", read_partition);
  plan.transfers = read_list<Transfer>(reader, "transfers", read_transfer);
  plan.decisions = read_list<Decision>(reader, "decisions", read_decision);
  plan.substitutions = read_list<Substitution>(reader, "substitutions", read_substitution);
  plan.notes = reader.texts_or_empty("notes");
  plan.expected_ns = read_bounded(reader, "expected_ns", 0, kMaxTime);
  const std::string digest = reader.text("digest");
  AXLE_RETURN_IF_ERROR(reader.finish());
  AXLE_RETURN_IF_ERROR(check_structure(plan, where));
  if (plan.digest() != digest) {
    return invalid_argument_error(
               fmt::format("{} was changed after it was written: its digest is {}, it says {}", where, plan.digest(), digest))
        .with_hint("make the plan again instead of editing it");
  }
  return plan;
}

bool Plan::measured() const {
  return std::ranges::all_of(
      partitions, [&](const Partition& part) { return part.expected_from_evidence || part.axes != partitions.front().axes; });
}

// Only a text that is not UTF-8 has no canonical form, and every reader refuses that before it gets here.
std::string Plan::digest() const {
  const Result<std::string> text = canonical_json(plan_core_to_json(*this));
  return text.has_value() ? sha256_of(*text).to_string() : std::string();
}

Result<std::string> plan_to_json(const Plan& plan) { return canonical_json(plan_to_json_value(plan)); }

Result<Plan> parse_plan(std::string_view json) {
  AXLE_ASSIGN_OR_RETURN(const Json value, parse_json(json));
  return read_plan_json(value, "plan");
}

}  // namespace axle
