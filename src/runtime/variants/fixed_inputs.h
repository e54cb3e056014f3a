// Inputs that a conversion made constants: numbers of a TorchScript model's forward. The ONNX model's metadata lists them as
// "axle.fixed.NAME" with the value.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "axle/model.h"
#include "axle/status.h"
#include "axle/tensor.h"

namespace axle {

// Samples without those: what was given for the model as it was, for the model that was made of it.
std::vector<NamedTensor> without_fixed_inputs(const Model& model, std::vector<NamedTensor> samples);

// `status` of feeds that do not fit; where one of them is such an input, the hint says what it was fixed to.
Status explain_fixed_inputs(const Model& model, std::span<const NamedTensor> feeds, Status status);

}  // namespace axle
