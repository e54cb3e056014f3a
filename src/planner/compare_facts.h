// What is different between the facts a plan was made on and those of now, as far as the plan rests on them. Pure.
#pragma once

#include <string>
#include <vector>

#include "axle/drift.h"
#include "axle/lock.h"
#include "axle/plan.h"
#include "spec/planner_input.h"

namespace axle {

struct FactsComparison {
  std::vector<Drift> drifts;
  std::vector<std::string> notes;  // different, but no partition depends on it: one sentence each
};

// `now` holds what was found: its machine, its policy, and the engines that are known (those the plan uses must be there to
// count as installed). A model without a digest is not compared; verdicts and evidence are not looked at.
FactsComparison compare_facts(const PlannerInput& locked, const PlannerInput& now, const Plan& plan);

// Whether a plan from these facts stands on the versions of what compiles for the engine, and not on the engine's files: it was made for
// another machine than the one that planned, whose files are not there, by an engine whose artefacts are found by those versions.
bool stands_on_toolchain(const PlannerInput& locked, const EngineFacts& engine);

// Measurements the plan rests on that are old at `now_unix_s`: the chosen ones first, then those it was compared with.
std::vector<OldEvidence> old_evidence(const Plan& plan, int64_t now_unix_s);

// The leaf keys at which two policies differ ("execution.threads"), as drifts of the field "policy".
std::vector<Drift> compare_policies(const Policy& locked, const Policy& now);

}  // namespace axle
