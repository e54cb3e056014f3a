#include "planner/replicas.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/text.h"
#include "planner/mixed_plan.h"
#include "planner/objective.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

// More requests by less than this are not worth several loaded models, more threads, or an order in which they wait for each other.
constexpr int64_t kWorthItPercent = 5;

// Indices into the admitted, resources in their order.
using PlacesByResource = std::map<std::tuple<ResourceKind, int32_t, int32_t, std::string>, std::vector<size_t>>;

// Places that may compute at the same time. Where parts of a split are admitted, the whole of which they are parts is not.
PlacesByResource disjoint_places(const std::vector<Considered>& admitted) {
  std::set<std::string> divided;
  for (const Considered& c : admitted) {
    if (c.place.resource->part >= 0) divided.insert(whole_resource(c.place.resource->id));
  }
  PlacesByResource places;
  for (size_t i = 0; i < admitted.size(); ++i) {
    const Resource& resource = *admitted[i].place.resource;
    if (admitted[i].mixed || divided.contains(resource.id)) continue;
    places[{resource.kind, resource.index, resource.part, resource.id}].push_back(i);
  }
  return places;
}

// The best of `here`, indices into the admitted, is replica number `chosen.size()` of `count`.
void add_replica(const PlanningContext& context, const Demand& demand, const std::vector<Considered>& admitted,
                 const std::vector<size_t>& here, size_t count, ReplicaChoice& all) {
  std::vector<Considered> rivals;
  for (const size_t i : here) rivals.push_back(admitted[i]);
  Choice choice = choose(context, demand, rivals);
  for (Decision& decision : choice.decisions) {
    if (decision.verdict == DecisionVerdict::kChosen)
      decision.reason = fmt::format("replica {} of {}: {}", all.chosen.size(), count, decision.reason);
    all.decisions.push_back(std::move(decision));
  }
  for (std::string& note : choice.notes) {
    if (std::find(all.notes.begin(), all.notes.end(), note) == all.notes.end()) all.notes.push_back(std::move(note));
  }
  all.chosen.push_back(here[choice.chosen]);
}

int64_t combined_ns(const std::vector<Considered>& admitted, const std::vector<size_t>& chosen) {
  __extension__ typedef __int128 Wide;
  constexpr int64_t kSecond = 1'000'000'000;
  constexpr int64_t kMillion = 1'000'000;  // requests in a million seconds: integers that keep six digits
  Wide rate = 0;
  for (const size_t i : chosen) {
    const int64_t ns = request_ns(admitted[i]);
    if (ns <= 0) return 0;
    rate += static_cast<Wide>(kSecond) * kMillion / ns;
  }
  return rate == 0 ? 0 : static_cast<int64_t>(static_cast<Wide>(kSecond) * kMillion / rate);
}

// What the chosen ones take and serve together.
void add_up(const PlanningContext& context, const std::vector<Considered>& admitted, ReplicaChoice& all) {
  for (const size_t i : all.chosen) all.drawn_milliwatts += drawn_milliwatts(context, admitted[i]);
  all.request_ns = combined_ns(admitted, all.chosen);
}

std::string resources_of(const Considered& cut) {
  std::vector<std::string> resources;
  for (const MixedPart& part : cut.mixed->parts) resources.push_back(part.on.candidate.resource);
  return join(resources, " + ");
}

// One cut for each group of resources, in the order of the groups: all of them serve.
std::optional<ReplicaChoice> all_cuts(const PlanningContext& context, const Demand& demand,
                                      const std::vector<Considered>& admitted) {
  if (admitted.empty()) return std::nullopt;
  ReplicaChoice all;
  std::vector<std::string> places;
  for (size_t i = 0; i < admitted.size(); ++i) {
    add_replica(context, demand, admitted, {i}, admitted.size(), all);
    places.push_back(resources_of(admitted[i]));
  }
  add_up(context, admitted, all);
  std::string note = fmt::format("{} replicas, each a {} of its own: {}", admitted.size(),
                                 schedule_kind_name(context.input.policy.schedule.each), join(places, "; "));
  if (all.request_ns > 0)
    note += fmt::format("; {:.1f} requests per second when all are busy", 1e9 / static_cast<double>(all.request_ns));
  all.notes.push_back(std::move(note));
  return all;
}

bool worth_it(const PlanningContext& context, const Demand& demand, const std::vector<Considered>& admitted,
              int64_t replicas_ns) {
  const int64_t single_ns = request_ns(admitted[choose(context, demand, admitted).chosen]);
  return replicas_ns > 0 && single_ns > 0 && worth_more(replicas_ns, single_ns);
}

}  // namespace

