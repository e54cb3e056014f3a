#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "axle/device.h"
#include "base/hash.h"
#include "spec/machine_json.h"
#include "spec/resource.h"

namespace axle {
namespace {

Status check_core_set(const Resource& whole, size_t set_index, const std::vector<int32_t>& set, std::set<int32_t>& seen) {
  const std::string part = resource_id(whole.kind, whole.index, static_cast<int32_t>(set_index));
  if (set.empty())
    return invalid_argument_error(fmt::format("split of {}: core set {} is empty", whole.id, part))
        .with_hint("give each core set at least one CPU or leave it out");
  for (const int32_t cpu : set) {
    if (!std::binary_search(whole.cpus.begin(), whole.cpus.end(), cpu)) {
      return invalid_argument_error(fmt::format("split of {}: CPU {} of core set {} is not allowed here", whole.id, cpu, part))
          .with_hint(fmt::format("this process may use {} CPUs: {}", whole.cpus.size(), fmt::join(whole.cpus, ",")));
    }
    if (!seen.insert(cpu).second) {
      return invalid_argument_error(fmt::format("split of {}: CPU {} appears twice", whole.id, cpu))
          .with_hint("core sets must not overlap");
    }
  }
  return ok_status();
}

Resource core_set_resource(const Resource& whole, int32_t part, const std::vector<int32_t>& cpus) {
  Resource resource = whole;
  resource.part = part;
  resource.id = resource_id(whole.kind, whole.index, part);
  resource.cpus = cpus;
  std::sort(resource.cpus.begin(), resource.cpus.end());
  return resource;
}

std::string fingerprint_of(Machine machine, Json (*to_json)(const Machine&)) {
  std::erase_if(machine.resources, [](const Resource& resource) { return resource.part >= 0 || resource.simulated; });
  const Json identity = to_json(machine);
  const Result<std::string> canonical = canonical_json(identity);
  // Only a hand-made machine with NaN or broken UTF-8 gets here; its key must still be stable.
  const std::string bytes = canonical ? *canonical : identity.dump(-1, ' ', true, Json::error_handler_t::replace);
  return sha256_of(bytes).to_string();
}

}  // namespace

std::string Machine::fingerprint() const { return fingerprint_of(*this, machine_identity_to_json); }

std::string Machine::hardware_fingerprint() const { return fingerprint_of(*this, machine_hardware_to_json); }

int32_t Machine::allowed_cores() const {
  std::set<std::pair<int32_t, int32_t>> cores;
  for (const LogicalCpu& cpu : cpus) {
    if (std::binary_search(allowed_cpus.begin(), allowed_cpus.end(), cpu.id)) cores.emplace(cpu.package, cpu.core);
  }
  const auto count = static_cast<int32_t>(cores.empty() ? allowed_cpus.size() : cores.size());
  return std::max(count, 1);
}

Status apply_split(Machine& machine, const std::string& resource_id_text, const std::vector<std::vector<int32_t>>& core_sets) {
  const Resource* found = find_resource(machine, resource_id_text);
  if (found == nullptr)
    return not_found_error(fmt::format("split of {}: this machine has no such resource", resource_id_text))
        .with_hint("`axle devices` lists the resources");
  const Resource whole = *found;
  if (whole.kind != ResourceKind::kCpu || whole.part >= 0) {
    return invalid_argument_error(fmt::format("split of {}: only a whole CPU resource can be split into core sets", whole.id))
        .with_hint("split cpu:0");
  }
  if (core_sets.empty())
    return invalid_argument_error(fmt::format("split of {}: no core sets given", whole.id)).with_hint("for example [[0], [1]]");
  std::set<int32_t> seen;
  for (size_t i = 0; i < core_sets.size(); ++i) AXLE_RETURN_IF_ERROR(check_core_set(whole, i, core_sets[i], seen));

  std::erase_if(machine.resources,
                [&](const Resource& r) { return r.kind == whole.kind && r.index == whole.index && r.part >= 0; });
  for (size_t i = 0; i < core_sets.size(); ++i)
    machine.resources.push_back(core_set_resource(whole, static_cast<int32_t>(i), core_sets[i]));
  std::sort(machine.resources.begin(), machine.resources.end(), resource_before);
  return ok_status();
}

}  // namespace axle
