#include <fmt/core.h>

#include <limits>

#include "axle/policy.h"
#include "base/file.h"
#include "base/text.h"
#include "base/toml_document.h"
#include "policy/policy_values.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

using Kind = TomlValue::Kind;

constexpr size_t kMaxPolicyBytes = 1u << 20;
constexpr size_t kMaxPins = 10'000;
constexpr double kHuge = 1e18;

std::string path_below(const TomlReader& reader, std::string_view key) {
  return reader.path().empty() ? std::string(key) : fmt::format("{}.{}", reader.path(), key);
}

// Reads the table `key`, if there, with `read(TomlReader&)`.
template <typename F>
void read_section(TomlReader& outer, const char* key, F read) {
  const TomlValue* table = outer.table(key);
  if (table == nullptr) return;
  TomlReader reader(*table, path_below(outer, key), outer.origin());
  read(reader);
  outer.adopt(reader.finish());
}

template <typename E, typename F>
void read_enum(TomlReader& reader, const char* key, E& value, F parse, const char* words) {
  const auto text = reader.text(key);
  if (!text) return;
  if (const auto parsed = parse(*text)) {
    value = *parsed;
  } else {
    reader.fail_at(reader.value(key)->place,
                   invalid_argument_error(fmt::format("{} is \"{}\"", path_below(reader, key), printable(*text, 64)))
                       .with_hint(fmt::format("one of {}", words)));
  }
}

void read_duration(TomlReader& reader, const char* key, int64_t& value) {
  const auto text = reader.text(key);
  if (!text) return;
  const Result<int64_t> parsed = parse_duration_ns(*text);
  reader.fail_at(reader.value(key)->place, parsed.status());
  value = parsed.value_or(0);
}

void read_memory(TomlReader& reader, const char* key, uint64_t& value) {
  const TomlValue* found = reader.value(key);
  if (found != nullptr && found->kind == Kind::kInteger) {
    value = static_cast<uint64_t>(reader.integer(key, 0, std::numeric_limits<int64_t>::max()).value_or(0));
    return;
  }
  const auto text = reader.text(key);
  if (!text) return;
  const Result<int64_t> parsed = parse_size_bytes(*text);
  reader.fail_at(found->place, parsed.status());
  value = static_cast<uint64_t>(parsed.value_or(0));
}

void read_precisions(TomlReader& reader, const char* key, std::vector<std::string>& value) {
  value = normal_precisions(reader.texts(key));
  reader.check(key, check_precision_name);
}

void read_selectors(TomlReader& reader, const char* key, std::vector<std::string>& value) {
  value = reader.texts(key);
  reader.check(key, check_selector_text);
}

void read_engine_names(TomlReader& reader, const char* key, std::vector<std::string>& value) {
  value = reader.texts(key);
  reader.check(key, check_engine_name);
}

void read_constraints(TomlReader& reader, Constraints& c) {
  read_duration(reader, "latency_p50", c.latency_p50_ns);
  read_duration(reader, "latency_p95", c.latency_p95_ns);
  read_duration(reader, "latency_p99", c.latency_p99_ns);
  read_duration(reader, "latency_mean", c.latency_mean_ns);
  read_memory(reader, "memory", c.memory_bytes);
  c.power_watts = reader.number("power", 0, kHuge).value_or(0);
  c.throughput_min_per_s = reader.number("throughput_min", 0, kHuge).value_or(0);
}

void read_accuracy(TomlReader& reader, AccuracyGate& gate) {
  gate.max_relative_error = reader.number("max_relative_error", 0, kHuge);
  gate.relative_l2_max = reader.number("relative_l2_max", 0, kHuge);
  gate.cosine_min = reader.number("cosine_min", -1, 1);
  gate.top1_agreement_min = reader.number("top1_agreement_min", 0, 1);
  gate.samples = reader.text("samples").value_or("");
  gate.calibration = reader.text("calibration").value_or("");
}

void read_execution(TomlReader& reader, ExecutionPolicy& execution, std::optional<std::vector<std::string>>& allow_fallback) {
  read_selectors(reader, "target", execution.targets);
  read_precisions(reader, "precision", execution.precisions);
  execution.static_shape = reader.boolean("static_shape").value_or(false);
  execution.threads = static_cast<int32_t>(reader.integer("threads", 0, kMaxPolicyThreads).value_or(0));
  read_enum(reader, "isolation", execution.isolation, parse_isolation, kIsolationWords);
  if (reader.value("allow_fallback") != nullptr) read_selectors(reader, "allow_fallback", allow_fallback.emplace());
}

