#include "planner/compare_facts.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "planner/compare_machines.h"
#include "planner/evidence_index.h"
#include "spec/engine_answers.h"
#include "spec/policy_json.h"

namespace axle {
namespace {

constexpr int64_t kSecondsPerDay = 24 * 3600;

std::string or_none(const std::string& text) { return text.empty() ? "none" : text; }

const EngineFacts* engine_of(const std::vector<EngineFacts>& engines, const std::string& name) {
  const auto found = std::find_if(engines.begin(), engines.end(), [&](const EngineFacts& e) { return e.info.name == name; });
  return found == engines.end() ? nullptr : &*found;
}

// ---- model

void compare_models(const ModelFacts& locked, const ModelFacts& now, std::vector<Drift>& drifts) {
  if (now.digest.empty() || now.digest == locked.digest) return;
  const size_t before = drifts.size();
  const auto file_of = [](const ModelFacts& model, const std::string& role) -> const ModelFileFacts* {
    const auto found =
        std::find_if(model.files.begin(), model.files.end(), [&](const ModelFileFacts& file) { return file.role == role; });
    return found == model.files.end() ? nullptr : &*found;
  };
  const auto name_of = [](const std::string& role) { return role == "-" ? std::string("the model file") : "file " + role; };
  // Without the locked files' digests there is nothing to tell them apart by.
  if (!locked.files.empty()) {
    for (const ModelFileFacts& file : locked.files) {
      const ModelFileFacts* other = file_of(now, file.role);
      if (other != nullptr && other->sha256 == file.sha256) continue;
      drifts.push_back(
          {"model", name_of(file.role), "sha256:" + file.sha256, other == nullptr ? "not there" : "sha256:" + other->sha256});
    }
    for (const ModelFileFacts& file : now.files) {
      if (file_of(locked, file.role) == nullptr)
        drifts.push_back({"model", name_of(file.role), "not there", "sha256:" + file.sha256});
    }
  }
  if (drifts.size() == before) drifts.push_back({"model", "", locked.digest, now.digest});
}

// ---- policy

void flatten(const Json& json, const std::string& path, std::map<std::string, std::string>& leaves) {
  if (json.is_object() && !json.empty()) {
    for (const auto& [key, value] : json.items()) flatten(value, path.empty() ? key : path + "." + key, leaves);
    return;
  }
  leaves[path] =
      json.is_string() ? "\"" + json.get<std::string>() + "\"" : json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// ---- engines

// What of a capability a partition stands on: its precision, its options, how models are handed over.
Json used_capability(const Capability& capability, const Partition& part) {
  Capability used = capability;
  std::erase_if(used.precisions, [&](const PrecisionSpec& p) { return p.name != part.candidate.precision; });
  std::erase_if(used.options, [&](const OptionSpec& o) { return !part.options.contains(o.name); });
  for (OptionSpec& option : used.options) option.description.clear();
  const std::string preset = part.candidate.preset.substr(0, part.candidate.preset.find('+'));
  std::erase_if(used.presets, [&](const Preset& p) { return p.name != preset; });
  for (Preset& p : used.presets) p.description.clear();
  used.ops.clear();
  used.dtypes.clear();
  return capability_to_json(used);
}

void compare_capabilities(const EngineFacts& locked, const EngineFacts& now, const Partition& part,
                          std::vector<Drift>& drifts) {
  const std::string where = fmt::format("{}@{}", locked.info.name, part.candidate.resource);
  const CapabilityFacts* before = find_capability(locked, part.candidate.resource);
  const CapabilityFacts* after = find_capability(now, part.candidate.resource);
  if (before == nullptr) return;
  if (after == nullptr) {
    drifts.push_back({"capability", where, "runs there", "does not reach it"});
    return;
  }
  const Json a = used_capability(before->capability, part), b = used_capability(after->capability, part);
  std::set<std::string> keys;
  for (const Json* json : {&a, &b}) {
    for (const auto& item : json->items()) keys.insert(item.key());
  }
  const auto text = [](const Json& json, const std::string& key) {
    return json.contains(key) ? json[key].dump(-1, ' ', false, Json::error_handler_t::replace) : std::string("none");
  };
  for (const std::string& key : keys) {
    const std::string x = text(a, key), y = text(b, key);
    if (x != y) drifts.push_back({"capability", where + " " + key, x, y});
  }
  if (locked.info.honours_cpu_set != now.info.honours_cpu_set && !part.cpu_set.empty()) {
    drifts.push_back({"capability", where + " honours_cpu_set", locked.info.honours_cpu_set ? "true" : "false",
                      now.info.honours_cpu_set ? "true" : "false"});
  }
}

// Of a plan that was made elsewhere: what compiles, by name and version, and the form of what the plugin keeps. The files of the machine
// that planned are no part of it. Where a tool is not here, only what was compiled elsewhere can be run.
void compare_toolchains(const EngineFacts& locked, const EngineFacts& now, FactsComparison& found) {
  const std::string& name = locked.info.name;
  std::map<std::string, std::string> tools = locked.info.toolchain;
  tools.insert(now.info.toolchain.begin(), now.info.toolchain.end());
  const auto version_in = [](const EngineFacts& facts, const std::string& tool) {
    const auto at = facts.info.toolchain.find(tool);
    return at == facts.info.toolchain.end() ? std::string("none") : at->second;
  };
  for (const auto& [tool, any] : tools) {
    const std::string before = version_in(locked, tool), after = version_in(now, tool);
    if (after.empty())
      found.notes.push_back(fmt::format("{} of {} is not here: only what was compiled elsewhere can be run", tool, name));
    else if (before != after)
      found.drifts.push_back({"engine_version", name + " " + tool, or_none(before), after});
  }
  if (locked.info.plugin_version != now.info.plugin_version)
    found.drifts.push_back({"plugin", name, or_none(locked.info.plugin_version), or_none(now.info.plugin_version)});
}

// A new version is another library too: that is said once, as the version.
void compare_libraries(const EngineFacts& locked, const EngineFacts& now, std::vector<Drift>& drifts) {
  const std::string& name = locked.info.name;
  const size_t before = drifts.size();
  const auto differ = [](const std::string& a, const std::string& b) { return !a.empty() && !b.empty() && a != b; };
  const bool other_version = locked.library_version != now.library_version;
  // Without a vendor's library the version is the plugin's own.
  const bool said_already = other_version && !locked.info.library.has_value();
  if (other_version)
    drifts.push_back({"engine_version", name, or_none(locked.library_version), or_none(now.library_version)});
  else if (differ(locked.library_file_digest, now.library_file_digest))
    drifts.push_back({"library", name, locked.library_file_digest, now.library_file_digest});
  if (locked.info.plugin_version != now.info.plugin_version && !said_already)
    drifts.push_back({"plugin", name, or_none(locked.info.plugin_version), or_none(now.info.plugin_version)});
  else if (differ(locked.plugin_file_digest, now.plugin_file_digest))
    drifts.push_back({"plugin", name, locked.plugin_file_digest, now.plugin_file_digest});
  // A lock without digests of the single files knows only that one of them changed.
  if (drifts.size() == before && locked.library_digest != now.library_digest)
    drifts.push_back({"library", name, or_none(locked.library_digest), or_none(now.library_digest)});
}

void compare_engine(const PlannerInput& input, const EngineFacts& locked, const std::vector<EngineFacts>& engines,
                    const Plan& plan, FactsComparison& found) {
  const EngineFacts* now = engine_of(engines, locked.info.name);
  if (now == nullptr || !now->present) {
    const std::string why = now == nullptr ? "there is no plugin of that name" : now->absent_reason;
    found.drifts.push_back({"engine", locked.info.name, or_none(locked.library_version), "not here (" + why + ")"});
    return;
  }
  if (stands_on_toolchain(input, locked))
    compare_toolchains(locked, *now, found);
  else
    compare_libraries(locked, *now, found.drifts);
  std::set<std::string> seen;
  for (const Partition& part : plan.partitions) {
    if (part.candidate.engine != locked.info.name || !seen.insert(part.candidate.format()).second) continue;
    compare_capabilities(locked, *now, part, found.drifts);
  }
}

// Engines no partition uses: they might have been chosen, but do not bear on what runs.
void note_other_engine(const EngineFacts* locked, const EngineFacts* now, std::vector<std::string>& notes) {
  const bool was = locked != nullptr && locked->present, is = now != nullptr && now->present;
  const std::string& name = locked != nullptr ? locked->info.name : now->info.name;
  if (!was && is)
    notes.push_back(fmt::format("engine {} {} is new here; no partition uses it", name, now->library_version));
  else if (was && now != nullptr && !is)
    notes.push_back(fmt::format("engine {} is gone; no partition uses it", name));
  else if (was && is && locked->library_digest != now->library_digest)
    notes.push_back(fmt::format("engine {} is another one ({}, locked {}); no partition uses it", name, now->library_version,
                                locked->library_version));
}

void compare_engines(const PlannerInput& locked, const PlannerInput& now, const Plan& plan, FactsComparison& found) {
  std::set<std::string> used;
  for (const Partition& part : plan.partitions) used.insert(part.candidate.engine);
  for (const EngineFacts& engine : locked.engines) {
    if (used.contains(engine.info.name))
      compare_engine(locked, engine, now.engines, plan, found);
    else
      note_other_engine(&engine, engine_of(now.engines, engine.info.name), found.notes);
  }
  for (const EngineFacts& engine : now.engines) {
    if (find_engine(locked, engine.info.name) == nullptr) note_other_engine(nullptr, &engine, found.notes);
  }
}

}  // namespace

bool stands_on_toolchain(const PlannerInput& locked, const EngineFacts& engine) {
  return locked.what_if && !engine.info.toolchain.empty();
}

std::vector<Drift> compare_policies(const Policy& locked, const Policy& now) {
  std::map<std::string, std::string> before, after;
  flatten(policy_to_json_value(locked), "", before);
  flatten(policy_to_json_value(now), "", after);
  std::set<std::string> keys;
  for (const auto* leaves : {&before, &after}) {
    for (const auto& [key, value] : *leaves) keys.insert(key);
  }
  // What is tolerated says nothing about what runs.
  keys.erase("lock_waive");
  std::vector<Drift> drifts;
  const auto value_at = [](const std::map<std::string, std::string>& leaves, const std::string& key) {
    const auto found = leaves.find(key);
    return found == leaves.end() ? std::string("none") : found->second;
  };
  for (const std::string& key : keys) {
    const std::string a = value_at(before, key), b = value_at(after, key);
    // An empty table that got members, or lost them, shows in the members; nothing said is as good as nothing there.
    const auto empty = [](const std::string& value) {
      return value == "none" || value == "{}" || value == "[]" || value == "\"\"";
    };
    const bool parent = a == "{}" || b == "{}";
    if (a != b && !parent && !(empty(a) && empty(b))) drifts.push_back({"policy", key, a, b});
  }
  return drifts;
}

std::vector<OldEvidence> old_evidence(const Plan& plan, int64_t now_unix_s) {
  std::vector<OldEvidence> old;
  for (const bool chosen : {true, false}) {
    for (const Decision& decision : plan.decisions) {
      if ((decision.verdict == DecisionVerdict::kChosen) != chosen || !decision.evidence) continue;
      const int64_t age_s = now_unix_s - decision.evidence->recorded_unix_s;
      if (decision.evidence->recorded_unix_s <= 0 || age_s <= kOldEvidenceSeconds) continue;
      old.push_back({decision.candidate, decision.evidence->recorded_unix_s, age_s / kSecondsPerDay});
    }
  }
  return old;
}

FactsComparison compare_facts(const PlannerInput& locked, const PlannerInput& now, const Plan& plan) {
  FactsComparison found;
  compare_models(locked.model, now.model, found.drifts);
  const std::vector<Drift> policy = compare_policies(locked.policy, now.policy);
  found.drifts.insert(found.drifts.end(), policy.begin(), policy.end());
  compare_machines(locked.machine, now.machine, plan, found.drifts, found.notes);
  compare_engines(locked, now, plan, found);
  return found;
}

}  // namespace axle
