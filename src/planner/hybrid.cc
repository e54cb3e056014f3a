#include "planner/hybrid.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "planner/assemble.h"
#include "planner/prepared_shapes.h"
#include "planner/refusals.h"
#include "planner/replicas.h"
#include "spec/candidate.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

constexpr int64_t kMostInFlight = 1'000;

Status check_hybrid(const PlannerInput& input) {
  const ScheduleKind kind = input.policy.schedule.kind;
  if (kind != ScheduleKind::kAuto) {
    return invalid_argument_error(
               fmt::format("objective.minimize = \"hybrid\" chooses the schedule by the load: schedule.kind = \"{}\" "
                           "contradicts it",
                           schedule_kind_name(kind)))
        .with_hint("leave out schedule.kind, or minimize latency or throughput");
  }
  return check_shapes(input);
}

std::string names_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const Candidate& candidate : candidates_of(plan.partitions)) names.push_back(candidate.format());
  return join(names, " + ");
}

double per_s(int64_t request_ns) { return 1e9 / static_cast<double>(request_ns); }

// Why one plan serves every load; "" when two are worth it.
std::string reason_for_one(const PlannerInput& input, const PlannedRequests& low, const PlannedRequests& high) {
  if (high.plan.partitions == low.plan.partitions) return "the same candidate completes most requests";
  if (high.request_ns <= 0 || low.request_ns <= 0 || low.plan.expected_ns <= 0)
    return "nothing is known of requests that run at the same time; `axle tune` measures them";
  if (!worth_more(high.request_ns, low.request_ns)) {
    return fmt::format("{} under a high load would complete {:.1f} requests per second instead of {:.1f}", names_of(high.plan),
                       per_s(high.request_ns), per_s(low.request_ns));
  }
  // Each prepared shape holds weights of its own.
  const uint64_t allowed = input.policy.constraints.memory_bytes,
                 both = (low.memory_bytes + high.memory_bytes) * prepared_shapes(input).size();
  if (allowed > 0 && both > allowed) {
    return fmt::format("a second one would take the memory of both to {}, the policy allows {}",
                       format_size_bytes(static_cast<int64_t>(both)), format_size_bytes(static_cast<int64_t>(allowed)));
  }
  return "";
}

// The number of requests in flight from which the plan for a high load has them all answered sooner.
int32_t switch_point(const PlannedRequests& low, const PlannedRequests& high) {
  int64_t n = 2;
  const int64_t one_ns = std::min(low.request_ns, low.plan.expected_ns);
  while (n < kMostInFlight && n * one_ns <= std::max(high.answer_ns, n * high.request_ns)) ++n;
  return static_cast<int32_t>(n);
}

// One decision for each candidate: what is said of it alike under both loads is said once.
void merge_loads(std::vector<Decision>& low, std::vector<Decision> high) {
  std::map<std::string, Decision> others;
  for (Decision& decision : high) others.emplace(decision.candidate, std::move(decision));
  for (Decision& decision : low) {
    const auto other = others.extract(decision.candidate);
    if (!other.empty() && other.mapped() == decision) continue;
    decision.reason = "under a low load: " + decision.reason;
    if (other.empty()) continue;
    decision.reason += "; under a high load: " + other.mapped().reason;
    if (other.mapped().verdict != DecisionVerdict::kChosen || decision.verdict == DecisionVerdict::kChosen) continue;
    decision.verdict = DecisionVerdict::kChosen;
    decision.code = other.mapped().code;
  }
  for (auto& [candidate, decision] : others) {
    decision.reason = "under a high load: " + decision.reason;
    low.push_back(std::move(decision));
  }
  sort_decisions(low);
}

template <typename T>
void append_new(std::vector<T>& into, std::vector<T> more) {
  for (T& one : more) {
    if (std::find(into.begin(), into.end(), one) == into.end()) into.push_back(std::move(one));
  }
}

// Lays the plan for a high load behind that for a low one.
void join_plans(Plan& low, Plan high) {
  for (Partition& part : low.partitions) part.load = Load::kLow;
  for (Partition& part : high.partitions) part.load = Load::kHigh;
  append_parts(std::move(high.partitions), std::move(high.transfers), low);
  low.schedule = "hybrid";
  merge_loads(low.decisions, std::move(high.decisions));
  append_new(low.substitutions, std::move(high.substitutions));
  append_new(low.notes, std::move(high.notes));
}

}  // namespace

PlannerInput with_objective(const PlannerInput& input, Objective objective) {
  PlannerInput other = input;
  other.policy.objective = objective;
  return other;
}

Result<PlannerOutput> plan_hybrid(const PlannerInput& input) {
  AXLE_RETURN_IF_ERROR(check_hybrid(input));
  AXLE_ASSIGN_OR_RETURN(PlannedRequests low, plan_requests(with_objective(input, Objective::kLatency), false));
  AXLE_ASSIGN_OR_RETURN(PlannedRequests high, plan_requests(with_objective(input, Objective::kThroughput), false));
  Plan& plan = low.plan;
  plan.policy_digest = policy_digest(input.policy);
  if (const std::string reason = reason_for_one(input, low, high); !reason.empty()) {
    plan.notes.push_back("one plan serves every load: " + reason);
    return PlannerOutput{std::move(plan)};
  }
  plan.switch_at = switch_point(low, high);
  plan.notes.push_back(
      fmt::format("while fewer than {} requests are in flight {} answers, one in {}; from then on {}: {:.1f} requests per "
                  "second instead of {:.1f}",
                  plan.switch_at, names_of(plan), format_duration_ns(plan.expected_ns), names_of(high.plan),
                  per_s(high.request_ns), per_s(low.request_ns)));
  join_plans(plan, std::move(high.plan));
  return PlannerOutput{std::move(plan)};
}

}  // namespace axle
