#include "planner/planner.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <set>
#include <tuple>

#include "base/json.h"
#include "base/text.h"
#include "planner/assemble.h"
#include "planner/auto_schedule.h"
#include "planner/batching.h"
#include "planner/hybrid.h"
#include "planner/mixed_plan.h"
#include "planner/objective.h"
#include "planner/precision.h"
#include "planner/prepared_shapes.h"
#include "planner/refusals.h"
#include "planner/replicas.h"
#include "policy/variant_precisions.h"
#include "spec/json_fields.h"
#include "spec/plan_json.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

Result<std::unique_ptr<PlanningContext>> make_context(const PlannerInput& input) {
  AXLE_RETURN_IF_ERROR(check_policy(input.policy));
  AXLE_RETURN_IF_ERROR(check_calibration(input.policy));
  AXLE_RETURN_IF_ERROR(check_shapes(input));
  AXLE_ASSIGN_OR_RETURN(std::vector<SelectedPin> pins, select_pins(input.model, input.policy.pins));
  AXLE_ASSIGN_OR_RETURN(Machine machine, split_machine(input));
  return std::make_unique<PlanningContext>(input, std::move(machine), std::move(pins));
}

// Of the refusals of the demand as written, those that still say something once a fallback was taken.
void keep_telling(std::vector<Decision>& refused, const Candidate& chosen) {
  std::erase_if(refused, [&](const Decision& decision) {
    const bool of_chosen = decision.candidate == chosen.resource || decision.candidate == chosen.engine;
    return decision.code == "POLICY" || (of_chosen && decision.code == "NO_ENGINE");
  });
}

// What runs where, and what crosses.
void fill_parts(const PlanningContext& context, const Considered& chosen, Plan& plan) {
  if (chosen.mixed) {
    plan.partitions = mixed_partitions(context, chosen);
    plan.transfers = chosen.mixed->transfers;
    const bool stages = chosen.mixed->run == PartsRun::kStages;
    if (chosen.mixed->run != PartsRun::kInTurn) plan.schedule = stages ? "pipeline" : "split";
    for (const Partition& part : plan.partitions)
      plan.expected_ns = stages ? std::max(plan.expected_ns, part.expected_ns) : plan.expected_ns + part.expected_ns;
    return;
  }
  plan.partitions = {make_partition(context, chosen)};
  plan.transfers = make_transfers(context, chosen);
  plan.expected_ns = plan.partitions.front().expected_ns;
}

// The partitions of each replica: one, or those that it is cut into; what crosses crosses for each.
void fill_replicas(const PlanningContext& context, const std::vector<Considered>& admitted, const ReplicaChoice& replicas,
                   Plan& plan) {
  const ScheduleKind each = context.input.policy.schedule.each;
  plan.schedule = "replicas";
  if (each != ScheduleKind::kSingle) plan.each = schedule_kind_name(each);
  plan.expected_ns = replicas.request_ns;
  for (size_t replica = 0; replica < replicas.chosen.size(); ++replica) {
    const Considered& chosen = admitted[replicas.chosen[replica]];
    std::vector<Partition> parts = {make_partition(context, chosen)};
    if (chosen.mixed) parts = mixed_partitions(context, chosen);
    for (Partition& part : parts) part.replica = static_cast<int32_t>(replica);
    append_parts(std::move(parts), chosen.mixed ? chosen.mixed->transfers : make_transfers(context, chosen), plan);
  }
}

bool cuts(ScheduleKind kind) { return kind == ScheduleKind::kPipeline || kind == ScheduleKind::kSplit; }
bool cuts_the_model(const ScheduleRules& rules) { return cuts(rules.kind) || cuts(rules.each); }

// The same partitions again for every shape that the policy has prepared. What they take there was neither measured nor estimated.
void fill_prepared(const std::vector<AxisSizes>& shapes, Plan& plan) {
  for (Partition& part : plan.partitions) part.axes = shapes.front();
  const std::vector<Partition> judged = plan.partitions;
  const std::vector<Transfer> crossing = plan.transfers;
  for (size_t i = 1; i < shapes.size(); ++i) {
    std::vector<Partition> again = judged;
    for (Partition& part : again) {
      part.axes = shapes[i];
      part.expected_ns = 0;
      part.expected_from_evidence = false;
    }
    std::vector<Transfer> transfers = crossing;
    for (Transfer& transfer : transfers) transfer.bytes = 0;
    append_parts(std::move(again), std::move(transfers), plan);
  }
}

