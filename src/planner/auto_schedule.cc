#include "planner/auto_schedule.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "planner/mixed_plan.h"

namespace axle {
namespace {

// Resources that are too small, core sets as the processor of which they are parts.
std::set<std::string> too_small(const Field& field) {
  std::set<std::string> resources;
  for (const Decision& decision : field.decisions) {
    const size_t at = decision.candidate.find('@');
    if (decision.code == "MEMORY" && at != std::string::npos)
      resources.insert(whole_resource(decision.candidate.substr(at + 1)));
  }
  return resources;
}

std::string per_s(int64_t request_ns) { return fmt::format("{:.1f}", 1e9 / static_cast<double>(request_ns)); }

// What was chosen before it, turned down.
void turn_down(const std::string& winner, Choice& choice) {
  for (Decision& decision : choice.decisions) {
    if (decision.verdict != DecisionVerdict::kChosen) continue;
    decision.verdict = DecisionVerdict::kRejected;
    decision.code = "SLOWER";
    decision.reason = winner;
  }
  choice.notes.clear();
}

}  // namespace

Status add_split_for_memory(const PlanningContext& context, const Demand& demand, Field& field) {
  if (context.input.policy.schedule.kind != ScheduleKind::kAuto || !field.measurable.empty()) return ok_status();
  if (too_small(field).size() < 2) return ok_status();
  AXLE_ASSIGN_OR_RETURN(Field cut, enumerate_split(context, {demand}));
  append(std::move(cut), field);
  return ok_status();
}

Status add_pipeline(const PlanningContext& context, const Demand& demand, Field& field) {
  const Policy& policy = context.input.policy;
  if (policy.schedule.kind != ScheduleKind::kAuto || policy.objective != Objective::kThroughput || field.admitted.empty())
    return ok_status();
  const auto& mixed = field.admitted.front().mixed;
  if (mixed && mixed->run == PartsRun::kSplit) return ok_status();  // for memory, which a pipeline is not cut by
  AXLE_ASSIGN_OR_RETURN(Field cut, enumerate_pipeline(context, {demand}));
  const auto same = [&](const Considered& known) {
    return !cut.measurable.empty() && known.name() == cut.measurable.front().name();
  };
  if (std::ranges::any_of(field.measurable, same)) return ok_status();  // stands there as a plan whose parts run in turn
  field.pipelines = std::move(cut.admitted);
  field.measurable.insert(field.measurable.end(), cut.measurable.begin(), cut.measurable.end());
  // That there is none to be had is no news; that one breaks a bound is.
  std::erase_if(cut.decisions, [](const Decision& decision) { return decision.code == "SCHEDULE"; });
  field.decisions.insert(field.decisions.end(), cut.decisions.begin(), cut.decisions.end());
  return ok_status();
}

bool take_pipeline(const PlanningContext& context, const std::optional<ReplicaChoice>& replicas, Field& field, Choice& choice) {
  if (field.pipelines.empty()) return false;
  const Considered& cut = field.pipelines.front();
  const int64_t mine_ns = request_ns(cut);
  const int64_t rival_ns = replicas ? replicas->request_ns : request_ns(field.admitted[choice.chosen]);
  if (mine_ns <= 0 || rival_ns <= 0) return false;
  const bool measured = best_requests(cut.evidence).callers > 1;
  const bool better = worth_more(mine_ns, rival_ns);
  Decision decision;
  decision.candidate = cut.name();
  decision.estimate_ns = cut.estimate_ns;
  decision.evidence = summarise(context, cut);
  const char* rival = replicas ? "replicas" : "one resource";
  if (better && measured) {
    decision.verdict = DecisionVerdict::kChosen;
    decision.code = "CHOSEN";
    decision.reason =
        fmt::format("as a pipeline it completes {} requests per second, {} {}", per_s(mine_ns), rival, per_s(rival_ns));
    turn_down(fmt::format("a pipeline completes {} requests per second, {} {}", per_s(mine_ns), rival, per_s(rival_ns)),
              choice);
    field.admitted.push_back(cut);
    choice.chosen = field.admitted.size() - 1;
  } else if (better) {
    decision.verdict = DecisionVerdict::kNotMeasured;
    decision.code = "NOT_MEASURED";
    decision.reason =
        fmt::format("as a pipeline it is estimated to complete {} requests per second, {} {}; `axle tune` measures it",
                    per_s(mine_ns), rival, per_s(rival_ns));
  } else {
    decision.code = "SLOWER";
    decision.reason = fmt::format("as a pipeline it {} {} requests per second, {} {}",
                                  measured ? "completes" : "is estimated to complete", per_s(mine_ns), rival, per_s(rival_ns));
  }
  choice.decisions.push_back(std::move(decision));
  return better && measured;
}

}  // namespace axle
