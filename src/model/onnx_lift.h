// First pass over a serialised ONNX ModelProto: weights are lifted out, so that protobuf parses the structure only and
// the weights stay where they are, in the mapped file. Also the cheap bounds: truncation, counts, structure size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

#include "axle/model.h"
#include "axle/status.h"

namespace axle {

struct LiftedBytes {
  uint64_t offset = 0;  // in the model's bytes
  uint64_t size = 0;
  uint32_t field = 0;   // of TensorProto: 9 raw_data, 4 float_data, 10 double_data
};

struct LiftedModel {
  std::string structure;                            // a ModelProto whose lifted tensors have no data field
  std::map<uint32_t, LiftedBytes> initializers;     // by position in graph.initializer
  std::map<std::string, LiftedBytes> constants;     // by the output name of a Constant node of the main graph
};

// Payloads of at least this size are lifted.
inline constexpr uint64_t kLiftBytes = 1024;

// DATA_LOSS: the bytes end early. INVALID_ARGUMENT: not protobuf, or no graph in it. RESOURCE_EXHAUSTED: over a limit.
Result<LiftedModel> lift_weights(std::span<const std::byte> model, const ModelLimits& limits);

// True when the top level looks like a ModelProto: known fields with their wire types, one of them a graph.
bool looks_like_onnx(std::span<const std::byte> model) noexcept;

}  // namespace axle
