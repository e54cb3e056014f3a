// Replicas that are each cut over several resources: which resources each gets, and its cut.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "planner/mixed_plan.h"
#include "planner/replicas.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

constexpr size_t kPair = 2;  // resources of a replica where the policy names no groups

using Groups = std::vector<std::vector<std::string>>;  // ids

Decision refusal(std::string candidate, std::string code, std::string reason) {
  Decision decision;
  decision.candidate = std::move(candidate);
  decision.code = std::move(code);
  decision.reason = std::move(reason);
  return decision;
}

// Core sets are meant only when they are named.
bool names(const std::string& selector, const Resource& resource) {
  const Result<Selector> parsed = parse_selector(selector);
  return parsed.has_value() && matches(*parsed, resource) && (resource.part < 0 || parsed->part.has_value());
}

bool share_cores(const std::string& a, const std::string& b) {
  return a == b || whole_resource(a) == b || a == whole_resource(b);
}

Status check_disjoint(const Groups& groups) {
  for (size_t i = 0; i < groups.size(); ++i) {
    for (size_t j = i + 1; j < groups.size(); ++j) {
      for (const std::string& mine : groups[i]) {
        const auto shared = std::ranges::find_if(groups[j], [&](const std::string& other) { return share_cores(mine, other); });
        if (shared == groups[j].end()) continue;
        return invalid_argument_error(
                   fmt::format("schedule.groups puts {} into two groups", mine.size() < shared->size() ? *shared : mine))
            .with_hint("groups must be disjoint: name core sets (cpu:0/0) or devices of each");
      }
    }
  }
  return ok_status();
}

// What the policy names, in the machine's order; of a selector that nothing matches a decision.
Result<Groups> named_groups(const PlanningContext& context, Field& field) {
  Groups groups;
  for (const std::vector<std::string>& selectors : context.input.policy.schedule.groups) {
    std::vector<std::string>& group = groups.emplace_back();
    for (const std::string& selector : selectors) {
      const size_t before = group.size();
      for (const Resource& resource : context.machine.resources) {
        if (names(selector, resource) && std::ranges::find(group, resource.id) == group.end()) group.push_back(resource.id);
      }
      if (group.size() == before)
        field.decisions.push_back(
            refusal(selector, "NO_RESOURCE", fmt::format("nothing here is {}, which schedule.groups names", selector)));
    }
  }
  AXLE_RETURN_IF_ERROR(check_disjoint(groups));
  return groups;
}

bool may_work(const PlanningContext& context, const Demand& demand, const Resource& resource) {
  const auto refuses = [&](const ResourceGate gate) { return gate(context, demand, resource).has_value(); };
  if (std::ranges::any_of(resource_gates(), refuses)) return false;
  return std::ranges::any_of(context.engines, [&](const EngineFacts* engine) {
    const auto denies = [&](const EngineGate gate) { return gate(context, demand, *engine).has_value(); };
    return context.capability(*engine, resource) != nullptr && std::ranges::none_of(engine_gates(), denies);
  });
}

// Pairs, in the machine's order, of all that the policy admits; parts of a split instead of the whole.
Groups paired_groups(const PlanningContext& context, const Demand& demand, Field& field) {
  std::vector<const Resource*> free;
  std::set<std::string> divided;
  std::set<ResourceKind> kinds;
  for (const Resource& resource : context.machine.resources) {
    if (!may_work(context, demand, resource)) continue;
    free.push_back(&resource);
    if (resource.part >= 0) divided.insert(whole_resource(resource.id));
  }
  std::erase_if(free, [&](const Resource* resource) { return divided.contains(resource->id); });
  std::vector<std::string> ids;
  for (const Resource* resource : free) {
    ids.push_back(resource->id);
    kinds.insert(resource->kind);
  }
  if (kinds.size() == 1 && ids.size() >= 2 * kPair && ids.size() % kPair == 0) {
    Groups groups;
    for (size_t i = 0; i < ids.size(); i += kPair) groups.push_back({ids[i], ids[i + 1]});
    return groups;
  }
  const std::string each(schedule_kind_name(context.input.policy.schedule.each));
  field.decisions.push_back(refusal(
      "replicas", "SCHEDULE",
      fmt::format(
          "replicas that are each a {} take pairs of resources of one kind, two pairs at least, unless schedule.groups says "
          "otherwise; here they may work on {}",
          each, ids.empty() ? "none" : join(ids, ", "))));
  return {};
}

// The cut over one group. False: nothing was admitted, and a decision says so.
Result<bool> cut_group(const PlanningContext& context, Demand demand, const Groups& groups, size_t replica, Field& field) {
  const bool split = context.input.policy.schedule.each == ScheduleKind::kSplit;
  demand.group = groups[replica];
  AXLE_ASSIGN_OR_RETURN(Field cut, split ? enumerate_split(context, {demand}) : enumerate_pipeline(context, {demand}));
  const bool admitted = !cut.admitted.empty();
  for (Decision& decision : cut.decisions) {
    if (decision.code == "SCHEDULE") decision.candidate = "replica " + std::to_string(replica);
    decision.reason = fmt::format("of replica {}, on {}: {}", replica, join(groups[replica], ", "), decision.reason);
  }
  append(std::move(cut), field);
  return admitted;
}

}  // namespace

Status cut_replicas(const PlanningContext& context, const Demand& demand, Field& field) {
  field.admitted.clear();
  Groups groups;
  if (context.input.policy.schedule.groups.empty()) {
    groups = paired_groups(context, demand, field);
  } else {
    const size_t before = field.decisions.size();
    AXLE_ASSIGN_OR_RETURN(groups, named_groups(context, field));
    if (field.decisions.size() > before) groups.clear();
  }
  bool all = true;
  for (size_t replica = 0; replica < groups.size() && all; ++replica) {
    AXLE_ASSIGN_OR_RETURN(all, cut_group(context, demand, groups, replica, field));
  }
  if (!all) field.admitted.clear();
  return ok_status();
}

}  // namespace axle
