// TensorProto -> Weight. What a tensor claims (dims, dtype, element lists) is compared with the bytes that are there before
// anything is allocated.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "axle/status.h"
#include "model/external_data.h"
#include "model/graph.h"
#include "model/onnx_lift.h"

namespace onnx {
class TensorProto;
}

namespace axle {

// The serialised model that lifted bytes point into.
struct ModelBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
  std::string path;  // "" when in memory
};

struct TensorContext {
  const ModelBytes& model;
  ExternalData& external;
  const ModelLimits& limits;
};

// INVALID_ARGUMENT: dims, dtype and data contradict each other. Errors of ExternalData::resolve pass through.
Result<std::shared_ptr<const Weight>> make_weight(const onnx::TensorProto& tensor, const std::string& name,
                                                  const LiftedBytes* lifted, const TensorContext& context);

// The checks of make_weight without making one: for tensors inside node bodies.
Status check_tensor(const onnx::TensorProto& tensor, const std::string& name, const TensorContext& context);

// Elements that a weight's bytes hold as int64 (i64, i32 and other integer types); empty when it is none or has more
// than `max_elements`.
std::vector<int64_t> integers_of(const Weight& weight, size_t max_elements);

}  // namespace axle