// The whole model in one place is not what a policy asks for that cuts it.
void turn_down_wholes(const PlanningContext& context, Field& field) {
  const ScheduleRules& rules = context.input.policy.schedule;
  const std::string asked = cuts(rules.each) ? fmt::format("replicas that are each a {}", schedule_kind_name(rules.each))
                                             : fmt::format("a {}", schedule_kind_name(rules.kind));
  for (const Considered& whole : field.admitted) {
    Decision decision;
    decision.candidate = whole.name();
    decision.code = "SCHEDULE";
    decision.reason = "the policy asks for " + asked;
    decision.estimate_ns = whole.estimate_ns;
    decision.evidence = summarise(context, whole);
    field.decisions.push_back(std::move(decision));
  }
  field.admitted.clear();
}

// What the schedule demands of the field: a pipeline or split is cut for it; without two resources there are no replicas.
Status keep_schedule(const PlanningContext& context, const Demand& demand, Field& field) {
  const ScheduleRules& rules = context.input.policy.schedule;
  if (cuts_the_model(rules)) turn_down_wholes(context, field);
  if (rules.kind == ScheduleKind::kReplicas) {
    if (cuts(rules.each)) {
      AXLE_RETURN_IF_ERROR(cut_replicas(context, demand, field));
    } else if (!field.admitted.empty() && !can_replicate(field.admitted)) {
      field.decisions.push_back(explain_no_replicas(field.admitted));
      field.admitted.clear();
    }
    refuse_too_much_power(context, demand, field);
    return ok_status();
  }
  if (!cuts(rules.kind)) return ok_status();
  AXLE_ASSIGN_OR_RETURN(Field cut, rules.kind == ScheduleKind::kSplit ? enumerate_split(context, {demand})
                                                                      : enumerate_pipeline(context, {demand}));
  field.admitted = std::move(cut.admitted);
  // The whole model in each place is what the parts' times are scaled by; the cut can be measured itself.
  field.measurable.insert(field.measurable.end(), cut.measurable.begin(), cut.measurable.end());
  field.decisions.insert(field.decisions.end(), cut.decisions.begin(), cut.decisions.end());
  return ok_status();
}

// A mixed plan is looked for where the policy wants one anyway, or no engine can run all of it as the pins say.
Status add_mixed(const PlanningContext& context, const std::vector<Demand>& demands, Field& field) {
  const Mixing mixing = context.input.policy.schedule.mixing;
  if (mixing == Mixing::kNever || (mixing == Mixing::kNeeded && !field.measurable.empty())) return ok_status();
  AXLE_ASSIGN_OR_RETURN(Field mixed, enumerate_mixed(context, demands));
  append(std::move(mixed), field);
  return ok_status();
}

// The candidates of one demand. A fallback is first tried for those nodes alone that cannot be had as demanded: the smallest
// change. That attempt is `in_part`. `pipelines`: "auto" may take one.
Result<Field> field_of(const PlanningContext& context, const std::vector<Demand>& demands, size_t index, bool in_part,
                       bool pipelines) {
  Field field;
  if (in_part) {
    AXLE_RETURN_IF_ERROR(add_mixed(context, {demands.front(), demands[index]}, field));
    field.decisions.clear();
    return field;
  }
  AXLE_ASSIGN_OR_RETURN(field, enumerate(context, demands[index]));
  AXLE_RETURN_IF_ERROR(add_split_for_memory(context, demands[index], field));
  if (!cuts_the_model(context.input.policy.schedule)) AXLE_RETURN_IF_ERROR(add_mixed(context, {demands[index]}, field));
  AXLE_RETURN_IF_ERROR(keep_schedule(context, demands[index], field));
  if (pipelines) AXLE_RETURN_IF_ERROR(add_pipeline(context, demands[index], field));
  return field;
}

// The attempts in order: (demand, in part).
std::vector<std::pair<size_t, bool>> attempts_of(const std::vector<Demand>& demands) {
  std::vector<std::pair<size_t, bool>> attempts;
  for (size_t i = 0; i < demands.size(); ++i) {
    if (i > 0 && !demands[i].precision_relaxed) attempts.emplace_back(i, true);
    attempts.emplace_back(i, false);
  }
  return attempts;
}

