// Small conversions between onnx protos and graph types. Includes the onnx headers: only a few .cc files may include this.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "model/graph.h"
#include "onnx/onnx_pb.h"

namespace axle {

Attribute to_attribute(const onnx::AttributeProto& attribute);
// The value of a Constant node of ai.onnx, nullopt for any other node (and for sparse constants).
std::optional<onnx::TensorProto> constant_value(onnx::NodeProto& node);
void apply_type(const onnx::TypeProto& type, Value& value);
// A tensor type; no shape when the rank is not known.
void fill_type(const Value& value, onnx::TypeProto& type);
// Domains of `node` and its bodies that are neither "", ai.onnx.* nor com.microsoft.
void collect_custom_domains(const onnx::NodeProto& node, std::set<std::string>& domains);

}  // namespace axle
