#include "spec/policy_json.h"

#include "spec/json_fields.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

// ---- writing

void write_bound(Json& json, const char* key, const std::optional<double>& bound) {
  if (bound) json[key] = *bound;
}

Json accuracy_to_json(const AccuracyGate& gate) {
  Json json = {{"calibration", gate.calibration}, {"samples", gate.samples}};
  write_bound(json, "cosine_min", gate.cosine_min);
  write_bound(json, "max_relative_error", gate.max_relative_error);
  write_bound(json, "relative_l2_max", gate.relative_l2_max);
  write_bound(json, "top1_agreement_min", gate.top1_agreement_min);
  return json;
}

Json engines_to_json(const EngineRules& rules) {
  Json options = Json::object(), isolation = Json::object();
  for (const auto& [engine, values] : rules.options) options[engine] = map_to_json(values);
  for (const auto& [engine, value] : rules.isolation) isolation[engine] = isolation_name(value);
  return {
      {"allow", rules.allow}, {"deny", rules.deny}, {"isolation", isolation}, {"options", options}, {"prefer", rules.prefer}};
}

Json kernels_to_json(const KernelPolicy& kernels) {
  Json json = Json::object();
  for (const auto& [op, choice] : kernels) {
    json[op] = {{"forbid", choice.forbid}, {"force", choice.force}, {"prefer", choice.prefer}};
  }
  return json;
}

Json target_to_json(const PinTarget& target) {
  return {{"engine", target.engine}, {"kernel", target.kernel}, {"precision", target.precision}, {"resource", target.resource}};
}

Json pin_to_json(const Pin& pin) {
  Json json = {{"between", pin.between}, {"nodes", pin.nodes}, {"op_types", pin.op_types}};
  if (pin.require) json["require"] = target_to_json(*pin.require);
  if (pin.prefer) json["prefer"] = target_to_json(*pin.prefer);
  if (pin.forbid) json["forbid"] = target_to_json(*pin.forbid);
  return json;
}

// ---- reading

std::optional<double> read_bound(JsonReader& reader, const char* key) {
  return reader.has(key) ? std::optional<double>(reader.number(key)) : std::nullopt;
}

constexpr int64_t kMaxDuration = int64_t{1} << 62;

Constraints read_constraints(const Json& json, JsonReader& outer) {
  JsonReader reader(json, outer.where() + ".constraints");
  Constraints c;
  c.latency_p50_ns = read_bounded(reader, "latency_p50_ns", 0, kMaxDuration);
  c.latency_p95_ns = read_bounded(reader, "latency_p95_ns", 0, kMaxDuration);
  c.latency_p99_ns = read_bounded(reader, "latency_p99_ns", 0, kMaxDuration);
  c.latency_mean_ns = read_bounded(reader, "latency_mean_ns", 0, kMaxDuration);
  c.memory_bytes = read_size(reader, "memory_bytes");
  c.power_watts = reader.number("power_watts");
  c.throughput_min_per_s = reader.number("throughput_min_per_s");
  if (Status status = reader.finish(); !status.ok()) outer.fail(std::move(status));
  return c;
}

AccuracyGate read_accuracy(const Json& json, JsonReader& outer) {
  JsonReader reader(json, outer.where() + ".accuracy");
  AccuracyGate gate;
  gate.max_relative_error = read_bound(reader, "max_relative_error");
  gate.relative_l2_max = read_bound(reader, "relative_l2_max");
  gate.cosine_min = read_bound(reader, "cosine_min");
  gate.top1_agreement_min = read_bound(reader, "top1_agreement_min");
  gate.samples = reader.text("samples");
  gate.calibration = reader.text("calibration");
  if (Status status = reader.finish(); !status.ok()) outer.fail(std::move(status));
  return gate;
}

ExecutionPolicy read_execution(const Json& json, JsonReader& outer) {
  JsonReader reader(json, outer.where() + ".execution");
  ExecutionPolicy execution;
  execution.targets = reader.texts_or_empty("targets");
  execution.precisions = reader.texts_or_empty("precisions");
  execution.static_shape = reader.boolean("static_shape");
  execution.threads = read_int32(reader, "threads");
  execution.isolation = read_word<Isolation>(reader, "isolation", parse_isolation, kIsolationWords);
  if (Status status = reader.finish(); !status.ok()) outer.fail(std::move(status));
  return execution;
}

Fallback read_fallback(const Json& json, JsonReader& outer) {
  JsonReader reader(json, outer.where() + ".fallback");
  Fallback fallback{reader.texts_or_empty("resource"), reader.texts_or_empty("engine"), reader.texts_or_empty("precision"),
                    reader.texts_or_empty("kernel")};
  if (Status status = reader.finish(); !status.ok()) outer.fail(std::move(status));
  return fallback;
}