void read_fallback(TomlReader& reader, Fallback& fallback, const std::optional<std::vector<std::string>>& allow_fallback) {
  read_selectors(reader, "resource", fallback.resource);
  const TomlValue* resource = reader.value("resource");
  if (resource != nullptr && allow_fallback && *allow_fallback != fallback.resource) {
    reader.fail_at(resource->place,
                   invalid_argument_error("fallback.resource differs from execution.allow_fallback, which means the same")
                       .with_hint("keep one of the two"));
  }
  read_engine_names(reader, "engine", fallback.engine);
  read_precisions(reader, "precision", fallback.precision);
  fallback.kernel = reader.texts("kernel");
  reader.check("kernel", check_kernel_word);
}

void read_kernel(TomlReader& outer, const TomlMember& member, KernelPolicy& kernels) {
  KernelChoice& choice = kernels[member.key];
  outer.fail_at(member.place, check_kernel_word(member.key));
  if (member.value.kind == Kind::kText) {
    choice.force = member.value.text;
    outer.fail_at(member.value.place, check_kernel_word(choice.force));
    return;
  }
  if (member.value.kind != Kind::kTable) {
    outer.fail_at(member.value.place,
                  invalid_argument_error(fmt::format(
                      "kernels.{} must be a kernel's name or a table of force, prefer and forbid", printable(member.key, 64))));
    return;
  }
  TomlReader reader(member.value, path_below(outer, member.key), outer.origin());
  choice.force = reader.text("force").value_or("");
  choice.prefer = reader.texts("prefer");
  choice.forbid = reader.texts("forbid");
  for (const char* key : {"force", "prefer", "forbid"}) reader.check(key, check_kernel_word);
  outer.adopt(reader.finish());
}

void read_split(TomlReader& outer, const TomlMember& member, ResourceRules& rules) {
  outer.fail_at(member.place, check_selector_text(member.key));
  const auto refuse = [&](TomlPlace place) {
    outer.fail_at(place, invalid_argument_error(
                             fmt::format("resources.split.\"{}\" must be a list of core sets", printable(member.key, 64)))
                             .with_hint("write \"cpu:0\" = [[0], [1]]"));
  };
  if (member.value.kind != Kind::kArray) return refuse(member.value.place);
  auto& sets = rules.split[member.key];
  for (const TomlValue& set : member.value.items) {
    if (set.kind != Kind::kArray) return refuse(set.place);
    auto& cpus = sets.emplace_back();
    for (const TomlValue& cpu : set.items) {
      if (cpu.kind != Kind::kInteger || cpu.integer < 0 || cpu.integer > std::numeric_limits<int32_t>::max())
        return refuse(cpu.place);
      cpus.push_back(static_cast<int32_t>(cpu.integer));
    }
  }
}

void read_resources(TomlReader& reader, ResourceRules& rules) {
  read_selectors(reader, "allow", rules.allow);
  read_selectors(reader, "deny", rules.deny);
  rules.allow_simulated = reader.boolean("allow_simulated").value_or(false);
  read_section(reader, "split", [&](TomlReader& split) {
    for (const TomlMember* member : split.rest()) read_split(split, *member, rules);
  });
}

// Options are handed on as text; their domains are the engine's and are checked when a plan is made.
void read_engine_table(TomlReader& outer, const TomlMember& member, EngineRules& rules) {
  outer.fail_at(member.place, check_engine_name(member.key));
  TomlReader reader(member.value, path_below(outer, member.key), outer.origin());
  if (reader.value("isolation") != nullptr) {
    read_enum(reader, "isolation", rules.isolation[member.key], parse_isolation, kIsolationWords);
  }
  for (const TomlMember* option : reader.rest()) {
    std::string& value = rules.options[member.key][option->key];
    switch (option->value.kind) {
      case Kind::kText: value = option->value.text; break;
      case Kind::kInteger: value = std::to_string(option->value.integer); break;
      case Kind::kNumber: value = fmt::format("{}", option->value.number); break;
      case Kind::kBoolean: value = option->value.boolean ? "true" : "false"; break;
      default:
        reader.fail_at(option->value.place, invalid_argument_error(fmt::format("{} must be a string, a number or a boolean",
                                                                               path_below(reader, option->key))));
    }
  }
  outer.adopt(reader.finish());
}

