// PlanningContext: the planner's input in a fixed order, with the look-ups its steps need.
#pragma once

#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "planner/demand.h"
#include "planner/evidence_index.h"
#include "planner/pins.h"
#include "spec/planner_input.h"

namespace axle {

struct PlanningContext {
  PlanningContext(const PlannerInput& planner_input, Machine split_machine, std::vector<SelectedPin> selected_pins = {});
  PlanningContext(const PlanningContext&) = delete;
  PlanningContext& operator=(const PlanningContext&) = delete;

  const PlannerInput& input;
  const Machine machine;                    // with the core sets that policy or target ask for
  const std::string fingerprint;            // of the machine: core sets do not count
  std::vector<const EngineFacts*> engines;  // by name
  EvidenceIndex evidence;
  const std::vector<SelectedPin> pins;      // of the policy, in its order
  bool judges_parts = false;                // candidates are looked at for parts of the model: no pin speaks of all of it

  const VerdictRow* verdict(const std::string& engine, const std::string& resource, const std::string& precision) const;
  // The engine's answer for the resource; a part of a split has the answer of the whole.
  const CapabilityFacts* capability(const EngineFacts& engine, const Resource& resource) const;

 private:
  std::map<std::tuple<std::string, std::string, std::string>, const VerdictRow*> verdicts_;
};

// The machine planned for: the policy's splits, and even halves (thirds, ...) for a target such as cpu:0/1 without a split.
Result<Machine> split_machine(const PlannerInput& input);
// "cpu:0" of "cpu:0/1".
std::string whole_resource(const std::string& id);

}  // namespace axle
