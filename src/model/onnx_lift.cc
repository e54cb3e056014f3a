#include "model/onnx_lift.h"

#include <fmt/format.h>

#include <optional>
#include <string_view>

#include "model/wire.h"

namespace axle {
namespace {

// Field numbers of onnx.proto.
namespace field {
constexpr uint32_t kModelGraph = 7;
constexpr uint32_t kGraphNode = 1, kGraphInitializer = 5, kGraphInput = 11, kGraphOutput = 12, kGraphValueInfo = 13;
constexpr uint32_t kNodeOutput = 2, kNodeOpType = 4, kNodeAttribute = 5, kNodeDomain = 7;
constexpr uint32_t kAttributeName = 1, kAttributeTensor = 5;
constexpr uint32_t kTensorFloatData = 4, kTensorRawData = 9, kTensorDoubleData = 10;
}  // namespace field

void append(std::string& out, std::span<const std::byte> bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

void append_varint(std::string& out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

void append_message(std::string& out, uint32_t number, const std::string& message) {
  append_varint(out, (number << 3) | static_cast<uint32_t>(WireType::kBytes));
  append_varint(out, message.size());
  out += message;
}

Status fault_status(const WireReader& reader, std::string_view place) {
  if (reader.fault() == WireFault::kTruncated) {
    std::string text = fmt::format("the model is truncated: {} ends early at byte {}", place, reader.fault_offset());
    if (reader.claimed_bytes() > 0) text += fmt::format(" (a field claims {} bytes)", reader.claimed_bytes());
    return data_loss_error(std::move(text)).with_hint("fetch the file again, or compare its size with the source");
  }
  return invalid_argument_error(fmt::format("not a valid ONNX model: {} is malformed at byte {}", place, reader.fault_offset()))
      .with_hint("check that the file is an ONNX model and arrived whole");
}

class Lifter {
 public:
  explicit Lifter(const ModelLimits& limits) : limits_(limits) {}

  Result<LiftedModel> lift(std::span<const std::byte> model) {
    WireReader reader(model);
    WireField f;
    bool has_graph = false;
    while (reader.next(f)) {
      if (f.number != field::kModelGraph || f.type != WireType::kBytes) {
        append(result_.structure, f.raw);
      } else if (has_graph) {
        return invalid_argument_error(fmt::format("the model holds a second graph at byte {}", f.offset))
            .with_hint("export the model again");
      } else {
        has_graph = true;
        std::string graph;
        AXLE_RETURN_IF_ERROR(lift_graph(f, graph));
        append_message(result_.structure, field::kModelGraph, graph);
      }
      AXLE_RETURN_IF_ERROR(check_structure(result_.structure.size()));
    }
    if (reader.fault() != WireFault::kNone) return fault_status(reader, "the model");
    if (!has_graph) {
      return invalid_argument_error("not a valid ONNX model: it holds no graph")
          .with_hint("check that the file is an ONNX model and arrived whole");
    }
    return std::move(result_);
  }

 private:
  Status check_structure(uint64_t size) const {
    if (size <= limits_.max_structure_bytes) return ok_status();
    return resource_exhausted_error(fmt::format("the model's structure (all but weights) is over the limit of {} bytes",
                                                limits_.max_structure_bytes))
        .with_hint("raise max_structure_bytes if this model is trusted");
  }

  Status count(uint32_t& counter, uint32_t limit, std::string_view what) const {
    if (++counter <= limit) return ok_status();
    return resource_exhausted_error(fmt::format("the model has more than {} {}", limit, what))
        .with_hint("raise the model limits if this model is trusted");
  }

  Status lift_graph(const WireField& graph_field, std::string& out) {
    WireReader reader(graph_field.bytes, graph_field.offset);
    WireField f;
    while (reader.next(f)) {
      const bool is_message = f.type == WireType::kBytes;
      if (is_message && f.number == field::kGraphInitializer) {
        AXLE_RETURN_IF_ERROR(count(values_, limits_.max_values, "values"));
        AXLE_RETURN_IF_ERROR(lift_initializer(f, out));
      } else if (is_message && f.number == field::kGraphNode) {
        AXLE_RETURN_IF_ERROR(count(nodes_, limits_.max_nodes, "nodes"));
        AXLE_RETURN_IF_ERROR(lift_node(f, out));
      } else {
        if (f.number == field::kGraphInput || f.number == field::kGraphOutput || f.number == field::kGraphValueInfo) {
          AXLE_RETURN_IF_ERROR(count(values_, limits_.max_values, "values"));
        }
        append(out, f.raw);
      }
      AXLE_RETURN_IF_ERROR(check_structure(out.size()));
    }
    return reader.fault() == WireFault::kNone ? ok_status() : fault_status(reader, "the graph");
  }

  // Copies a TensorProto without its one large data field, which is described in `lifted`. Nothing is lifted when the
  // data comes in several pieces: protobuf then joins or replaces them.
  Status lift_tensor(const WireField& tensor, std::string& out, std::optional<LiftedBytes>& lifted) {
    WireReader reader(tensor.bytes, tensor.offset);
    WireField f;
    int data_fields = 0;
    std::string rest;
    while (reader.next(f)) {
      const bool is_data =
          f.number == field::kTensorRawData || f.number == field::kTensorFloatData || f.number == field::kTensorDoubleData;
      if (is_data) ++data_fields;
      if (is_data && f.type == WireType::kBytes && f.bytes.size() >= kLiftBytes) {
        lifted = LiftedBytes{f.offset, f.bytes.size(), f.number};
      } else {
        append(rest, f.raw);
      }
    }
    if (reader.fault() != WireFault::kNone) return fault_status(reader, "a tensor");
    if (lifted && data_fields > 1) {
      lifted.reset();
      append(out, tensor.bytes);
      return ok_status();
    }
    out += rest;
    return ok_status();
  }

  Status lift_initializer(const WireField& tensor, std::string& out) {
    const uint32_t position = initializers_++;
    if (tensor.bytes.size() < kLiftBytes) {
      append(out, tensor.raw);
      return ok_status();
    }
    std::optional<LiftedBytes> lifted;
    std::string rest;
    AXLE_RETURN_IF_ERROR(lift_tensor(tensor, rest, lifted));
    if (lifted) result_.initializers.emplace(position, *lifted);
    append_message(out, field::kGraphInitializer, rest);
    return ok_status();
  }

  Status lift_node(const WireField& node, std::string& out) {
    if (node.bytes.size() < kLiftBytes) {
      append(out, node.raw);
      return ok_status();
    }
    WireReader scan(node.bytes, node.offset);
    WireField f;
    std::string_view op_type, domain, output;
    int attributes = 0, outputs = 0;
    while (scan.next(f)) {
      if (f.number == field::kNodeOpType) op_type = f.text();
      if (f.number == field::kNodeDomain) domain = f.text();
      if (f.number == field::kNodeOutput) {
        output = f.text();
        ++outputs;
      }
      if (f.number == field::kNodeAttribute) ++attributes;
    }
    if (scan.fault() != WireFault::kNone) return fault_status(scan, "a node");
    const bool is_constant =
        op_type == "Constant" && (domain.empty() || domain == "ai.onnx") && attributes == 1 && outputs == 1;
    if (!is_constant || output.empty() || result_.constants.contains(std::string(output))) {
      append(out, node.raw);
      return ok_status();
    }
    std::string rest;
    WireReader reader(node.bytes, node.offset);
    while (reader.next(f)) {
      if (f.number != field::kNodeAttribute || f.type != WireType::kBytes) {
        append(rest, f.raw);
        continue;
      }
      std::string attribute;
      AXLE_RETURN_IF_ERROR(lift_attribute(f, attribute, std::string(output)));
      append_message(rest, field::kNodeAttribute, attribute);
    }
    append_message(out, field::kGraphNode, rest);
    return ok_status();
  }

  Status lift_attribute(const WireField& attribute, std::string& out, const std::string& output) {
    WireReader scan(attribute.bytes, attribute.offset);
    WireField f;
    int tensors = 0;
    std::string_view name;
    while (scan.next(f)) {
      tensors += f.number == field::kAttributeTensor ? 1 : 0;
      if (f.number == field::kAttributeName) name = f.text();
    }
    if (scan.fault() != WireFault::kNone) return fault_status(scan, "an attribute");
    if (tensors != 1 || name != "value") {
      append(out, attribute.bytes);
      return ok_status();
    }
    WireReader reader(attribute.bytes, attribute.offset);
    while (reader.next(f)) {
      if (f.number != field::kAttributeTensor || f.type != WireType::kBytes) {
        append(out, f.raw);
        continue;
      }
      std::optional<LiftedBytes> lifted;
      std::string tensor;
      AXLE_RETURN_IF_ERROR(lift_tensor(f, tensor, lifted));
      if (lifted) result_.constants.emplace(output, *lifted);
      append_message(out, field::kAttributeTensor, tensor);
    }
    return ok_status();
  }

  const ModelLimits& limits_;
  LiftedModel result_;
  uint32_t nodes_ = 0;
  uint32_t values_ = 0;
  uint32_t initializers_ = 0;
};

// Wire type of a ModelProto field; nullopt when there is no such field.
std::optional<WireType> model_field_type(uint32_t number) {
  switch (number) {
    case 1:  // ir_version
    case 5:  // model_version
      return WireType::kVarint;
    case 2:
    case 3:
    case 4:
    case 6:
    case 7:
    case 8:
    case 14:
    case 20:
    case 25:
    case 26: return WireType::kBytes;
    default: return std::nullopt;
  }
}

}  // namespace

Result<LiftedModel> lift_weights(std::span<const std::byte> model, const ModelLimits& limits) {
  return Lifter(limits).lift(model);
}

bool looks_like_onnx(std::span<const std::byte> model) noexcept {
  WireReader reader(model);
  WireField f;
  int fields = 0;
  bool has_graph = false;
  while (reader.next(f)) {
    if (model_field_type(f.number) != f.type) return false;
    has_graph = has_graph || f.number == field::kModelGraph;
    if (++fields > 4096) break;
  }
  // A truncated model still starts like one: ir_version first, as every exporter writes it.
  if (reader.fault() == WireFault::kTruncated) return fields > 0 && !model.empty() && model[0] == std::byte{0x08};
  return reader.fault() == WireFault::kNone && has_graph;
}

}  // namespace axle
