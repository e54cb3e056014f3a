// Support masks: which nodes a place may run, and for every other one why not. What the engine answered comes first, then what
// the policy's pins say.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "planner/gates.h"

namespace axle {

class SupportMask {
 public:
  explicit SupportMask(size_t nodes) : refusals_(nodes, nullptr) {}
  bool takes(int32_t node) const { return refusals_[static_cast<size_t>(node)] == nullptr; }
  // Why not; null when it takes the node. Lives as long as the mask and the planner's input.
  const Verdict* refusal(int32_t node) const { return refusals_[static_cast<size_t>(node)]; }
  size_t count() const;
  // The first refusal stays.
  void refuse(int32_t node, const Verdict* why);
  // One reason for many nodes, kept here.
  const Verdict* keep(Verdict why);

 private:
  std::vector<const Verdict*> refusals_;
  std::vector<std::unique_ptr<const Verdict>> kept_;  // stay where they are when the mask moves
};

// What the engine says of each node at that precision. An engine that refuses the graph and does not say which nodes stand in the
// way takes none; one that was not asked is judged by the operators it lists.
SupportMask answered_mask(const PlanningContext& context, const Place& place, const std::string& precision);

// Takes away what `require` and `forbid` of the pins do not let this candidate run. A kernel that a pin names cannot be had
// anywhere, unless the policy lets the engine's own stand in.
void apply_pins(const PlanningContext& context, const Candidate& candidate, const Resource& resource, SupportMask& mask);

// Per node: how many of the pins that select it and prefer something do not get it here.
std::vector<int32_t> unmet_preferences(const PlanningContext& context, const Candidate& candidate, const Resource& resource);

}  // namespace axle
