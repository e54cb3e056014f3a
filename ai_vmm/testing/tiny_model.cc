#include "testing/tiny_model.h"

#include <fstream>

namespace ai_vmm::testing {
namespace {

// Protocol Buffers wire format (protobuf.dev/programming-guides/encoding); field numbers of onnx.proto.
class Message {
 public:
  Message& integer(uint32_t field, uint64_t value) {
    varint(field << 3);
    varint(value);
    return *this;
  }
  Message& bytes(uint32_t field, const std::string& value) {
    varint(field << 3 | 2);
    varint(value.size());
    out_ += value;
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

std::string value_info(const std::string& name, const std::vector<int64_t>& shape) {
  Message dims;
  for (const int64_t size : shape)
    dims.bytes(1, size < 0 ? Message().bytes(2, "n").text() : Message().integer(1, static_cast<uint64_t>(size)).text());
  const std::string tensor = Message().integer(1, 1).bytes(2, dims.text()).text();  // 1 = FLOAT
  return Message().bytes(1, name).bytes(2, Message().bytes(1, tensor).text()).text();
}

}  // namespace

TinyModel relu_model() { return {{{"x", {2, 3}}}, {{"y", {2, 3}}}, {{"Relu", {"x"}, {"y"}}}}; }

std::string onnx_bytes(const TinyModel& model) {
  Message graph;
  for (const TinyNode& node : model.nodes) {
    Message out;
    for (const std::string& input : node.inputs) out.bytes(1, input);
    for (const std::string& output : node.outputs) out.bytes(2, output);
    graph.bytes(1, out.bytes(4, node.op).text());
  }
  graph.bytes(2, "tiny");
  for (const auto& [name, shape] : model.inputs) graph.bytes(11, value_info(name, shape));
  for (const auto& [name, shape] : model.outputs) graph.bytes(12, value_info(name, shape));
  const std::string opset = Message().bytes(1, "").integer(2, 17).text();
  return Message().integer(1, 8).bytes(7, graph.text()).bytes(8, opset).text();
}

std::string write_model(const TinyModel& model, const std::string& folder, const std::string& name) {
  const std::string path = folder + "/" + name + ".onnx";
  std::ofstream file(path, std::ios::binary);
  file << onnx_bytes(model);
  return path;
}

}  // namespace ai_vmm::testing
