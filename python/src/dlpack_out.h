// Tensors for other frameworks, as the capsules of __dlpack__ (https://dmlc.github.io/dlpack).
#pragma once

#include <nanobind/nanobind.h>

#include "axle/tensor.h"

namespace axle::python {

// The capsule that a consumer asks for: "dltensor_versioned" where max_version is (1, ...) or above, else "dltensor".
// BufferError for what cannot be exported so; InvalidArgumentError for a stream, which host memory has none of.
nanobind::object to_dlpack_capsule(const Tensor& tensor, nanobind::handle stream, nanobind::handle max_version,
                                   nanobind::handle dl_device, nanobind::handle copy);

}  // namespace axle::python
