#include "model/onnx_convert.h"

#include <cstring>

#include "model/onnx_version.h"

namespace axle {

namespace {

// Files of IR version 1 leave the type out.
onnx::AttributeProto::AttributeType type_of(const onnx::AttributeProto& attribute) {
  if (attribute.type() != onnx::AttributeProto::UNDEFINED) return attribute.type();
  if (attribute.has_i()) return onnx::AttributeProto::INT;
  if (attribute.has_f()) return onnx::AttributeProto::FLOAT;
  if (attribute.has_s()) return onnx::AttributeProto::STRING;
  if (attribute.has_t()) return onnx::AttributeProto::TENSOR;
  if (attribute.has_g()) return onnx::AttributeProto::GRAPH;
  if (attribute.ints_size() > 0) return onnx::AttributeProto::INTS;
  if (attribute.floats_size() > 0) return onnx::AttributeProto::FLOATS;
  if (attribute.strings_size() > 0) return onnx::AttributeProto::STRINGS;
  return onnx::AttributeProto::UNDEFINED;
}

// The element of a one-element i64 tensor: what ConstantOfShape fills shapes with.
std::vector<int64_t> single_integer(const onnx::TensorProto& tensor) {
  if (tensor.data_type() != onnx::TensorProto::INT64) return {};
  if (tensor.int64_data_size() == 1) return {tensor.int64_data(0)};
  int64_t value = 0;
  if (tensor.raw_data().size() != sizeof(value)) return {};
  std::memcpy(&value, tensor.raw_data().data(), sizeof(value));
  return {value};
}

}  // namespace

Attribute to_attribute(const onnx::AttributeProto& attribute) {
  Attribute out;
  out.name = attribute.name();
  switch (type_of(attribute)) {
    case onnx::AttributeProto::INT:
      out.kind = AttributeKind::kInt;
      out.ints = {attribute.i()};
      break;
    case onnx::AttributeProto::FLOAT:
      out.kind = AttributeKind::kFloat;
      out.floats = {attribute.f()};
      break;
    case onnx::AttributeProto::STRING:
      out.kind = AttributeKind::kText;
      out.texts = {attribute.s()};
      break;
    case onnx::AttributeProto::INTS:
      out.kind = AttributeKind::kInts;
      out.ints.assign(attribute.ints().begin(), attribute.ints().end());
      break;
    case onnx::AttributeProto::FLOATS:
      out.kind = AttributeKind::kFloats;
      out.floats.assign(attribute.floats().begin(), attribute.floats().end());
      break;
    case onnx::AttributeProto::STRINGS:
      out.kind = AttributeKind::kTexts;
      out.texts.assign(attribute.strings().begin(), attribute.strings().end());
      break;
    case onnx::AttributeProto::TENSOR:
      out.kind = AttributeKind::kTensor;
      out.ints = single_integer(attribute.t());
      break;
    case onnx::AttributeProto::GRAPH: out.kind = AttributeKind::kGraph; break;
    default: break;
  }
  return out;
}

std::optional<onnx::TensorProto> constant_value(onnx::NodeProto& node) {
  if (node.op_type() != "Constant" || !normal_domain(node.domain()).empty() || node.attribute_size() != 1) return std::nullopt;
  onnx::AttributeProto& attribute = *node.mutable_attribute(0);
  const std::string& name = attribute.name();
  onnx::TensorProto tensor;
  if (name == "value" && attribute.has_t()) {
    tensor.Swap(attribute.mutable_t());
  } else if (name == "value_float") {
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    tensor.add_float_data(attribute.f());
  } else if (name == "value_floats") {
    tensor.set_data_type(onnx::TensorProto::FLOAT);
    tensor.add_dims(attribute.floats_size());
    *tensor.mutable_float_data() = attribute.floats();
  } else if (name == "value_int") {
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_int64_data(attribute.i());
  } else if (name == "value_ints") {
    tensor.set_data_type(onnx::TensorProto::INT64);
    tensor.add_dims(attribute.ints_size());
    *tensor.mutable_int64_data() = attribute.ints();
  } else if (name == "value_string") {
    tensor.set_data_type(onnx::TensorProto::STRING);
    tensor.add_string_data(attribute.s());
  } else if (name == "value_strings") {
    tensor.set_data_type(onnx::TensorProto::STRING);
    tensor.add_dims(attribute.strings_size());
    for (const auto& text : attribute.strings()) tensor.add_string_data(text);
  } else {
    return std::nullopt;
  }
  return tensor;
}

void apply_type(const onnx::TypeProto& type, Value& value) {
  value.is_tensor = type.has_tensor_type() || type.value_case() == onnx::TypeProto::VALUE_NOT_SET;
  value.dtype = DataType::kUndefined;
  value.rank_known = false;
  value.shape.clear();
  if (!type.has_tensor_type()) return;
  const int32_t element = type.tensor_type().elem_type();
  if (element > 0 && element < kDataTypeCount) value.dtype = static_cast<DataType>(element);
  if (!type.tensor_type().has_shape()) return;
  value.rank_known = true;
  for (const auto& dim : type.tensor_type().shape().dim()) {
    // Some exporters write -1 for an unknown axis.
    if (dim.has_dim_value() && dim.dim_value() >= 0) {
      value.shape.push_back(Dim{dim.dim_value(), {}});
    } else {
      value.shape.push_back(Dim{-1, dim.has_dim_param() ? dim.dim_param() : std::string()});
    }
  }
}

void fill_type(const Value& value, onnx::TypeProto& type) {
  auto& tensor = *type.mutable_tensor_type();
  tensor.set_elem_type(static_cast<int32_t>(value.dtype));
  if (!value.rank_known) return;
  auto& shape = *tensor.mutable_shape();
  for (const Dim& dim : value.shape) {
    auto& out = *shape.add_dim();
    if (dim.is_static()) {
      out.set_dim_value(dim.size);
    } else if (!dim.symbol.empty()) {
      out.set_dim_param(dim.symbol);
    }
  }
}

void collect_custom_domains(const onnx::NodeProto& node, std::set<std::string>& domains) {
  const std::string domain = normal_domain(node.domain());
  const bool standard = domain.empty() || domain == "com.microsoft" || domain.starts_with("ai.onnx.");
  if (!standard) domains.insert(domain);
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) {
      for (const auto& inner : attribute.g().node()) collect_custom_domains(inner, domains);
    }
    for (const auto& graph : attribute.graphs()) {
      for (const auto& inner : graph.node()) collect_custom_domains(inner, domains);
    }
  }
}

}  // namespace axle
