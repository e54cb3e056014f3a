// Replicas: the whole model on several disjoint resources at once, requests spread by speed.
#pragma once

#include <optional>
#include <vector>

#include "planner/choose.h"

namespace axle {

struct ReplicaChoice {
  std::vector<size_t> chosen;       // indices into the admitted, by resource; two at least
  std::vector<Decision> decisions;  // one per admitted candidate
  std::vector<std::string> notes;
  int64_t drawn_milliwatts = 0;  // by all at the same time, by the declared model
  int64_t request_ns = 0;           // time per request when all replicas are busy; 0 = not known
};

// Where each replica is cut: all that is admitted. Else the best candidate of each resource, where resources share nothing: parts of a
// split instead of the whole. Nothing when fewer than two resources remain, or the policy does not ask: schedule.kind is "replicas", or
// "auto" with throughput as the objective and more requests per second than `single` makes.
std::optional<ReplicaChoice> choose_replicas(const PlanningContext& context, const Demand& demand,
                                             const std::vector<Considered>& admitted);

// Time per completed request, with as many callers as pay: measured, else the estimate of one run; of a pipeline or split that was
// not measured so, what its slowest part takes. 0 = not known.
int64_t request_ns(const Considered& considered);

// Whether a request in `ns` instead of `rival_ns` is worth more threads or another loaded plan: it must complete 5 % more.
bool worth_more(int64_t ns, int64_t rival_ns);

// Whether two resources that share nothing are among the places of the admitted.
bool can_replicate(const std::vector<Considered>& admitted);

// The candidates of a policy whose replicas are each cut over several resources: one cut for each group of them. What stands in the
// way of one leaves nothing admitted, and is a decision. INVALID_ARGUMENT: two groups share a resource; else as enumerate.
Status cut_replicas(const PlanningContext& context, const Demand& demand, Field& field);

// Why a policy that forces replicas cannot have them, as a decision on what was admitted.
Decision explain_no_replicas(const std::vector<Considered>& admitted);

// Each may keep to the bound on power, and all that choose_replicas takes together not: then none is admitted, with a decision.
void refuse_too_much_power(const PlanningContext& context, const Demand& demand, Field& field);

}  // namespace axle
