#include "planner/compare_machines.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "spec/machine_json.h"

namespace axle {
namespace {

// "0-3,8"
std::string cpu_list(const std::vector<int32_t>& cpus) {
  std::string text;
  for (size_t i = 0; i < cpus.size();) {
    size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cpus[i]);
    if (last > i) text += fmt::format("-{}", cpus[last]);
    i = last + 1;
  }
  return text.empty() ? "none" : text;
}

std::string size_or_none(uint64_t bytes) { return bytes == 0 ? "none" : format_size_bytes(static_cast<int64_t>(bytes)); }

// Both as they are shown; to the byte where rounding would hide that they differ.
std::pair<std::string, std::string> sizes(uint64_t then, uint64_t now) {
  std::pair<std::string, std::string> texts{size_or_none(then), size_or_none(now)};
  if (then != now && texts.first == texts.second) texts = {fmt::format("{} bytes", then), fmt::format("{} bytes", now)};
  return texts;
}

std::pair<std::string, std::string> quotas(double then, double now) {
  const auto text = [](double cpus, const char* digits) {
    return cpus == 0 ? std::string("none") : fmt::format(fmt::runtime(digits), cpus) + " CPUs";
  };
  std::pair<std::string, std::string> texts{text(then, "{:g}"), text(now, "{:g}")};
  if (then != now && texts.first == texts.second) texts = {text(then, "{:.17g}"), text(now, "{:.17g}")};
  return texts;
}

// "cpu:0" of "cpu:0/1": a core set is part of its whole.
std::string whole_of(const std::string& resource) { return resource.substr(0, resource.find('/')); }

std::string text_of(const Json& json) {
  return json.is_string() ? json.get<std::string>() : json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The first entry at which two lists differ: whole lists of CPUs are nothing to read.
std::pair<std::string, std::string> first_difference(const Json& a, const Json& b) {
  if (a.size() != b.size()) return {fmt::format("{} entries", a.size()), fmt::format("{} entries", b.size())};
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return {text_of(a[i]), text_of(b[i])};
  }
  return {};
}

// One fact of the host and the field it counts as.
struct HostFact {
  const char* field;
  std::string where;
  std::string locked, found;
};

std::vector<std::string> missing_from(const std::vector<std::string>& all, const std::vector<std::string>& others) {
  std::vector<std::string> missing;
  for (const std::string& one : all) {
    if (std::find(others.begin(), others.end(), one) == others.end()) missing.push_back(one);
  }
  return missing;
}

// What only partitions on a CPU depend on.
std::vector<HostFact> cpu_facts(const Machine& a, const Machine& b, const Json& x, const Json& y) {
  std::vector<HostFact> facts;
  facts.push_back({"cpu_model", "", a.cpu_vendor + " " + a.cpu_model, b.cpu_vendor + " " + b.cpu_model});
  facts.push_back({"cpu_model", "architecture", a.architecture, b.architecture});
  const auto [cache_then, cache_now] = first_difference(x["caches"], y["caches"]);
  facts.push_back({"cpu_model", "caches", cache_then, cache_now});
  facts.push_back({"cpu_model", "virtual_machine", a.virtual_machine ? "yes" : "no", b.virtual_machine ? "yes" : "no"});
  for (const std::string& feature : missing_from(a.isa, b.isa))
    facts.push_back({"cpu_features", feature, "there", "not there"});
  for (const std::string& feature : missing_from(b.isa, a.isa))
    facts.push_back({"cpu_features", feature, "not there", "there"});
  facts.push_back({"cores", "", fmt::format("{}", a.allowed_cores()), fmt::format("{}", b.allowed_cores())});
  facts.push_back({"cores", "allowed CPUs", cpu_list(a.allowed_cpus), cpu_list(b.allowed_cpus)});
  // Clock limits and the like of single CPUs: only worth saying when the counts above do not.
  const auto [cpu_then, cpu_now] = first_difference(x["cpus"], y["cpus"]);
  if (a.allowed_cpus == b.allowed_cpus && a.allowed_cores() == b.allowed_cores())
    facts.push_back({"cores", "CPU topology", cpu_then, cpu_now});
  const auto [quota_then, quota_now] = quotas(a.cpu_quota, b.cpu_quota);
  facts.push_back({"cgroup_limit", "CPU time", quota_then, quota_now});
  return facts;
}

std::vector<HostFact> host_facts(const Machine& a, const Machine& b, const Json& x, const Json& y) {
  std::vector<HostFact> facts;
  facts.push_back({"os", "", a.os, b.os});
  const auto [limit_then, limit_now] = sizes(a.memory_limit_bytes, b.memory_limit_bytes);
  facts.push_back({"cgroup_limit", "memory", limit_then, limit_now});
  // As in the fingerprint: whole GiB, since what firmware takes differs from boot to boot.
  if (x["memory_bytes"] != y["memory_bytes"]) {
    const auto [memory_then, memory_now] = sizes(a.memory_bytes, b.memory_bytes);
    facts.push_back({"memory", "", memory_then, memory_now});
  }
  const auto [node_then, node_now] = first_difference(x["numa_nodes"], y["numa_nodes"]);
  facts.push_back({"memory", "NUMA nodes", node_then, node_now});
  return facts;
}

const char* field_of(const std::string& key) {
  if (key == "driver" || key == "firmware" || key == "vbios") return "driver";
  if (key == "memory_bytes" || key == "memory_source" || key.starts_with("memory_")) return "memory";
  return "resource";
}

bool reported(const std::vector<Drift>& drifts, std::initializer_list<std::string_view> fields) {
  return std::any_of(drifts.begin(), drifts.end(),
                     [&](const Drift& drift) { return std::find(fields.begin(), fields.end(), drift.field) != fields.end(); });
}

// The CPU resource repeats the host's CPUs, name and memory: said there already.
bool said_of_host(const Resource& resource, const std::string& key, const std::vector<Drift>& drifts) {
  if (resource.kind != ResourceKind::kCpu) return false;
  if (key == "cpus") return reported(drifts, {"cores"});
  if (key == "name" || key == "vendor") return reported(drifts, {"cpu_model"});
  if (key == "memory_bytes") return reported(drifts, {"memory", "cgroup_limit"});
  return false;
}

void compare_resource(const Resource& locked, const Resource& now, const Json& x, const Json& y, std::vector<Drift>& drifts) {
  Json a = x, b = y;
  for (Json* json : {&a, &b}) {
    for (const auto& [key, value] : json->at("attributes").items()) (*json)["attribute " + key] = value;
    json->erase("attributes");
  }
  std::set<std::string> keys;
  for (const Json* json : {&a, &b}) {
    for (const auto& item : json->items()) keys.insert(item.key());
  }
  for (const std::string& key : keys) {
    const std::string before = a.contains(key) ? text_of(a[key]) : "", after = b.contains(key) ? text_of(b[key]) : "";
    if (before == after || said_of_host(locked, key, drifts)) continue;
    const std::string bare = key.starts_with("attribute ") ? key.substr(10) : key;
    const char* field = locked.kind == ResourceKind::kCpu && key == "cpus" ? "cores" : field_of(bare);
    const bool plain = bare == field || key == "name";
    const auto [then, found] = key == "memory_bytes"
                                   ? sizes(locked.memory_bytes, now.memory_bytes)
                                   : std::pair(before.empty() ? "none" : before, after.empty() ? "none" : after);
    drifts.push_back({field, plain || key == "memory_bytes" ? locked.id : locked.id + " " + bare, then, found});
  }
}

const Json* json_of(const Json& machine, const std::string& id) {
  for (const Json& resource : machine["resources"]) {
    if (resource["id"] == id) return &resource;
  }
  return nullptr;
}

void compare_resources(const Machine& locked, const Machine& now, const Json& x, const Json& y,
                       const std::set<std::string>& used, std::vector<Drift>& drifts, std::vector<std::string>& notes) {
  for (const Resource& resource : locked.resources) {
    if (resource.part >= 0 || resource.simulated) continue;
    const Resource* other = find_resource(now, resource.id);
    const bool needed = used.contains(resource.id);
    if (other == nullptr && needed)
      drifts.push_back({"resource", resource.id, resource.name, "not here"});
    else if (other == nullptr)
      notes.push_back(fmt::format("{} ({}) is gone; no partition uses it", resource.id, resource.name));
    else if (needed)
      compare_resource(resource, *other, *json_of(x, resource.id), *json_of(y, resource.id), drifts);
    else if (*json_of(x, resource.id) != *json_of(y, resource.id))
      notes.push_back(fmt::format("{} is not as it was ({} {}, locked {} {}); no partition uses it", resource.id, other->name,
                                  other->driver, resource.name, resource.driver));
  }
  for (const Resource& resource : now.resources) {
    if (resource.part < 0 && !resource.simulated && find_resource(locked, resource.id) == nullptr)
      notes.push_back(fmt::format("{} ({}) is new here: a new plan could use it", resource.id, resource.name));
  }
}

// Fails closed: what the identity holds beyond the facts above counts as well.
void add_unknown_facts(const Json& x, const Json& y, std::vector<Drift>& drifts) {
  static const std::set<std::string> kCompared = {
      "allowed_cpus", "architecture",       "caches",     "cpu_model", "cpu_quota", "cpu_vendor",     "cpus", "isa",
      "memory_bytes", "memory_limit_bytes", "numa_nodes", "os",        "resources", "virtual_machine"};
  for (const auto& [key, value] : x.items()) {
    if (kCompared.contains(key)) continue;
    const Json other = y.contains(key) ? y[key] : Json();
    if (value != other) drifts.push_back({"machine", key, text_of(value), text_of(other)});
  }
}

// Simulated resources and core sets are no part of a machine's identity.
Machine hardware_of(Machine machine) {
  std::erase_if(machine.resources, [](const Resource& resource) { return resource.part >= 0 || resource.simulated; });
  return machine;
}

}  // namespace

