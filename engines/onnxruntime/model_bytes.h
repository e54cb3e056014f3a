// The little of ONNX's wire format that probing needs: where a model's nodes lie in its bytes, and one-node models made of them.
// Reads hostile bytes: every length is checked, nothing is copied before it was.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/engine_kit.h"

namespace axle::ort {

struct ModelParts {
  std::vector<std::string_view> nodes;  // NodeProto bytes in graph order
  std::vector<std::string_view> node_names;
  std::map<std::string_view, std::string_view> weights;  // initialiser name -> TensorProto bytes
  std::vector<std::string_view> opsets;  // OperatorSetIdProto bytes
  std::vector<std::string_view> functions;  // FunctionProto bytes
  uint64_t ir_version = 0;
};

// Views into `model`. nullopt when the bytes are not a ModelProto.
std::optional<ModelParts> split_model(std::string_view model);

// A model of this one node: small weights stay weights, everything else becomes a typed graph input. nullopt when the node
// cannot stand alone (a tensor without a type).
std::optional<std::string> single_node_model(const ModelParts& parts, const kit::Node& node);

// What decides support of a node: op, domain, opset, types and ranks of inputs, which inputs are constants, attributes that choose a type or a
// way of computing, the model's functions. No names. `exact`: also sizes, every attribute, and what small constants of integers hold, on
// which some providers' answers hang.
std::string node_signature(const ModelParts& parts, const kit::Node& node, bool exact = false);

}  // namespace axle::ort
