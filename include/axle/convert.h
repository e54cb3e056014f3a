// Conversion of model files that no engine reads but that a program of the user's can turn into ONNX: PyTorch's TorchScript and
// exported programs, by torch's own exporter, in a process of the Python that is found (AXLE_PYTHON, VIRTUAL_ENV, CONDA_PREFIX, PATH).
// What it makes is an artefact in the cache, by the content, the versions and the input shapes. See docs/guides/convert-a-model.md.
#pragma once

#include <vector>

#include "axle/cancel.h"
#include "axle/export.h"
#include "axle/model.h"
#include "axle/runtime.h"
#include "axle/status.h"
#include "axle/tensor.h"

namespace axle {

AXLE_API bool needs_conversion(ModelFormat format) noexcept;

struct ConvertOptions {
  std::vector<NamedTensor>
      samples;  // TorchScript is converted for their names, dtypes and shapes; a call that is recorded computes with their values
  ProgressCallback progress;
  CancelToken cancel = CancelToken::none();
};

// The model as ONNX, with the path and files of the one it was made from; a model that needs no conversion is returned as it is.
// Loading a PyTorch file runs code that it may hold: convert what you trust. Blocks: seconds, unless it was converted before.
// UNAVAILABLE: no Python, or a package that it lacks (the hint installs it). INVALID_ARGUMENT: inputs are wanted, or others than given.
// FAILED_PRECONDITION: torch cannot export it. CANCELLED, DEADLINE_EXCEEDED.
AXLE_API Result<Model> convert_model(Runtime& runtime, const Model& model, const ConvertOptions& options = {});

}  // namespace axle
