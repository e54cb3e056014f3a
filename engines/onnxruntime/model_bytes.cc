#include "model_bytes.h"

namespace axle::ort {
namespace {

// Field numbers of onnx.proto.
enum ModelField : uint64_t { kModelIr = 1, kModelGraph = 7, kModelOpset = 8, kModelFunctions = 25 };
enum GraphField : uint64_t { kGraphNode = 1, kGraphName = 2, kGraphInitializer = 5, kGraphInput = 11, kGraphOutput = 12 };
enum NodeField : uint64_t { kNodeName = 3, kNodeAttribute = 5 };
enum AttributeField : uint64_t {
  kAttributeName = 1,
  kAttributeInt = 3,
  kAttributeText = 4,
  kAttributeTensor = 5,
  kAttributeType = 20
};
enum TensorField : uint64_t { kTensorType = 2, kTensorName = 8, kTensorExternal = 13 };
enum ValueField : uint64_t { kValueName = 1, kValueType = 2 };
enum TypeField : uint64_t {
  kTypeTensor = 1,
  kTensorElement = 1,
  kTensorShape = 2,
  kShapeDim = 1,
  kDimValue = 1,
  kDimParam = 2
};

constexpr size_t kSmallWeight = 64 * 1024;

class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  // Next field; false at the end or when the bytes are malformed (then ok() is false).
  bool next() {
    if (at_ == bytes_.size() || !ok_) return false;
    uint64_t tag = 0;
    if (!varint(tag)) return false;
    field_ = tag >> 3;
    text_ = {};
    number_ = 0;
    switch (tag & 7) {
      case 0: return varint(number_);
      case 1: return skip(8);
      case 5: return skip(4);
      case 2: {
        uint64_t size = 0;
        if (!varint(size)) return false;
        if (size > bytes_.size() - at_) return ok_ = false;
        text_ = bytes_.substr(at_, size);
        at_ += size;
        return true;
      }
      default: return ok_ = false;
    }
  }
  bool ok() const noexcept { return ok_; }
  uint64_t field() const noexcept { return field_; }
  uint64_t number() const noexcept { return number_; }
  std::string_view text() const noexcept { return text_; }

 private:
  bool varint(uint64_t& value) {
    value = 0;
    for (int shift = 0; shift < 64 && at_ < bytes_.size(); shift += 7) {
      const auto byte = static_cast<unsigned char>(bytes_[at_++]);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return true;
    }
    return ok_ = false;
  }
  bool skip(size_t size) {
    if (size > bytes_.size() - at_) return ok_ = false;
    at_ += size;
    return true;
  }

  std::string_view bytes_;
  size_t at_ = 0;
  bool ok_ = true;
  uint64_t field_ = 0, number_ = 0;
  std::string_view text_;
};

class Writer {
 public:
  Writer& number(uint64_t field, uint64_t value) { return varint(field << 3), varint(value), *this; }
  Writer& bytes(uint64_t field, std::string_view value) {
    varint(field << 3 | 2);
    varint(value.size());
    out_ += value;
    return *this;
  }
  const std::string& str() const noexcept { return out_; }

 private:
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(0x80 | (value & 0x7f));
    out_ += static_cast<char>(value);
  }
  std::string out_;
};

std::string_view first_text(std::string_view message, uint64_t field) {
  Reader reader(message);
  while (reader.next()) {
    if (reader.field() == field) return reader.text();
  }
  return {};
}

bool has_field(std::string_view message, uint64_t field) {
  Reader reader(message);
  while (reader.next()) {
    if (reader.field() == field) return true;
  }
  return false;
}

bool split_graph(std::string_view graph, ModelParts& parts) {
  Reader reader(graph);
  while (reader.next()) {
    if (reader.field() == kGraphNode) {
      parts.nodes.push_back(reader.text());
      parts.node_names.push_back(first_text(reader.text(), kNodeName));
    } else if (reader.field() == kGraphInitializer) {
      parts.weights.emplace(first_text(reader.text(), kTensorName), reader.text());
    }
  }
  return reader.ok();
}

std::string value_info(std::string_view name, const kit::Value& value) {
  Writer shape;
  for (const axle_dim_t& dim : value.shape()) {
    Writer one;
    if (dim.size >= 0) {
      one.number(kDimValue, static_cast<uint64_t>(dim.size));
    } else if (dim.symbol.size > 0) {
      one.bytes(kDimParam, kit::text(dim.symbol));
    }
    shape.bytes(kShapeDim, one.str());
  }
  Writer tensor;
  tensor.number(kTensorElement, static_cast<uint64_t>(value.dtype));
  if (value.rank_known()) tensor.bytes(kTensorShape, shape.str());
  Writer type;
  type.bytes(kTypeTensor, tensor.str());
  Writer info;
  info.bytes(kValueName, name).bytes(kValueType, type.str());
  return info.str();
}

// A weight that can be copied into a one-node model: small and inline.
std::string_view small_weight(const ModelParts& parts, std::string_view name) {
  const auto found = parts.weights.find(name);
  if (found == parts.weights.end() || found->second.size() > kSmallWeight) return {};
  return has_field(found->second, kTensorExternal) ? std::string_view() : found->second;
}