// What throughput is judged by: time per completed request with as many callers as pay, and what each of them waits.
void fill_requests(const std::vector<Considered>& admitted, const Considered& chosen,
                   const std::optional<ReplicaChoice>& replicas, PlannedRequests& out) {
  if (replicas) {
    out.request_ns = replicas->request_ns;
    for (const size_t i : replicas->chosen) {
      out.answer_ns = std::max(out.answer_ns, request_ns(admitted[i]));
      out.memory_bytes += needed_bytes(admitted[i]);
    }
    return;
  }
  const BestRequests best = best_requests(chosen.evidence);
  out.request_ns = request_ns(chosen);
  out.answer_ns = out.request_ns * best.callers;
  out.memory_bytes = needed_bytes(chosen);
}

PlannedRequests make_plan_of(const PlanningContext& context, const Demand& demand, Field field, std::vector<Decision> refused) {
  const std::vector<AxisSizes> shapes = prepared_shapes(context.input);
  const bool fixes_shapes = shapes.size() > 1 || !shapes.front().empty();
  std::optional<ReplicaChoice> replicas = choose_replicas(context, demand, field.admitted);
  Choice choice = replicas ? Choice{replicas->chosen.front(), replicas->decisions, replicas->notes}
                           : choose(context, demand, field.admitted);
  if (take_pipeline(context, replicas, field, choice)) replicas.reset();
  const Considered& chosen = field.admitted[choice.chosen];
  PlannedRequests planned;
  Plan& plan = planned.plan;
  fill_requests(field.admitted, chosen, replicas, planned);
  plan.model_digest = context.input.model.digest;
  plan.policy_digest = policy_digest(context.input.policy);
  plan.machine_fingerprint = context.fingerprint;
  plan.judged_shapes = context.input.shapes;
  if (replicas)
    fill_replicas(context, field.admitted, *replicas, plan);
  else
    fill_parts(context, chosen, plan);
  if (fixes_shapes) fill_prepared(shapes, plan);
  add_batching(context, field.admitted, replicas ? replicas->chosen : std::vector{choice.chosen}, plan);
  plan.substitutions = make_substitutions(context, demand, chosen, refused);
  for (const size_t each : replicas ? replicas->chosen : std::vector{choice.chosen}) {
    // Of replicas on one resource each the first speaks for all.
    if (each != choice.chosen && !field.admitted[each].mixed) continue;
    for (std::string& note : make_notes(context, demand, field.admitted[each], replicas.has_value())) {
      if (std::ranges::find(plan.notes, note) == plan.notes.end()) plan.notes.push_back(std::move(note));
    }
  }
  plan.notes.insert(plan.notes.end(), choice.notes.begin(), choice.notes.end());
  keep_telling(refused, chosen.candidate);
  plan.decisions = std::move(refused);
  merge_decisions(plan.decisions, std::move(field.decisions));
  merge_decisions(plan.decisions, std::move(choice.decisions));
  sort_decisions(plan.decisions);
  note_stale_evidence(plan);
  return planned;
}

}  // namespace

Result<PlannedRequests> plan_requests(const PlannerInput& input, bool pipelines) {
  AXLE_ASSIGN_OR_RETURN(const auto context, make_context(input));
  const std::vector<Demand> demands = demands_of(input.policy);
  std::vector<Attempt> attempts;
  for (const auto& [index, in_part] : attempts_of(demands)) {
    AXLE_ASSIGN_OR_RETURN(Field field, field_of(*context, demands, index, in_part, pipelines));
    if (!field.admitted.empty()) {
      AXLE_RETURN_IF_ERROR(check_static_shape(input));
      AXLE_RETURN_IF_ERROR(check_batching(input));
      AXLE_RETURN_IF_ERROR(check_rates(*context, field.admitted));
      return make_plan_of(*context, demands[index], std::move(field),
                          attempts.empty() ? std::vector<Decision>() : std::move(attempts.front().decisions));
    }
    if (!in_part) attempts.push_back({demands[index], std::move(field.decisions)});
  }
  return nothing_remains(*context, std::move(attempts));
}

