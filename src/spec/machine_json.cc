#include "spec/machine_json.h"

#include <fmt/format.h>

#include <cmath>

namespace axle {
namespace {

Json cpu_to_json(const LogicalCpu& cpu) {
  return {{"core", cpu.core},           {"id", cpu.id},           {"max_khz", cpu.max_khz},
          {"numa_node", cpu.numa_node}, {"package", cpu.package}, {"smt_index", cpu.smt_index}};
}

Json cache_to_json(const CpuCache& cache) {
  return {
      {"level", cache.level}, {"shared_by_cpus", cache.shared_by_cpus}, {"size_bytes", cache.size_bytes}, {"type", cache.type}};
}

Json numa_to_json(const NumaNode& node) { return {{"cpus", node.cpus}, {"id", node.id}, {"memory_bytes", node.memory_bytes}}; }

Json power_to_json(const PowerCounter& counter) {
  return {{"name", counter.name}, {"path", counter.path}, {"readable", counter.readable}, {"source", counter.source}};
}

Json resource_to_json(const Resource& r) {
  Json attributes = Json::object();
  for (const auto& [key, value] : r.attributes) attributes[key] = value;
  return {{"attributes", attributes},
          {"cpus", r.cpus},
          {"driver", r.driver},
          {"id", r.id},
          {"index", r.index},
          {"kind", resource_kind_name(r.kind)},
          {"memory_bytes", r.memory_bytes},
          {"name", r.name},
          {"part", r.part},
          {"pci_address", r.pci_address},
          {"simulated", r.simulated},
          {"tags", r.tags},
          {"uuid", r.uuid},
          {"vendor", r.vendor}};
}

Json state_to_json(const MachineState& state) {
  return {{"cpu_khz", state.cpu_khz},
          {"cpu_pressure_some_10s", state.cpu_pressure_some_10s},
          {"governor", state.governor},
          {"load_1min", state.load_1min},
          {"memory_available_bytes", state.memory_available_bytes},
          {"steal_percent", state.steal_percent}};
}

template <typename T, typename F>
Json list(const std::vector<T>& items, F to_json) {
  Json array = Json::array();
  for (const T& item : items) array.push_back(to_json(item));
  return array;
}

// The kernel keeps back a little more or less memory at each boot; a key must not notice.
uint64_t whole_gib(uint64_t bytes) { return (bytes + (uint64_t{1} << 29)) >> 30; }

bool bound_to_this_boot(const std::string& attribute) {
  return attribute.starts_with("path.") || attribute.starts_with("env.");
}

Json resource_identity(const Resource& resource) {
  Json json = resource_to_json(resource);
  json["memory_bytes"] = whole_gib(resource.memory_bytes);
  json["uuid"] = "";  // one device, not the kind of device: machines of a fleet share what was measured
  Json& attributes = json["attributes"];
  for (auto it = attributes.begin(); it != attributes.end();)
    it = bound_to_this_boot(it.key()) ? attributes.erase(it) : std::next(it);
  return json;
}

}  // namespace

Json machine_to_json_value(const Machine& m) {
  return {{"allowed_cpus", m.allowed_cpus},
          {"architecture", m.architecture},
          {"caches", list(m.caches, cache_to_json)},
          {"cpu_model", m.cpu_model},
          {"cpu_quota", m.cpu_quota},
          {"cpu_vendor", m.cpu_vendor},
          {"cpus", list(m.cpus, cpu_to_json)},
          {"format", "axle-machine"},
          {"isa", m.isa},
          {"memory_bytes", m.memory_bytes},
          {"memory_limit_bytes", m.memory_limit_bytes},
          {"numa_nodes", list(m.numa_nodes, numa_to_json)},
          {"os", m.os},
          {"power_counters", list(m.power_counters, power_to_json)},
          {"recorded_name", m.recorded_name},
          {"resources", list(m.resources, resource_to_json)},
          {"state", state_to_json(m.state)},
          {"version", 1},
          {"virtual_machine", m.virtual_machine}};
}

Json machine_identity_to_json(const Machine& machine) {
  Json json = machine_to_json_value(machine);
  json.erase("state");
  json.erase("recorded_name");
  json.erase("power_counters");
  json["memory_bytes"] = whole_gib(machine.memory_bytes);
  for (Json& node : json["numa_nodes"]) node.erase("memory_bytes");
  json["resources"] = list(machine.resources, resource_identity);
  return json;
}

Json machine_hardware_to_json(const Machine& machine) {
  Json json = machine_identity_to_json(machine);
  json.erase("os");
  for (Json& resource : json["resources"]) {
    resource.erase("driver");
    resource.erase("attributes");
  }
  return json;
}

Result<std::string> machine_to_json(const Machine& machine) {
  Result<std::string> text = canonical_json(machine_to_json_value(machine));
  if (!text) return std::move(text).error().with_context("machine record");
  return text;
}

}  // namespace axle
