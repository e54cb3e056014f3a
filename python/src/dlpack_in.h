// Arrays of other frameworks, taken through __dlpack__ (https://dmlc.github.io/dlpack).
#pragma once

#include <nanobind/nanobind.h>

#include <string>

#include "arrays.h"

namespace axle::python {

bool has_dlpack(nanobind::handle value);

// Host memory is borrowed when contiguous and copied when strided. InvalidArgumentError for memory of another device.
// `subject` is for messages.
Converted from_dlpack_object(nanobind::handle value, const std::string& subject);

// "torch.float32"
std::string torch_name(DataType type);

}  // namespace axle::python
