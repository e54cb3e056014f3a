#include "runtime/measuring/measure_error.h"

#include "axle/evidence_store.h"
#include "axle/tune.h"
#include "base/logging.h"
#include "planner/mixed_plan.h"
#include "planner/planner.h"
#include "runtime/facts/model_facts.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/measuring/contender.h"
#include "runtime/variants/calibration.h"

namespace axle {
namespace {

// Of prepared shapes the first is what was judged; evidence of it holds for all of them.
Plan judged_part(Plan plan) {
  const std::map<std::string, int64_t> axes = plan.partitions.front().axes;
  std::erase_if(plan.partitions, [&](const Partition& part) { return part.axes != axes; });
  const auto count = static_cast<int32_t>(plan.partitions.size());
  std::erase_if(plan.transfers,
                [&](const Transfer& transfer) { return transfer.from_partition >= count || transfer.to_partition >= count; });
  return plan;
}

}  // namespace

Status measure_error(Runtime& runtime, const Model& model, const PlanRequest& asked, const Plan& plan) {
  PlanRequest request = asked;
  AXLE_ASSIGN_OR_RETURN(std::vector<NamedTensor> named, policy_samples(request.policy, model));
  if (!named.empty()) request.samples = std::move(named);
  const bool generated = request.samples.empty();
  if (generated) {
    AXLE_ASSIGN_OR_RETURN(GeneratedSamples made, generate_samples(runtime, model, {0, request.policy, true, request.cancel}));
    request.samples = std::move(made.tensors);
  }
  AXLE_ASSIGN_OR_RETURN(PlannerInput input, collect_planner_input(runtime, model, request));
  if (generated) input.samples_digest = "generated:0";
  const auto part = reference_partition(input);
  if (!part || runtime.evidence() == nullptr) return ok_status();

  Contender reference;
  reference.name = part->candidate.format();
  reference.plan.model_digest = model.digest();
  reference.plan.partitions = {*part};
  load_contender(runtime, model, request.samples, request.cancel, reference);
  if (!reference.failure.ok()) {
    AXLE_LOG(kWarning, "runtime", "the error is not measured: {}", reference.failure.to_string());
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> wanted, reference.session->run(request.samples));

  Contender contender;
  contender.name = plan_name(plan.partitions);
  contender.plan = judged_part(plan);
  load_contender(runtime, model, request.samples, request.cancel, contender);
  if (!contender.failure.ok()) {
    if (!is_engines_answer(contender.failure)) return contender.failure;
    return runtime.evidence()->append(std::vector<EvidenceRow>{evidence_row(contender, {}, input)});
  }
  AXLE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> got, contender.session->run(request.samples));
  contender.error = worst_error(got, wanted, reference.name);
  return runtime.evidence()->append(std::vector<EvidenceRow>{evidence_row(contender, {}, input)});
}

}  // namespace axle
