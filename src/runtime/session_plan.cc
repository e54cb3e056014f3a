#include "runtime/session_plan.h"

#include <algorithm>

#include "axle/evidence_store.h"
#include "axle/tune.h"
#include "base/logging.h"
#include "planner/mixed_plan.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/measuring/contender.h"
#include "runtime/measuring/measure_error.h"

namespace axle {
namespace {

// Some candidate was refused for want of evidence: measuring may let it pass.
bool lacks_evidence(const Status& refusal) {
  for (const auto& [key, decisions] : refusal.details()) {
    for (const char* code : {"\"ACCURACY_UNKNOWN\"", "\"NOT_ENOUGH_EVIDENCE\"", "\"NOT_MEASURED\"", "\"NOT_PREPARED\""}) {
      if (key == "decisions" && decisions.find(code) != std::string::npos) return true;
    }
  }
  return false;
}

// One copy of the model runs all of it, the same for every prepared shape.
bool runs_one_copy(const Plan& plan) {
  const Partition& first = plan.partitions.front();
  return plan.schedule == "single" && first.variant &&
         std::all_of(plan.partitions.begin(), plan.partitions.end(), [&](const Partition& part) {
           return part.nodes.empty() && part.candidate.format() == first.candidate.format();
         });
}

// A copy of the model runs, and nobody has compared its outputs with the model's.
bool lacks_error(const Plan& plan) {
  if (!runs_one_copy(plan)) return false;
  const std::string name = plan.partitions.front().candidate.format();
  return std::none_of(plan.decisions.begin(), plan.decisions.end(), [&](const Decision& decision) {
    return decision.candidate == name && decision.evidence && decision.evidence->error;
  });
}

}  // namespace

Result<Plan> plan_session(const Model& model, const SessionOptions& options) {
  PlanRequest request;
  request.policy = options.policy;
  request.samples = options.samples;
  request.progress = options.progress;
  request.cancel = options.cancel;
  request.reuse = !options.verify;
  // One precision is forced: what it needs is made. Of several, tuning makes what it can measure.
  request.prepare = options.policy.execution.precisions.size() == 1;
  auto report = make_plan(*options.runtime, model, request);
  const int64_t budget_ns = options.policy.tuning.budget_ns;
  const bool may_help = report ? !report->plan.measured() : lacks_evidence(report.error());
  if (budget_ns > 0 && may_help) {
    if (options.progress) options.progress("measuring the candidates", -1);
    TuneOptions tuning;
    tuning.policy = options.policy;
    tuning.budget_ns = budget_ns;
    tuning.samples = options.samples;
    tuning.cancel = options.cancel;
    AXLE_ASSIGN_OR_RETURN(TuneReport tuned, tune(*options.runtime, model, tuning));
    return std::move(tuned.plan);
  }
  if (!report) return std::move(report).error();
  // What was forced is reported, not judged: the plan is made again with the error in it, or with the failure of what did not load.
  request.prepare = false;
  for (size_t tries = 0; lacks_error(report->plan) && tries < kMostFailedLoads; ++tries) {
    if (options.progress) options.progress("measuring the error", -1);
    AXLE_RETURN_IF_ERROR(measure_error(*options.runtime, model, request, report->plan));
    const std::string before = report->plan.digest();
    report = make_plan(*options.runtime, model, request);
    if (!report) return std::move(report).error();
    if (report->plan.digest() == before) break;
  }
  return std::move(report->plan);
}

bool keep_failed_load(const Model& model, const SessionOptions& options, const Plan& plan, const Status& failure) {
  EvidenceStore* const store = options.runtime->evidence();
  if (store == nullptr || !is_engines_answer(failure)) return false;
  PlanRequest request;
  request.policy = options.policy;
  request.samples = options.samples;
  const auto input = collect_planner_input(*options.runtime, model, request);
  if (!input) return false;
  Contender contender;
  contender.name = plan_name(plan.partitions);
  contender.plan = plan;
  contender.failure = failure;
  const Status kept = store->append(std::vector<EvidenceRow>{evidence_row(contender, {}, *input)});
  if (!kept.ok()) AXLE_LOG(kWarning, "runtime", "the failure is not kept as evidence: {}", kept.to_string());
  return kept.ok();
}

}  // namespace axle