void read_engines(TomlReader& reader, EngineRules& rules) {
  read_engine_names(reader, "allow", rules.allow);
  read_engine_names(reader, "deny", rules.deny);
  read_engine_names(reader, "prefer", rules.prefer);
  bool stray = false;
  for (const TomlMember* member : reader.rest()) {
    if (member->value.kind == Kind::kTable)
      read_engine_table(reader, *member, rules);
    else if (!stray) {
      stray = true;
      reader.fail_at(member->place,
                     invalid_argument_error(fmt::format("unknown key \"{}\" in [engines]", printable(member->key, 64)))
                         .with_hint("[engines] may hold allow, deny, prefer and one table per engine"));
    }
  }
}

void read_target(TomlReader& outer, const char* key, std::optional<PinTarget>& target) {
  read_section(outer, key, [&](TomlReader& reader) {
    PinTarget& t = target.emplace();
    t.engine = reader.text("engine").value_or("");
    t.resource = reader.text("resource").value_or("");
    t.precision = reader.text("precision").value_or("");
    t.kernel = reader.text("kernel").value_or("");
    reader.check("engine", check_engine_name);
    reader.check("resource", check_selector_text);
    reader.check("precision", check_precision_name);
    reader.check("kernel", check_kernel_word);
    if (!t.precision.empty()) t.precision = normal_precisions({t.precision}).front();
  });
}

void read_pins(TomlReader& outer, std::vector<Pin>& pins) {
  const TomlValue* array = outer.array("pin");
  if (array == nullptr) return;
  if (array->items.size() > kMaxPins) {
    return outer.fail_at(array->place, invalid_argument_error(fmt::format("{} pins are more than the limit of {}",
                                                                          array->items.size(), kMaxPins)));
  }
  for (const TomlValue& item : array->items) {
    if (item.kind != Kind::kTable)
      return outer.fail_at(item.place, invalid_argument_error("pin must be written as [[pin]] tables"));
    TomlReader reader(item, "pin", outer.origin());
    Pin& pin = pins.emplace_back();
    pin.nodes = reader.texts("nodes");
    pin.op_types = reader.texts("op_types");
    pin.between = reader.texts("between");
    read_target(reader, "require", pin.require);
    read_target(reader, "prefer", pin.prefer);
    read_target(reader, "forbid", pin.forbid);
    outer.adopt(reader.finish());
  }
}

void read_shapes(TomlReader& reader, std::map<std::string, std::vector<int64_t>>& shapes) {
  for (const TomlMember* member : reader.rest()) {
    auto& sizes = shapes[member->key];
    const auto add = [&](const TomlValue& value) {
      if (value.kind != Kind::kInteger || value.integer < 1) {
        reader.fail_at(value.place, invalid_argument_error(fmt::format("shapes.{} must be a size from 1 or a list of them",
                                                                       printable(member->key, 64))));
      }
      sizes.push_back(value.integer);
    };
    if (member->value.kind != Kind::kArray) add(member->value);
    for (const TomlValue& item : member->value.items) add(item);
  }
}

void read_prices(TomlReader& reader, std::map<std::string, double>& prices) {
  for (const TomlMember* member : reader.rest()) {
    reader.fail_at(member->place, check_selector_text(member->key));
    const bool number = member->value.kind == Kind::kInteger || member->value.kind == Kind::kNumber;
    if (!number || !(member->value.number >= 0 && member->value.number <= kHuge)) {
      reader.fail_at(member->value.place, invalid_argument_error(fmt::format("prices.\"{}\" must be a price per hour, from 0",
                                                                             printable(member->key, 64))));
    }
    prices[member->key] = member->value.number;
  }
}

// The resources of each replica: a list of lists of selectors.
void read_groups(TomlReader& reader, std::vector<std::vector<std::string>>& groups) {
  const TomlValue* array = reader.array("groups");
  if (array == nullptr) return;
  const auto add = [&](const TomlValue& selector, std::vector<std::string>& group) {
    if (selector.kind == Kind::kText) {
      reader.fail_at(selector.place, check_selector_text(selector.text));
      group.push_back(selector.text);
      return;
    }
    reader.fail_at(selector.place, invalid_argument_error("schedule.groups must be a list of groups of resources")
                                       .with_hint("write [[\"cpu:0/0\", \"cpu:0/1\"], [\"cpu:0/2\", \"cpu:0/3\"]]"));
  };
  for (const TomlValue& item : array->items) {
    std::vector<std::string>& group = groups.emplace_back();
    if (item.kind != Kind::kArray) add(item, group);
    for (const TomlValue& selector : item.items) add(selector, group);
  }
}

