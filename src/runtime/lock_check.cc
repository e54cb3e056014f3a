#include "axle/lock_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "planner/compare_facts.h"
#include "planner/lock_parts.h"
#include "planner/planner.h"
#include "policy/policy_values.h"
#include "runtime/facts/engine_memo.h"
#include "runtime/facts/model_facts.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/loading/custom_ops.h"
#include "runtime/runtime_state.h"
#include "spec/planner_input_json.h"

namespace axle {
namespace {

// Engines the plan uses, opened only when what is remembered of them does not hold any more. Others as far as they are known.
std::vector<EngineFacts> engines_now(Runtime& runtime, const Plan& plan, bool verify) {
  std::set<std::string> used;
  for (const Partition& part : plan.partitions) used.insert(part.candidate.engine);
  std::vector<EngineFacts> engines;
  for (const std::string& name : runtime.engines().names()) {
    if (auto facts = known_engine(runtime, name, used.contains(name), verify)) engines.push_back(std::move(*facts));
  }
  return engines;
}

Result<PlannerInput> facts_now(Runtime& runtime, const PlannerInput& locked, const Plan& plan,
                               const LockCheckOptions& options) {
  PlannerInput now;
  now.policy = options.policy != nullptr ? *options.policy : locked.policy;
  // A file names libraries; the lock has them pinned. What is not there is told by custom_ops_drifts.
  if (options.policy != nullptr) (void)pin_custom_ops(now.policy);
  now.as_of_unix_s = unix_seconds();
  if (options.model != nullptr) {
    now.model.digest = options.model->digest();
    now.model.files = model_files(*options.model);
  }
  // Also where a record is compared: engines answer for resources of the machine they are on.
  AXLE_ASSIGN_OR_RETURN(now.machine, runtime.machine());
  now.engines = engines_now(runtime, plan, options.verify);
  if (options.machine != nullptr) {
    now.machine = *options.machine;
    keep_resources_of(now.machine, now.engines);
  }
  return now;
}

std::string candidates_of(const Plan& plan) {
  std::vector<std::string> names;
  for (const Partition& part : plan.partitions) names.push_back(part.candidate.format());
  return join(names, " + ");
}

std::string custom_ops_of(const Partition& part) { return part.candidate.engine + "." + std::string(kCustomOpsOption); }

// The code that a partition loads beside its engine.
void compare_custom_ops(const Plan& plan, std::vector<Drift>& drifts) {
  for (const Partition& part : plan.partitions) {
    const auto pinned = part.options.find(std::string(kCustomOpsOption));
    if (pinned == part.options.end() || pinned->second.empty()) continue;
    const auto now = pin_custom_ops(pinned->second);
    Drift drift{"library", custom_ops_of(part), pinned->second, now ? *now : now.error().message()};
    if (drift.found != drift.locked && std::ranges::find(drifts, drift) == drifts.end()) drifts.push_back(std::move(drift));
  }
}

// Another version of axle may decide otherwise on the same facts: then the lock's reasons are not this build's.
void compare_planner(const Lock& lock, const PlannerInput& locked, LockCheck& check) {
  const Result<PlannerOutput> again = make_plan(locked);
  if (!again)
    check.drifts.push_back({"planner", "", candidates_of(lock.plan), "no plan (" + again.error().message() + ")"});
  else if (again->plan.digest() != lock.plan.digest())
    check.drifts.push_back({"planner", "", lock.plan.digest() + " " + candidates_of(lock.plan),
                            again->plan.digest() + " " + candidates_of(again->plan)});
  else if (again->plan != lock.plan)
    check.notes.emplace_back("this build plans the same work from the lock's facts but explains it differently");
}

bool any_waived(const LockCheck& check, std::initializer_list<std::string_view> fields, std::string_view where = "") {
  return std::any_of(check.drifts.begin(), check.drifts.end(), [&](const Drift& drift) {
    return drift.waived && (where.empty() || drift.where == where) &&
           std::find(fields.begin(), fields.end(), drift.field) != fields.end();
  });
}

// What really runs where a drift is tolerated, and the entry in the ledger for it.
void apply_waivers(const PlannerInput& now, const LockCheckOptions& options, LockCheck& check) {
  Plan& plan = check.plan;
  if (options.model != nullptr && any_waived(check, {"model"})) plan.model_digest = now.model.digest;
  if (any_waived(check, {"policy"})) plan.policy_digest = policy_digest(now.policy);
  if (any_waived(check,
                 {"cgroup_limit", "cores", "cpu_features", "cpu_model", "driver", "machine", "memory", "os", "resource"}))
    plan.machine_fingerprint = check.machine_fingerprint;
  for (Partition& part : plan.partitions) {
    const EngineFacts* engine = find_engine(now, part.candidate.engine);
    if (engine == nullptr || !any_waived(check, {"engine_version", "library", "plugin"}, part.candidate.engine)) continue;
    part.engine_version = engine->library_version;
    part.library_digest = engine->library_digest;
  }
  for (Partition& part : plan.partitions) {
    const auto pinned = part.options.find(std::string(kCustomOpsOption));
    if (pinned == part.options.end() || !any_waived(check, {"library"}, custom_ops_of(part))) continue;
    pinned->second = pin_custom_ops(pinned->second).value_or(pinned->second);
  }
  for (const Drift& drift : check.drifts) {
    if (!drift.waived) continue;
    const std::string what = drift.field + (drift.where.empty() ? "" : " of " + drift.where);
    plan.substitutions.push_back(
        {what + " " + drift.locked, drift.found, "lock.waive", "the lock was made with another " + drift.field});
  }
}

// A plan that was made elsewhere names files that never were here: what is here runs.
void take_files_of_here(const PlannerInput& locked, const PlannerInput& now, Plan& plan) {
  for (Partition& part : plan.partitions) {
    const EngineFacts* before = find_engine(locked, part.candidate.engine);
    const EngineFacts* engine = find_engine(now, part.candidate.engine);
    if (before == nullptr || engine == nullptr || !stands_on_toolchain(locked, *before)) continue;
    part.engine_version = engine->library_version;
    part.library_digest = engine->library_digest;
  }
}

Status check_waived(const std::vector<std::string>& fields) {
  for (const std::string& field : fields) AXLE_RETURN_IF_ERROR(check_waived_field(field));
  return ok_status();
}

}  // namespace

std::string_view lock_state_name(LockState state) noexcept {
  switch (state) {
    case LockState::kValid: return "valid";
    case LockState::kOldEvidence: return "old_evidence";
    case LockState::kDrifted: break;
  }
  return "drifted";
}

Status LockCheck::status(const std::string& model, const std::string& lock) const {
  if (state != LockState::kDrifted) return ok_status();
  std::vector<std::string> texts, fields;
  Json json = Json::array();
  for (const Drift& drift : drifts) {
    if (drift.waived) continue;
    texts.push_back(drift.to_string());
    if (std::find(fields.begin(), fields.end(), drift.field) == fields.end()) fields.push_back(drift.field);
    json.push_back({{"field", drift.field}, {"where", drift.where}, {"locked", drift.locked}, {"found", drift.found}});
  }
  Status status =
      aborted_error("the lock does not hold here: " + join(texts, "; "))
          .with_hint(fmt::format("plan again: axle plan {} -o {}; or tolerate it: --waive {} (or [lock] waive in the "
                                 "policy, before planning)",
                                 model, lock, join(fields, ",")));
  if (auto text = canonical_json(json); text) status = std::move(status).with_detail("drift", *std::move(text));
  return status;
}

namespace {

Result<LockCheck> check_parts(Runtime& runtime, const Lock& lock, const PlannerInput& locked, const LockCheckOptions& options) {
  AXLE_ASSIGN_OR_RETURN(const PlannerInput now, facts_now(runtime, locked, lock.plan, options));
  FactsComparison facts = compare_facts(locked, now, lock.plan);
  LockCheck check;
  check.plan = lock.plan;
  check.drifts = std::move(facts.drifts);
  check.notes = std::move(facts.notes);
  check.old_evidence = old_evidence(lock.plan, now.as_of_unix_s);
  check.model_compared = options.model != nullptr;
  check.machine_fingerprint = now.machine.fingerprint();
  take_files_of_here(locked, now, check.plan);
  compare_custom_ops(lock.plan, check.drifts);
  compare_planner(lock, locked, check);
  std::set<std::string> waived(locked.policy.lock_waive.begin(), locked.policy.lock_waive.end());
  waived.insert(options.waive.begin(), options.waive.end());
  for (Drift& drift : check.drifts) drift.waived = waived.contains(drift.field);
  const bool drifted = std::any_of(check.drifts.begin(), check.drifts.end(), [](const Drift& drift) { return !drift.waived; });
  check.state = drifted ? LockState::kDrifted : check.old_evidence.empty() ? LockState::kValid : LockState::kOldEvidence;
  apply_waivers(now, options, check);
  return check;
}

}  // namespace

Result<LockCheck> check_lock(Runtime& runtime, const Lock& lock, const LockCheckOptions& options) {
  AXLE_RETURN_IF_ERROR(check_waived(options.waive).with_context("waive"));
  AXLE_ASSIGN_OR_RETURN(const PlannerInput locked, parse_planner_input(lock.input_json));
  return check_parts(runtime, lock, locked, options);
}

Result<CheckedLock> check_lock_file(Runtime& runtime, const std::string& path, const LockCheckOptions& options) {
  AXLE_RETURN_IF_ERROR(check_waived(options.waive).with_context("waive"));
  AXLE_ASSIGN_OR_RETURN(LockParts parts, load_lock_parts(path));
  AXLE_ASSIGN_OR_RETURN(LockCheck check, check_parts(runtime, parts.lock, parts.input, options));
  return CheckedLock{std::move(parts.lock), std::move(check)};
}

}  // namespace axle
