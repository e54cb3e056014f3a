// Whether an optimised model really computes in integers: asked of what the library wrote, not of what was wished.
#pragma once

#include <string_view>

namespace axle::ort {

// True when a node of the model (ORT format or ONNX bytes) is an integer kernel: QLinearConv, MatMulInteger, QGemm, ...
bool has_integer_kernels(std::string_view model);

}  // namespace axle::ort
