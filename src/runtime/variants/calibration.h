// Samples and calibration data that a policy names as files, checked against the model.
#pragma once

#include <string>
#include <vector>

#include "axle/model.h"
#include "axle/policy.h"
#include "axle/tensor.h"

namespace axle {

using InputSet = std::vector<NamedTensor>;  // one tensor for each input of the model

inline constexpr size_t kMaxCalibrationSets = 4096;

// What errors are judged on: accuracy.samples, empty when it names none. NOT_FOUND, INVALID_ARGUMENT: it does not fit the model.
Result<InputSet> policy_samples(const Policy& policy, const Model& model);

// The sets that the arrays of a calibration file hold. An array has one axis more than its input (a set for each index), or its
// first axis is a multiple of the input's fixed one (a set for each piece), or it is one set. All arrays hold as many.
// INVALID_ARGUMENT names the array, what it is and what is wanted.
Result<std::vector<InputSet>> calibration_sets(const std::vector<IoSpec>& inputs, const std::vector<NamedTensor>& arrays);

}  // namespace axle
