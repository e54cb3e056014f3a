// Pins: which nodes each of the policy's pins speaks of, and what it asks of the place that runs them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "axle/plan.h"
#include "axle/policy.h"
#include "spec/planner_input.h"

namespace axle {

struct SelectedPin {
  Pin pin;
  size_t number = 0;            // from 1, as messages count
  bool whole = false;           // every node, or a model that has none to name
  std::vector<int32_t> nodes;   // ascending; may be empty for `prefer` and for op_types
  // "pin 2 requires engine openvino"
  std::string text(const char* verb, const PinTarget& target) const;
  bool selects(int32_t node) const;
};

// A pin selects the nodes that all its selectors name: `nodes` by glob (* and ? stand for anything, slashes too), `op_types` as
// "Conv" or "com.microsoft:FusedConv", `between` = what lies on a way from the first tensor to the second.
// INVALID_ARGUMENT: `nodes` or `between` of a pin that forces something select nothing, or `between` names no tensor of the model;
// the nearest names are given.
Result<std::vector<SelectedPin>> select_pins(const ModelFacts& model, const std::vector<Pin>& pins);

// True when the target's engine, resource and precision, as far as it names them, are the candidate's. Kernels are not looked at.
bool meets(const PinTarget& target, const Candidate& candidate, const Resource& resource);
// "engine openvino, precision f32"
std::string target_text(const PinTarget& target);

// "*" stands for any text, "?" for one byte.
bool glob_matches(std::string_view glob, std::string_view text);

}  // namespace axle