void compare_machines(const Machine& locked_machine, const Machine& machine_now, const Plan& plan, std::vector<Drift>& drifts,
                      std::vector<std::string>& notes) {
  const Machine locked = hardware_of(locked_machine), now = hardware_of(machine_now);
  const Json x = machine_identity_to_json(locked), y = machine_identity_to_json(now);
  if (x == y) return;
  const size_t before = drifts.size() + notes.size();
  std::set<std::string> used;
  bool on_cpu = false;
  for (const Partition& part : plan.partitions) {
    on_cpu = on_cpu || part.resource_kind == ResourceKind::kCpu;
    if (!part.simulated) used.insert(whole_of(part.candidate.resource));
  }
  std::vector<Drift> found;
  for (const HostFact& fact : host_facts(locked, now, x, y)) {
    if (fact.locked != fact.found) found.push_back({fact.field, fact.where, fact.locked, fact.found});
  }
  for (const HostFact& fact : cpu_facts(locked, now, x, y)) {
    if (fact.locked == fact.found) continue;
    const Drift drift{fact.field, fact.where, fact.locked, fact.found};
    if (on_cpu)
      found.push_back(drift);
    else
      notes.push_back(drift.to_string() + "; no partition runs on a CPU");
  }
  compare_resources(locked, now, x, y, used, found, notes);
  add_unknown_facts(x, y, found);
  drifts.insert(drifts.end(), found.begin(), found.end());
  // Fails closed: an identity that differs in something not known here.
  if (drifts.size() + notes.size() == before) drifts.push_back({"machine", "", locked.fingerprint(), now.fingerprint()});
}

}  // namespace axle