bool worth_more(int64_t ns, int64_t rival_ns) { return rival_ns - ns > rival_ns / 100 * kWorthItPercent; }

int64_t request_ns(const Considered& considered) {
  const BestRequests best = best_requests(considered.evidence);
  const int64_t one_ns = best.request_ns > 0 ? best.request_ns : considered.estimate_ns;
  if (best.callers > 1 || !considered.mixed || considered.mixed->run == PartsRun::kInTurn) return one_ns;
  // Its parts work at the same time: the slowest one's share of what one request takes.
  __extension__ typedef __int128 Wide;
  int64_t slowest = 0, whole = 0;
  for (const MixedPart& part : considered.mixed->parts) {
    slowest = std::max(slowest, part.expected_ns);
    whole += part.expected_ns;
  }
  return whole > 0 ? static_cast<int64_t>(static_cast<Wide>(one_ns) * slowest / whole) : one_ns;
}

bool can_replicate(const std::vector<Considered>& admitted) { return disjoint_places(admitted).size() >= 2; }

std::optional<ReplicaChoice> choose_replicas(const PlanningContext& context, const Demand& demand,
                                             const std::vector<Considered>& admitted) {
  const Policy& policy = context.input.policy;
  const bool forced = policy.schedule.kind == ScheduleKind::kReplicas;
  if (!forced && (policy.schedule.kind != ScheduleKind::kAuto || policy.objective != Objective::kThroughput))
    return std::nullopt;
  if (policy.schedule.each != ScheduleKind::kSingle) return all_cuts(context, demand, admitted);
  const auto places = disjoint_places(admitted);
  if (places.size() < 2) return std::nullopt;
  ReplicaChoice all;
  std::set<size_t> judged;
  for (const auto& [key, indices] : places) {
    add_replica(context, demand, admitted, indices, places.size(), all);
    judged.insert(indices.begin(), indices.end());
  }
  for (size_t i = 0; i < admitted.size(); ++i) {
    if (judged.contains(i)) continue;
    Decision decision;
    decision.candidate = admitted[i].name();
    decision.code = "SCHEDULE";
    decision.reason = admitted[i].mixed
                          ? "each replica runs on one resource"
                          : fmt::format("its parts run replicas: {} would take their cores", admitted[i].place.resource->id);
    decision.estimate_ns = admitted[i].estimate_ns;
    all.decisions.push_back(std::move(decision));
  }
  add_up(context, admitted, all);
  const double allowed = policy.constraints.power_watts * 1e3;
  if (!forced && allowed > 0 && static_cast<double>(all.drawn_milliwatts) > allowed) return std::nullopt;
  if (!forced && !worth_it(context, demand, admitted, all.request_ns)) return std::nullopt;
  if (all.request_ns > 0)
    all.notes.push_back(fmt::format("{} replicas, each at its own speed: {:.1f} requests per second when all are busy",
                                    all.chosen.size(), 1e9 / static_cast<double>(all.request_ns)));
  return all;
}

Decision explain_no_replicas(const std::vector<Considered>& admitted) {
  std::set<std::string> resources;
  for (const Considered& c : admitted) resources.insert(c.place.resource->id);
  Decision decision;
  decision.candidate = "replicas";
  decision.code = "SCHEDULE";
  decision.reason = fmt::format("replicas need two resources that share nothing; what passed the other gates runs on {} alone",
                                join(std::vector<std::string>(resources.begin(), resources.end()), ", "));
  return decision;
}

void refuse_too_much_power(const PlanningContext& context, const Demand& demand, Field& field) {
  const double allowed = context.input.policy.constraints.power_watts;
  if (allowed <= 0 || field.admitted.empty()) return;
  const std::optional<ReplicaChoice> replicas = choose_replicas(context, demand, field.admitted);
  if (!replicas || static_cast<double>(replicas->drawn_milliwatts) <= allowed * 1e3) return;
  Decision decision;
  decision.candidate = "replicas";
  decision.code = "POWER";
  decision.reason = fmt::format("{} replicas together are estimated to draw {:.3g} W, the policy allows {:.3g} W",
                                replicas->chosen.size(), static_cast<double>(replicas->drawn_milliwatts) / 1e3, allowed);
  field.decisions.push_back(std::move(decision));
  field.admitted.clear();
}

}  // namespace axle