Result<KernelChoice> read_kernel(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  KernelChoice choice{reader.text("force"), reader.texts_or_empty("prefer"), reader.texts_or_empty("forbid")};
  AXLE_RETURN_IF_ERROR(reader.finish());
  return choice;
}

Result<std::vector<std::vector<int32_t>>> read_core_sets(const Json& json, const std::string& where) {
  const Json holder = {{"sets", json}};
  JsonReader reader(holder, where);
  auto sets = read_list<std::vector<int32_t>>(reader, "sets",
                                              [](const Json& set, const std::string& place) -> Result<std::vector<int32_t>> {
                                                const Json inner = {{"cpus", set}};
                                                JsonReader cpus(inner, place);
                                                auto numbers = read_int32s(cpus, "cpus");
                                                AXLE_RETURN_IF_ERROR(cpus.finish());
                                                return numbers;
                                              });
  AXLE_RETURN_IF_ERROR(reader.finish());
  return sets;
}

ResourceRules read_resources(const Json& json, JsonReader& outer) {
  JsonReader reader(json, outer.where() + ".resources");
  ResourceRules rules;
  rules.allow = reader.texts_or_empty("allow");
  rules.deny = reader.texts_or_empty("deny");
  rules.allow_simulated = reader.boolean("allow_simulated");
  rules.split = read_map<std::vector<std::vector<int32_t>>>(reader, "split", read_core_sets);
  if (Status status = reader.finish(); !status.ok()) outer.fail(std::move(status));
  return rules;
}

Result<std::map<std::string, std::string>> read_options(const Json& json, const std::string& where) {
  const Json holder = {{"options", json}};
  JsonReader reader(holder, where);
  auto options = read_texts_map(reader, "options");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return options;
}

Result<Isolation> read_isolation(const Json& json, const std::string& where) {
  AXLE_ASSIGN_OR_RETURN(const std::string name, read_text(json, where));
  if (const auto isolation = parse_isolation(name)) return *isolation;
  return invalid_argument_error(fmt::format("{} is \"{}\"; it must be one of {}", where, name, kIsolationWords));
}

EngineRules read_engines(const Json& json, JsonReader& outer) {
  JsonReader reader(json, outer.where() + ".engines");
  EngineRules rules;
  rules.allow = reader.texts_or_empty("allow");
  rules.deny = reader.texts_or_empty("deny");
  rules.prefer = reader.texts_or_empty("prefer");
  rules.options = read_map<std::map<std::string, std::string>>(reader, "options", read_options);
  rules.isolation = read_map<Isolation>(reader, "isolation", read_isolation);
  if (Status status = reader.finish(); !status.ok()) outer.fail(std::move(status));
  return rules;
}

// Keys that came after the first locks stand only where they say something: older policies keep their digests.
Json schedule_to_json(const ScheduleRules& rules) {
  Json json = {{"kind", schedule_kind_name(rules.kind)}, {"mixing", mixing_name(rules.mixing)}, {"rebalance", rules.rebalance}};
  if (rules.ordered) json["ordered"] = *rules.ordered;
  if (rules.each != ScheduleKind::kSingle) json["each"] = schedule_kind_name(rules.each);
  if (!rules.groups.empty()) json["groups"] = rules.groups;
  if (rules.batch != 1) json["batch"] = rules.batch;
  if (rules.batch_wait_ns != 0) json["batch_wait_ns"] = rules.batch_wait_ns;
  return json;
}

Result<std::vector<std::string>> read_group(const Json& json, const std::string& where) {
  const Json holder = {{"selectors", json}};
  JsonReader reader(holder, where);
  auto selectors = reader.texts_or_empty("selectors");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return selectors;
}

ScheduleRules read_schedule(const Json& json, JsonReader& outer) {
  JsonReader reader(json, outer.where() + ".schedule");
  ScheduleRules rules;
  rules.kind = read_word<ScheduleKind>(reader, "kind", parse_schedule_kind, kScheduleKindWords);
  rules.mixing = read_word<Mixing>(reader, "mixing", parse_mixing, kMixingWords);
  rules.rebalance = reader.boolean("rebalance");
  if (reader.has("ordered")) rules.ordered = reader.boolean("ordered");
  if (reader.has("each")) rules.each = read_word<ScheduleKind>(reader, "each", parse_each, kEachWords);
  rules.groups = read_list<std::vector<std::string>>(reader, "groups", read_group);
  if (reader.has("batch")) rules.batch = read_int32(reader, "batch", kAutoBatch);
  if (reader.has("batch_wait_ns")) rules.batch_wait_ns = read_bounded(reader, "batch_wait_ns", 0, kMaxDuration);
  if (Status status = reader.finish(); !status.ok()) outer.fail(std::move(status));
  return rules;
}