Result<PlannerOutput> make_plan(const PlannerInput& input) {
  AXLE_RETURN_IF_ERROR(check_policy(input.policy));
  if (input.policy.objective == Objective::kHybrid) return plan_hybrid(input);
  AXLE_ASSIGN_OR_RETURN(PlannedRequests planned, plan_requests(input, true));
  return PlannerOutput{std::move(planned.plan)};
}

namespace {

// A failure rejects a candidate until it is tried again, and this is where that happens.
PlannerInput without_failures(const PlannerInput& input) {
  PlannerInput untried = input;
  std::erase_if(untried.evidence, [](const EvidenceRow& row) { return row.kind == EvidenceKind::kFailed; });
  return untried;
}

Result<std::vector<Plan>> measurable_plans_of(const PlannerInput& known, bool pipelines) {
  const PlannerInput input = without_failures(known);
  AXLE_ASSIGN_OR_RETURN(const auto context, make_context(input));
  const std::vector<Demand> demands = demands_of(input.policy);
  for (const auto& [index, in_part] : attempts_of(demands)) {
    AXLE_ASSIGN_OR_RETURN(Field field, field_of(*context, demands, index, in_part, pipelines));
    if (field.measurable.empty()) continue;
    AXLE_RETURN_IF_ERROR(check_static_shape(input));
    AXLE_RETURN_IF_ERROR(check_batching(input));
    std::sort(field.measurable.begin(), field.measurable.end(), [&](const Considered& a, const Considered& b) {
      const auto likely = [](const Considered& c) {
        return c.evidence.timing != nullptr ? judged_ns(*c.evidence.timing) : c.estimate_ns;
      };
      return likely(a) != likely(b) ? likely(a) < likely(b) : simpler(*context, a, b);
    });
    std::vector<Plan> plans;
    const std::vector<AxisSizes> shapes = prepared_shapes(input);
    for (const Considered& considered : field.measurable) {
      Plan& plan = plans.emplace_back();
      plan.model_digest = input.model.digest;
      plan.policy_digest = policy_digest(input.policy);
      plan.machine_fingerprint = context->fingerprint;
      plan.judged_shapes = input.shapes;
      fill_parts(*context, considered, plan);
      for (Partition& part : plan.partitions) part.axes = shapes.front();
    }
    return plans;
  }
  return std::vector<Plan>{};
}

}  // namespace

Result<std::vector<Plan>> measurable_plans(const PlannerInput& input) {
  if (input.policy.objective != Objective::kHybrid) return measurable_plans_of(input, true);
  // What serves best under a high load may be what serves best under a low one, and more.
  AXLE_ASSIGN_OR_RETURN(std::vector<Plan> plans, measurable_plans_of(with_objective(input, Objective::kThroughput), false));
  for (Plan& plan : plans) plan.policy_digest = policy_digest(input.policy);
  return plans;
}

Result<Partition> reference_partition(const PlannerInput& input) {
  PlannerInput plain = input;
  const std::vector<std::string> deny = plain.policy.engines.deny;
  plain.policy = Policy();
  plain.policy.engines.deny = deny;
  plain.policy.execution.threads = 1;
  plain.policy.execution.precisions = {own_precision(input.model)};
  plain.policy.tuning.evidence = EvidenceUse::kIgnore;
  // An engine that takes fixed shapes only may be all there is.
  if (fixes_all_axes(input)) {
    plain.policy.execution.static_shape = true;
    plain.policy.shapes = input.policy.shapes;
  }
  plain.incumbent.clear();
  AXLE_ASSIGN_OR_RETURN(const auto context, make_context(plain));
  const Demand demand = demands_of(plain.policy).front();
  AXLE_ASSIGN_OR_RETURN(const Field field, enumerate(*context, demand));
  const Considered* best = nullptr;
  for (const Considered& considered : field.admitted) {
    if (best == nullptr || simpler(*context, considered, *best)) best = &considered;
  }
  if (best == nullptr)
    return nothing_remains(*context, {{demand, field.decisions}})
        .with_context("there is no reference to measure errors against");
  Partition reference = make_partition(*context, *best);
  reference.axes = prepared_shapes(plain).front();
  return reference;
}

}  // namespace axle