// Name and type of an attribute; its value where that is a word or an integer other than a count of groups or an axis: those choose types and
// ways of computing. Of a tensor its element type.
std::string choices_of(std::string_view attribute) {
  const std::string_view name = first_text(attribute, kAttributeName);
  std::string text(name);
  Reader reader(attribute);
  while (reader.next()) {
    const bool number = reader.field() == kAttributeInt && name != "group" && name != "axis";
    if (number || reader.field() == kAttributeType) text += '=' + std::to_string(reader.number());
    if (reader.field() == kAttributeText) text += '=' + std::string(reader.text());
    if (reader.field() == kAttributeTensor) {
      Reader tensor(reader.text());
      while (tensor.next()) {
        if (tensor.field() == kTensorType) text += '=' + std::to_string(tensor.number());
      }
    }
  }
  return text;
}

// Shapes, axes and the like decide what follows from them; the name goes, which says nothing of the node.
std::string integers_of(const kit::Value& value, std::string_view weight) {
  constexpr size_t kMost = 256;
  constexpr int32_t kInt32 = 6, kInt64 = 7;
  if ((value.dtype != kInt32 && value.dtype != kInt64) || weight.size() > kMost) return "";
  std::string bytes;
  Reader reader(weight);
  while (reader.next()) {
    if (reader.field() != kTensorName)
      bytes += std::to_string(reader.field()) + '=' + std::to_string(reader.number()) + std::string(reader.text()) + ',';
  }
  return bytes;
}

}  // namespace

std::optional<ModelParts> split_model(std::string_view model) {
  ModelParts parts;
  Reader reader(model);
  bool has_graph = false;
  while (reader.next()) {
    switch (reader.field()) {
      case kModelIr: parts.ir_version = reader.number(); break;
      case kModelOpset: parts.opsets.push_back(reader.text()); break;
      case kModelFunctions: parts.functions.push_back(reader.text()); break;
      case kModelGraph:
        if (!split_graph(reader.text(), parts)) return std::nullopt;
        has_graph = true;
        break;
      default: break;
    }
  }
  if (!reader.ok() || !has_graph) return std::nullopt;
  return parts;
}

std::optional<std::string> single_node_model(const ModelParts& parts, const kit::Node& node) {
  Writer graph;
  graph.bytes(kGraphNode, parts.nodes.at(node.index())).bytes(kGraphName, "probe");
  std::map<std::string_view, bool> seen;
  for (uint32_t i = 0; i < node.input_count(); ++i) {
    const kit::Value value = node.input(i);
    const std::string_view name = value.value_name();
    if (value.absent() || seen[name]) continue;
    seen[name] = true;
    if (const std::string_view weight = small_weight(parts, name); !weight.empty()) {
      graph.bytes(kGraphInitializer, weight);
    } else if (value.dtype == 0) {
      return std::nullopt;
    } else {
      graph.bytes(kGraphInput, value_info(name, value));
    }
  }
  for (uint32_t i = 0; i < node.output_count(); ++i) {
    const kit::Value value = node.output(i);
    if (value.absent()) continue;
    if (value.dtype == 0) {
      graph.bytes(kGraphOutput, Writer().bytes(kValueName, value.value_name()).str());
    } else {
      kit::Value typed = value;
      typed.rank = -1;  // the library infers the shape; ours need not agree in symbols
      graph.bytes(kGraphOutput, value_info(value.value_name(), typed));
    }
  }
  Writer model;
  model.number(kModelIr, parts.ir_version < 4 ? 4 : parts.ir_version);  // from 4 on weights need not be inputs
  for (const std::string_view opset : parts.opsets) model.bytes(kModelOpset, opset);
  model.bytes(kModelGraph, graph.str());
  for (const std::string_view function : parts.functions) model.bytes(kModelFunctions, function);
  return model.str();
}

std::string node_signature(const ModelParts& parts, const kit::Node& node, bool exact) {
  std::string signature = std::string(node.domain()) + ':' + std::string(node.op_type()) + ':' + std::to_string(node.opset());
  for (uint32_t i = 0; i < node.input_count(); ++i) {
    const kit::Value value = node.input(i);
    signature += value.absent() ? std::string("|-") : "|" + std::to_string(value.dtype) + "," + std::to_string(value.rank);
    if (value.absent()) continue;
    if (exact) {
      for (const axle_dim_t& dim : value.shape()) signature += ',' + std::to_string(dim.size);
    }
    const std::string_view weight = small_weight(parts, value.value_name());
    if (!weight.empty()) signature += 'c';
    if (!weight.empty() && exact) signature += integers_of(value, weight);
  }
  signature += ">" + std::to_string(node.output_count()) + ">";
  Reader reader(parts.nodes.at(node.index()));
  while (reader.next()) {
    if (reader.field() != kNodeAttribute) continue;
    signature += exact ? std::string(reader.text()) : choices_of(reader.text());
    signature += ';';
  }
  // A function of the model's own is what its body says.
  for (const std::string_view function : parts.functions) signature.append(function);
  return signature;
}

}  // namespace axle::ort