std::optional<PinTarget> read_target(JsonReader& outer, const char* key) {
  const Json* json = outer.optional(key);
  if (json == nullptr) return std::nullopt;
  JsonReader reader(*json, fmt::format("{}.{}", outer.where(), key));
  PinTarget target{reader.text("engine"), reader.text("resource"), reader.text("precision"), reader.text("kernel")};
  if (Status status = reader.finish(); !status.ok()) outer.fail(std::move(status));
  return target;
}

Result<Pin> read_pin(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Pin pin;
  pin.nodes = reader.texts_or_empty("nodes");
  pin.op_types = reader.texts_or_empty("op_types");
  pin.between = reader.texts_or_empty("between");
  pin.require = read_target(reader, "require");
  pin.prefer = read_target(reader, "prefer");
  pin.forbid = read_target(reader, "forbid");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return pin;
}

TuningRules read_tuning(const Json& json, JsonReader& outer) {
  JsonReader reader(json, outer.where() + ".tuning");
  TuningRules rules;
  rules.budget_ns = read_bounded(reader, "budget_ns", 0, kMaxDuration);
  rules.evidence = read_word<EvidenceUse>(reader, "evidence", parse_evidence_use, kEvidenceUseWords);
  if (Status status = reader.finish(); !status.ok()) outer.fail(std::move(status));
  return rules;
}

Result<std::vector<int64_t>> read_sizes(const Json& json, const std::string& where) {
  const Json holder = {{"sizes", json}};
  JsonReader reader(holder, where);
  auto sizes = reader.integers_or_empty("sizes");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return sizes;
}

}  // namespace

Json policy_to_json_value(const Policy& p) {
  return {
      {"accuracy", accuracy_to_json(p.accuracy)},
      {"constraints",
       {{"latency_mean_ns", p.constraints.latency_mean_ns},
        {"latency_p50_ns", p.constraints.latency_p50_ns},
        {"latency_p95_ns", p.constraints.latency_p95_ns},
        {"latency_p99_ns", p.constraints.latency_p99_ns},
        {"memory_bytes", p.constraints.memory_bytes},
        {"power_watts", p.constraints.power_watts},
        {"throughput_min_per_s", p.constraints.throughput_min_per_s}}},
      {"engines", engines_to_json(p.engines)},
      {"execution",
       {{"isolation", isolation_name(p.execution.isolation)},
        {"precisions", p.execution.precisions},
        {"static_shape", p.execution.static_shape},
        {"targets", p.execution.targets},
        {"threads", p.execution.threads}}},
      {"fallback",
       {{"engine", p.fallback.engine},
        {"kernel", p.fallback.kernel},
        {"precision", p.fallback.precision},
        {"resource", p.fallback.resource}}},
      {"kernels", kernels_to_json(p.kernels)},
      {"lock_waive", p.lock_waive},
      {"objective", objective_name(p.objective)},
      {"pins", list_to_json(p.pins, pin_to_json)},
      {"prices", map_to_json(p.prices)},
      {"resources",
       {{"allow", p.resources.allow},
        {"allow_simulated", p.resources.allow_simulated},
        {"deny", p.resources.deny},
        {"split", map_to_json(p.resources.split)}}},
      {"schedule", schedule_to_json(p.schedule)},
      {"shapes", map_to_json(p.shapes)},
      {"tuning", {{"budget_ns", p.tuning.budget_ns}, {"evidence", evidence_use_name(p.tuning.evidence)}}},
  };
}

Result<Policy> read_policy_json(const Json& json, const std::string& where) {
  JsonReader reader(json, where);
  Policy policy;
  policy.objective = read_word<Objective>(reader, "objective", parse_objective, kObjectiveWords);
  policy.constraints = read_constraints(reader.object("constraints"), reader);
  policy.accuracy = read_accuracy(reader.object("accuracy"), reader);
  policy.execution = read_execution(reader.object("execution"), reader);
  policy.fallback = read_fallback(reader.object("fallback"), reader);
  policy.kernels = read_map<KernelChoice>(reader, "kernels", read_kernel);
  policy.resources = read_resources(reader.object("resources"), reader);
  policy.engines = read_engines(reader.object("engines"), reader);
  policy.schedule = read_schedule(reader.object("schedule"), reader);
  policy.shapes = read_map<std::vector<int64_t>>(reader, "shapes", read_sizes);
  policy.pins = read_list<Pin>(reader, "pins", read_pin);
  policy.tuning = read_tuning(reader.object("tuning"), reader);
  policy.prices = read_map<double>(reader, "prices", read_number);
  policy.lock_waive = reader.texts_or_empty("lock_waive");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return policy;
}

}  // namespace axle
