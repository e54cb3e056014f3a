#include "integer_kernels.h"

#include <array>
#include <cstring>
#include <string>

namespace axle::ort {
namespace {

constexpr std::array<std::string_view, 20> kIntegerOps = {"QLinearConv",
                                                          "QLinearMatMul",
                                                          "QLinearAdd",
                                                          "QLinearMul",
                                                          "QLinearSigmoid",
                                                          "QLinearLeakyRelu",
                                                          "QLinearAveragePool",
                                                          "QLinearGlobalAveragePool",
                                                          "QLinearConcat",
                                                          "QLinearSoftmax",
                                                          "QLinearReduceMean",
                                                          "QLinearWhere",
                                                          "QGemm",
                                                          "QAttention",
                                                          "QLinearConvTranspose",
                                                          "ConvInteger",
                                                          "MatMulInteger",
                                                          "MatMulIntegerToFloat",
                                                          "DynamicQuantizeMatMul",
                                                          "DynamicQuantizeLSTM"};

bool contains(std::string_view text, const std::string& part) {
  return memmem(text.data(), text.size(), part.data(), part.size()) != nullptr;
}

}  // namespace

bool has_integer_kernels(std::string_view model) {
  for (const std::string_view op : kIntegerOps) {
    // A FlatBuffer string: 4-byte length, text, NUL.
    const std::string flat = std::string{static_cast<char>(op.size()), 0, 0, 0} + std::string(op) + '\0';
    // NodeProto.op_type (field 4) in protobuf's form.
    const std::string proto = std::string{'\x22', static_cast<char>(op.size())} + std::string(op);
    if (contains(model, flat) || contains(model, proto)) return true;
  }
  return false;
}

}  // namespace axle::ort
