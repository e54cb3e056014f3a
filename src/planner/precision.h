// Which precisions keep the model's own arithmetic.
#pragma once

#include <string>
#include <string_view>

#include "spec/planner_input.h"

namespace axle {

// "f32" for a model without floats of its own.
std::string own_precision(const ModelFacts& model);
// True when running at `precision` loses nothing the model has: its own, a wider one, or int8 for a model that is
// quantised already.
bool keeps_precision(const ModelFacts& model, std::string_view precision);
// 0 = the model's own, larger = further away: the order in which ties prefer precisions.
int precision_distance(const ModelFacts& model, std::string_view precision);
// Whether the machine's processors compute bf16 or f16 as such; true where its record says nothing, and for every other precision.
bool has_instructions(const Machine& machine, std::string_view precision);
// Bits of one element, for traffic estimates; 32 for an unknown name.
int precision_bits(std::string_view precision);

}  // namespace axle
