// How far an output is from its reference. The worst output of a model counts.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "axle/tensor.h"

namespace axle {

struct OutputError {
  // Floating types: max |got - reference| / max |reference|; 0 when equal, infinite when NaN or infinity differ in place.
  double max_relative = 0;
  double relative_l2 = 0;      // |got - reference| / |reference|, Euclidean
  double cosine = 1;           // of the angle between both
  double top1_agreement = 1;   // share of rows (last axis) with the same largest element
  int64_t mismatches = 0;      // integers, booleans and strings: elements that differ
  bool comparable = true;      // false: dtype or shape differ, every number above is the worst
  std::string reason;          // why not comparable, or where the first difference in NaN or infinity is
};

// Floating and complex types by numbers; integers, booleans and strings exactly (any mismatch makes max_relative and
// relative_l2 infinite). Different floating types of the same shape are comparable: bf16 outputs against f32.
// INVALID_ARGUMENT only when a tensor is undefined.
Result<OutputError> compare_outputs(const Tensor& got, const Tensor& reference);

// Of several outputs: each number the worst of all.
OutputError worst_of(std::span<const OutputError> errors);

}  // namespace axle
