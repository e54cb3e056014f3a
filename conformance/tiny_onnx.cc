#include "tiny_onnx.h"

#include <cstring>

#include "base/hash.h"

namespace axle::conformance {
namespace {

// Protocol Buffers wire format (protobuf.dev/programming-guides/encoding); field numbers of onnx.proto.
class Message {
 public:
  Message& integer(uint32_t field, int64_t value) {
    varint(field << 3);
    varint(static_cast<uint64_t>(value));
    return *this;
  }
  Message& bytes(uint32_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    out_ += value;
    return *this;
  }
  Message& message(uint32_t field, const Message& value) { return bytes(field, value.out_); }
  Message& number(uint32_t field, float value) {
    varint(field << 3 | 5);
    char raw[4];
    std::memcpy(raw, &value, 4);
    out_.append(raw, 4);
    return *this;
  }
  const std::string& text() const { return out_; }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  std::string out_;
};

Message value_info(const Value& value) {
  Message tensor;
  tensor.integer(1, static_cast<int64_t>(value.dtype));
  if (value.rank_known) {
    Message shape;
    for (const Dim& dim : value.shape) {
      Message axis;
      if (dim.is_static())
        axis.integer(1, dim.size);
      else if (!dim.symbol.empty())
        axis.bytes(2, dim.symbol);
      shape.message(1, axis);
    }
    tensor.message(2, shape);
  }
  return Message().bytes(1, value.name).message(2, Message().message(1, tensor));
}

Message attribute(const Attribute& attribute) {
  Message out;
  out.bytes(1, attribute.name);
  switch (attribute.kind) {
    case AttributeKind::kFloat: return out.number(2, attribute.floats[0]).integer(20, 1);
    case AttributeKind::kInt: return out.integer(3, attribute.ints[0]).integer(20, 2);
    case AttributeKind::kText: return out.bytes(4, attribute.texts[0]).integer(20, 3);
    case AttributeKind::kFloats:
      for (const float value : attribute.floats) out.number(7, value);
      return out.integer(20, 6);
    case AttributeKind::kInts:
      for (const int64_t value : attribute.ints) out.integer(8, value);
      return out.integer(20, 7);
    default: return out;
  }
}

std::string name_of(const Graph& graph, ValueId id) { return id < 0 ? "" : graph.values[static_cast<size_t>(id)].name; }

Message node(const Graph& graph, const Node& node) {
  Message out;
  for (const ValueId id : node.inputs) out.bytes(1, name_of(graph, id));
  for (const ValueId id : node.outputs) out.bytes(2, name_of(graph, id));
  out.bytes(3, node.name).bytes(4, node.op_type);
  for (const Attribute& item : node.attributes) out.message(5, attribute(item));
  return node.domain.empty() ? out : out.bytes(7, node.domain);
}

Message initializer(const Weight& weight) {
  Message out;
  for (const int64_t size : weight.shape) out.integer(1, size);
  out.integer(2, static_cast<int64_t>(weight.dtype)).bytes(8, weight.name);
  return out.bytes(9, {reinterpret_cast<const char*>(weight.bytes.data()), weight.bytes.size()});
}

}  // namespace

std::string tiny_onnx_bytes(const Graph& graph) {
  Message body;
  for (const Node& item : graph.nodes) body.message(1, node(graph, item));
  body.bytes(2, graph.name);
  for (const auto& weight : graph.weights) body.message(5, initializer(*weight));
  for (const ValueId id : graph.inputs) body.message(11, value_info(graph.values[static_cast<size_t>(id)]));
  for (const ValueId id : graph.outputs) body.message(12, value_info(graph.values[static_cast<size_t>(id)]));
  Message model;
  model.integer(1, 8).bytes(2, "axle").message(7, body);
  for (const auto& [domain, version] : graph.opsets) model.message(8, Message().bytes(1, domain).integer(2, version));
  return model.text();
}

std::shared_ptr<const Graph> with_onnx_bytes(const std::shared_ptr<const Graph>& graph) {
  auto made = std::make_shared<Graph>(*graph);
  auto bytes = std::make_shared<Graph::OnnxBytes>();
  bytes->bytes = tiny_onnx_bytes(*graph);
  made->digest = sha256_of(bytes->bytes).to_string();
  made->onnx_bytes = [bytes]() -> Result<std::shared_ptr<const Graph::OnnxBytes>> {
    return std::shared_ptr<const Graph::OnnxBytes>(bytes);
  };
  return made;
}

}  // namespace axle::conformance
