// Sessions and locks: running under one, and writing one.
#include <fmt/format.h>

#include "axle/convert.h"
#include "axle/lock_check.h"
#include "axle/session.h"
#include "runtime/session_impl.h"
#include "runtime/variants/fixed_inputs.h"

namespace axle {

Result<Session> Session::load(const Model& model, const Lock& lock, SessionOptions options) {
  if (!options.runtime) {
    AXLE_ASSIGN_OR_RETURN(options.runtime, default_runtime());
  }
  if (needs_conversion(model.format())) {
    AXLE_ASSIGN_OR_RETURN(const Model onnx,
                          convert_model(*options.runtime, model, {options.samples, options.progress, options.cancel}));
    options.samples = without_fixed_inputs(onnx, std::move(options.samples));
    return load(onnx, lock, std::move(options));
  }
  LockCheckOptions check_options;
  check_options.model = &model;
  if (options.policy != Policy()) check_options.policy = &options.policy;
  check_options.waive = options.waive;
  check_options.verify = options.verify;
  AXLE_ASSIGN_OR_RETURN(LockCheck check, check_lock(*options.runtime, lock, check_options));
  AXLE_RETURN_IF_ERROR(check.status(model.path().empty() ? "MODEL" : model.path()));
  AXLE_ASSIGN_OR_RETURN(options.policy, locked_policy(lock));
  // A lock says what runs where: nothing is moved or measured under it.
  options.policy.schedule.rebalance = false;
  options.policy.tuning.budget_ns = 0;
  for (const OldEvidence& old : check.old_evidence) {
    check.plan.notes.push_back(
        fmt::format("the lock's evidence on {} is {} days old: axle tune measures anew, axle plan -o writes "
                    "a lock from it",
                    old.candidate, old.age_days));
  }
  AXLE_ASSIGN_OR_RETURN(Session session, load(model, check.plan, std::move(options)));
  session.impl_->locked = lock;
  return session;
}

Result<Lock> Session::lock() const {
  if (impl_->locked) return *impl_->locked;
  PlanRequest request;
  request.policy = impl_->policy;
  request.samples = impl_->samples;
  request.keep_input = true;
  AXLE_ASSIGN_OR_RETURN(const PlanReport report, make_plan(*impl_->runtime, *impl_->model, request));
  if (report.plan.digest() != impl_->plan.digest()) {
    return aborted_error("what is known now leads to another plan than the one this session runs")
        .with_hint("make a new session, or lock a plan of its own: axle plan MODEL -o LOCK");
  }
  return make_lock(report.plan, report.input_json);
}

}  // namespace axle
