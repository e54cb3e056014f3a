// Bounds and sanity of a parsed ModelProto, nested graphs and functions included, before anything is built from it.
#pragma once

#include "axle/status.h"
#include "model/onnx_tensor.h"

namespace onnx {
class ModelProto;
}

namespace axle {

// Opsets newer than this build knows, missing imports: UNIMPLEMENTED, INVALID_ARGUMENT.
Status check_versions(const onnx::ModelProto& model);

// Names, counts, depth, ranks, tensors inside node bodies, order and single definition inside nested graphs.
Status check_structure(const onnx::ModelProto& model, const LiftedModel& lifted, const TensorContext& context);

// Replaces calls of model-local functions by their bodies. Refuses recursion and bodies that would grow over the node
// limit. Functions whose opset differs from the model's stay as they are.
Status inline_functions(onnx::ModelProto& model, const ModelLimits& limits);

}  // namespace axle
