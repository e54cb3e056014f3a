// Remembered decisions: a plan that was made before is used again while everything it was made from still holds. Engines
// are not opened, the model is not read, nothing is asked anew.
#pragma once

#include <optional>
#include <string>

#include "axle/plan.h"
#include "axle/runtime.h"

namespace axle {

// Names the question: model, policy, shapes, samples, variants that are there, machine.
std::string plan_memo_key(const Model& model, const PlanRequest& request, const Machine& machine, const std::string& variants);

// What decides which files the engines are made of, as text that is compared byte by byte: plugin folders, Python site
// folders, environment, the libraries themselves. Cheap: only stats.
std::string library_surroundings(Runtime& runtime, const std::vector<std::string>& library_paths);

// What a decision rests on besides its key, as text that is compared byte by byte: plugin folders and files, Python
// site folders, engine libraries, environment, the evidence file. Cheap: only stats.
std::string plan_surroundings(Runtime& runtime, const std::vector<std::string>& library_paths);

// Null when nothing is remembered, or its surroundings changed.
std::optional<PlanReport> recall_plan(Runtime& runtime, const std::string& key);
void remember_plan(Runtime& runtime, const std::string& key, const PlanReport& report,
                   const std::vector<std::string>& library_paths);

}  // namespace axle
