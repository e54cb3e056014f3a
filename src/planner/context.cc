#include "planner/context.h"

#include <algorithm>

#include "planner/cores.h"

namespace axle {
namespace {

constexpr int32_t kMaxParts = 1024;

// How many even core sets the targets speak of: cpu:0/1 speaks of two.
std::map<std::string, int32_t> parts_in_targets(const Policy& policy) {
  std::map<std::string, int32_t> parts;
  std::vector<std::string> selectors = policy.execution.targets;
  selectors.insert(selectors.end(), policy.fallback.resource.begin(), policy.fallback.resource.end());
  for (const auto& group : policy.schedule.groups) selectors.insert(selectors.end(), group.begin(), group.end());
  for (const Pin& pin : policy.pins) {
    for (const auto* target : {&pin.require, &pin.prefer}) {
      if (*target && !(*target)->resource.empty()) selectors.push_back((*target)->resource);
    }
  }
  for (const std::string& text : selectors) {
    const Result<Selector> selector = parse_selector(text);
    if (!selector.has_value() || !selector->part || selector->kind != ResourceKind::kCpu) continue;
    int32_t& count = parts["cpu:" + std::to_string(selector->index.value_or(0))];
    count = std::max({count, 2, std::min(*selector->part, kMaxParts) + 1});
  }
  return parts;
}

}  // namespace

std::string whole_resource(const std::string& id) { return id.substr(0, id.find('/')); }

Result<Machine> split_machine(const PlannerInput& input) {
  Machine machine = input.machine;
  const auto& splits = input.policy.resources.split;
  for (const auto& [resource, sets] : splits) {
    if (Status status = apply_split(machine, resource, sets); !status.ok())
      return std::move(status).with_context("resources.split");
  }
  for (const auto& [id, count] : parts_in_targets(input.policy)) {
    const Resource* resource = find_resource(machine, id);
    if (splits.contains(id) || resource == nullptr) continue;
    const auto sets = even_split(machine, *resource, count);
    if (!sets.empty()) AXLE_RETURN_IF_ERROR(apply_split(machine, id, sets));
  }
  return machine;
}

PlanningContext::PlanningContext(const PlannerInput& planner_input, Machine split, std::vector<SelectedPin> selected_pins)
    : input(planner_input), machine(std::move(split)), fingerprint(input.machine.fingerprint()),
      evidence(planner_input, fingerprint), pins(std::move(selected_pins)) {
  for (const EngineFacts& engine : input.engines) engines.push_back(&engine);
  std::sort(engines.begin(), engines.end(),
            [](const EngineFacts* a, const EngineFacts* b) { return a->info.name < b->info.name; });
  for (const VerdictRow& row : input.verdicts) verdicts_.emplace(std::tuple(row.engine, row.resource, row.precision), &row);
}

const VerdictRow* PlanningContext::verdict(const std::string& engine, const std::string& resource,
                                           const std::string& precision) const {
  const auto found = verdicts_.find(std::tuple(engine, whole_resource(resource), precision));
  return found == verdicts_.end() ? nullptr : found->second;
}

const CapabilityFacts* PlanningContext::capability(const EngineFacts& engine, const Resource& resource) const {
  return find_capability(engine, resource.part >= 0 ? whole_resource(resource.id) : resource.id);
}

}  // namespace axle