void read_batch(TomlReader& reader, ScheduleRules& rules) {
  const TomlValue* found = reader.value("batch");
  if (found != nullptr && found->kind == Kind::kText) {
    if (reader.text("batch") == "auto")
      rules.batch = kAutoBatch;
    else
      reader.fail_at(found->place, invalid_argument_error(fmt::format("schedule.batch is \"{}\"", printable(found->text, 64)))
                                       .with_hint(fmt::format("a number of rows from 1 to {}, or \"auto\"", kMaxBatch)));
  } else {
    rules.batch = static_cast<int32_t>(reader.integer("batch", 1, kMaxBatch).value_or(1));
  }
  read_duration(reader, "batch_wait", rules.batch_wait_ns);
}

Policy read_policy(TomlReader& reader) {
  Policy p;
  std::optional<std::vector<std::string>> allow_fallback;
  read_section(reader, "objective",
               [&](TomlReader& r) { read_enum(r, "minimize", p.objective, parse_objective, kObjectiveWords); });
  read_section(reader, "constraints", [&](TomlReader& r) { read_constraints(r, p.constraints); });
  read_section(reader, "accuracy", [&](TomlReader& r) { read_accuracy(r, p.accuracy); });
  read_section(reader, "execution", [&](TomlReader& r) { read_execution(r, p.execution, allow_fallback); });
  read_section(reader, "fallback", [&](TomlReader& r) { read_fallback(r, p.fallback, allow_fallback); });
  if (allow_fallback) p.fallback.resource = *allow_fallback;
  read_section(reader, "kernels", [&](TomlReader& r) {
    for (const TomlMember* member : r.rest()) read_kernel(r, *member, p.kernels);
  });
  read_section(reader, "resources", [&](TomlReader& r) { read_resources(r, p.resources); });
  read_section(reader, "engines", [&](TomlReader& r) { read_engines(r, p.engines); });
  read_section(reader, "schedule", [&](TomlReader& r) {
    read_enum(r, "kind", p.schedule.kind, parse_schedule_kind, kScheduleKindWords);
    read_enum(r, "mixing", p.schedule.mixing, parse_mixing, kMixingWords);
    p.schedule.rebalance = r.boolean("rebalance").value_or(false);
    p.schedule.ordered = r.boolean("ordered");
    read_enum(r, "each", p.schedule.each, parse_each, kEachWords);
    read_groups(r, p.schedule.groups);
    read_batch(r, p.schedule);
  });
  read_section(reader, "shapes", [&](TomlReader& r) { read_shapes(r, p.shapes); });
  read_pins(reader, p.pins);
  read_section(reader, "tuning", [&](TomlReader& r) {
    read_duration(r, "budget", p.tuning.budget_ns);
    read_enum(r, "evidence", p.tuning.evidence, parse_evidence_use, kEvidenceUseWords);
  });
  read_section(reader, "prices", [&](TomlReader& r) { read_prices(r, p.prices); });
  read_section(reader, "lock", [&](TomlReader& r) {
    p.lock_waive = r.texts("waive");
    r.check("waive", check_waived_field);
  });
  return p;
}

}  // namespace

Result<Policy> parse_policy(std::string_view toml, const std::string& origin) {
  AXLE_ASSIGN_OR_RETURN(const TomlValue document, parse_toml(toml, origin));
  TomlReader reader(document, "", origin, "a policy");
  Policy policy = read_policy(reader);
  AXLE_RETURN_IF_ERROR(reader.finish());
  AXLE_RETURN_IF_ERROR(check_policy(policy).with_context(origin));
  return policy;
}

Result<Policy> load_policy(const std::string& path) {
  Result<std::string> text = read_file(path, kMaxPolicyBytes);
  if (!text) {
    Status failure = std::move(text).error();
    return failure.code() == StatusCode::kNotFound ? std::move(failure).with_hint("check the path") : failure;
  }
  return parse_policy(*text, path);
}

}  // namespace axle
