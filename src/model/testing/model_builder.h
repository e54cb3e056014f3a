// Small ONNX models for tests. Test code only: includes the onnx headers.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "onnx/onnx_pb.h"

namespace axle::testing {

inline constexpr int32_t kF32 = onnx::TensorProto::FLOAT;
inline constexpr int32_t kI64 = onnx::TensorProto::INT64;

// Builds a ModelProto piece by piece; `model` may be changed by hand to make it wrong.
class ModelBuilder {
 public:
  explicit ModelBuilder(int64_t opset = 17, int64_t ir_version = 8) {
    model.set_ir_version(ir_version);
    model.set_producer_name("model_builder");
    import_opset("", opset);
    model.mutable_graph()->set_name("test");
  }

  onnx::GraphProto& graph() { return *model.mutable_graph(); }

  ModelBuilder& import_opset(const std::string& domain, int64_t version) {
    auto& opset = *model.add_opset_import();
    opset.set_domain(domain);
    opset.set_version(version);
    return *this;
  }

  // -1 = an unknown axis; `symbols` name those in order.
  static void fill_info(onnx::ValueInfoProto& info, const std::string& name, int32_t type, const std::vector<int64_t>& shape,
                        std::vector<std::string> symbols = {}) {
    info.set_name(name);
    auto& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();
    size_t next = 0;
    for (const int64_t size : shape) {
      auto& dim = *tensor.mutable_shape()->add_dim();
      if (size >= 0)
        dim.set_dim_value(size);
      else if (next < symbols.size())
        dim.set_dim_param(symbols[next++]);
    }
  }

  ModelBuilder& input(const std::string& name, int32_t type, const std::vector<int64_t>& shape,
                      std::vector<std::string> symbols = {}) {
    fill_info(*graph().add_input(), name, type, shape, std::move(symbols));
    return *this;
  }
  ModelBuilder& output(const std::string& name, int32_t type, const std::vector<int64_t>& shape,
                       std::vector<std::string> symbols = {}) {
    fill_info(*graph().add_output(), name, type, shape, std::move(symbols));
    return *this;
  }

  onnx::NodeProto& node(const std::string& op, std::initializer_list<std::string> inputs,
                        std::initializer_list<std::string> outputs, const std::string& name = "",
                        const std::string& domain = "") {
    auto& node = *graph().add_node();
    node.set_op_type(op);
    node.set_name(name);
    node.set_domain(domain);
    for (const auto& input : inputs) node.add_input(input);
    for (const auto& output : outputs) node.add_output(output);
    return node;
  }

  static void set_int(onnx::NodeProto& node, const std::string& name, int64_t value) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
  }
  static onnx::GraphProto& set_graph(onnx::NodeProto& node, const std::string& name) {
    auto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    attribute.mutable_g()->set_name(name);
    return *attribute.mutable_g();
  }

  static void fill_raw(onnx::TensorProto& tensor, const std::string& name, const std::vector<int64_t>& shape,
                       const std::vector<float>& values) {
    tensor.set_name(name);
    tensor.set_data_type(kF32);
    for (const int64_t size : shape) tensor.add_dims(size);
    tensor.set_raw_data(values.data(), values.size() * sizeof(float));
  }
  onnx::TensorProto& weight(const std::string& name, const std::vector<int64_t>& shape, const std::vector<float>& values) {
    auto& tensor = *graph().add_initializer();
    fill_raw(tensor, name, shape, values);
    return tensor;
  }
  onnx::TensorProto& integers(const std::string& name, const std::vector<int64_t>& values) {
    auto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(kI64);
    tensor.add_dims(static_cast<int64_t>(values.size()));
    for (const int64_t value : values) tensor.add_int64_data(value);
    return tensor;
  }
  onnx::TensorProto& external(const std::string& name, const std::vector<int64_t>& shape, const std::string& location,
                              int64_t offset = -1, int64_t length = -1) {
    auto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(kF32);
    for (const int64_t size : shape) tensor.add_dims(size);
    tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    const auto add = [&](const char* key, const std::string& value) {
      auto& entry = *tensor.add_external_data();
      entry.set_key(key);
      entry.set_value(value);
    };
    add("location", location);
    if (offset >= 0) add("offset", std::to_string(offset));
    if (length >= 0) add("length", std::to_string(length));
    return tensor;
  }

  // QuantizeLinear and DequantizeLinear, "quantise" and "dequantise", from `input` to `output`, of 8 bits and scale 0.5.
  ModelBuilder& quantised_step(const std::string& input, const std::string& output) {
    weight("scale", {}, {0.5f});
    auto& zero = *graph().add_initializer();
    zero.set_name("zero");
    zero.set_data_type(onnx::TensorProto::UINT8);
    zero.set_raw_data(std::string(1, '\0'));
    node("QuantizeLinear", {input, "scale", "zero"}, {"quantised"}, "quantise");
    node("DequantizeLinear", {"quantised", "scale", "zero"}, {output}, "dequantise");
    return *this;
  }

  std::string serialise() const { return model.SerializeAsString(); }

  onnx::ModelProto model;
};

inline std::span<const std::byte> as_bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace axle::testing
