// TensorFlow SavedModel and frozen GraphDef: protobuf wire format, of which only names, operators, types and shapes are read.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "base/text.h"
#include "base/utf8.h"
#include "model/inspect.h"
#include "model/wire.h"

namespace axle {
namespace {

std::string clean(std::string_view text) { return is_valid_utf8(text) ? std::string(text) : printable(text); }

// DataType of tensorflow/core/framework/types.proto; reference types are 100 above.
DataType data_type_of(uint64_t type) {
  switch (type > 100 ? type - 100 : type) {
    case 1: return DataType::kFloat32;
    case 2: return DataType::kFloat64;
    case 3: return DataType::kInt32;
    case 4: return DataType::kUint8;
    case 5: return DataType::kInt16;
    case 6: return DataType::kInt8;
    case 7: return DataType::kString;
    case 8: return DataType::kComplex64;
    case 9: return DataType::kInt64;
    case 10: return DataType::kBool;
    case 14: return DataType::kBfloat16;
    case 17: return DataType::kUint16;
    case 18: return DataType::kComplex128;
    case 19: return DataType::kFloat16;
    case 22: return DataType::kUint32;
    case 23: return DataType::kUint64;
    default: return DataType::kUndefined;
  }
}

class TensorflowInspector {
 public:
  TensorflowInspector(const std::string& path, const ModelLimits& limits) : path_(path), limits_(limits) {}

  Result<Inspection> saved_model(Bytes bytes) {
    WireReader reader(bytes);
    WireField field;
    bool has_graph = false;
    while (reader.next(field)) {
      if (field.number != 2 || field.type != WireType::kBytes || has_graph) continue;
      has_graph = true;
      AXLE_RETURN_IF_ERROR(meta_graph(field));
    }
    AXLE_RETURN_IF_ERROR(check(reader));
    if (!has_graph)
      return invalid_argument_error(fmt::format("{} is not a SavedModel: it holds no graph", path_))
          .with_hint("export the model again");
    return std::move(out_);
  }

  Result<Inspection> frozen_graph(Bytes bytes) {
    AXLE_RETURN_IF_ERROR(graph_def(WireField{0, WireType::kBytes, 0, bytes, 0, bytes}, true));
    for (const auto& [name, op] : nodes_) {
      const bool is_end = !used_.contains(name) && op != "Const" && op != "NoOp" && op != "Placeholder";
      if (is_end) out_.outputs.push_back(IoSpec{name, DataType::kUndefined, {}, false, false});
    }
    return std::move(out_);
  }

 private:
  Status check(const WireReader& reader) const {
    if (reader.fault() == WireFault::kNone) return ok_status();
    const std::string text =
        fmt::format("{} is {} at byte {}", path_, reader.fault() == WireFault::kTruncated ? "truncated" : "malformed",
                    reader.fault_offset());
    return (reader.fault() == WireFault::kTruncated ? data_loss_error(text) : invalid_argument_error(text))
        .with_hint("fetch the file again");
  }

  Status meta_graph(const WireField& message) {
    WireReader reader(message.bytes, message.offset);
    WireField field;
    bool found_default = false;
    while (reader.next(field)) {
      if (field.type != WireType::kBytes) continue;
      if (field.number == 1) read_info(field);
      if (field.number == 2) AXLE_RETURN_IF_ERROR(graph_def(field, false));
      if (field.number == 5 && !found_default) found_default = signature_entry(field);
    }
    return check(reader);
  }

  void read_info(const WireField& message) {
    WireReader reader(message.bytes, message.offset);
    WireField field;
    while (reader.next(field)) {
      if (field.number == 5 && field.type == WireType::kBytes) out_.producer = "tensorflow " + clean(field.text());
    }
  }

  // A map entry name -> SignatureDef; true when it is the one that serving uses. Another one stands in until that is seen.
  bool signature_entry(const WireField& message) {
    WireReader reader(message.bytes, message.offset);
    WireField field, signature;
    std::string name;
    while (reader.next(field)) {
      if (field.number == 1) name = clean(field.text());
      if (field.number == 2) signature = field;
    }
    if (name.starts_with("__")) return false;
    out_.inputs.clear();
    out_.outputs.clear();
    out_.metadata["signature"] = name;
    WireReader parts(signature.bytes, signature.offset);
    while (parts.next(field)) {
      if (field.type != WireType::kBytes) continue;
      if (field.number == 1) tensor_entry(field, out_.inputs);
      if (field.number == 2) tensor_entry(field, out_.outputs);
    }
    return name == "serving_default";
  }

  void tensor_entry(const WireField& message, std::vector<IoSpec>& specs) {
    if (specs.size() >= limits_.max_attributes_per_node) return;
    WireReader reader(message.bytes, message.offset);
    WireField field;
    IoSpec spec;
    spec.rank_known = false;
    while (reader.next(field)) {
      if (field.number == 1) spec.name = clean(field.text());
      if (field.number != 2 || field.type != WireType::kBytes) continue;
      WireReader info(field.bytes, field.offset);
      WireField part;
      while (info.next(part)) {
        if (part.number == 2 && part.type == WireType::kVarint) spec.dtype = data_type_of(part.value);
        if (part.number == 3 && part.type == WireType::kBytes) read_shape(part, spec);
      }
    }
    specs.push_back(std::move(spec));
  }

  void read_shape(const WireField& message, IoSpec& spec) const {
    spec.rank_known = true;
    WireReader reader(message.bytes, message.offset);
    WireField field;
    while (reader.next(field)) {
      if (field.number == 3 && field.value != 0) spec.rank_known = false;
      if (field.number != 2 || field.type != WireType::kBytes || spec.shape.size() >= limits_.max_rank) continue;
      Dim dim{0, {}};
      WireReader parts(field.bytes, field.offset);
      WireField part;
      while (parts.next(part)) {
        if (part.number == 1 && part.type == WireType::kVarint)
          dim.size = std::max<int64_t>(-1, static_cast<int64_t>(part.value));
        if (part.number == 2 && part.type == WireType::kBytes) dim.symbol = clean(part.text());
      }
      spec.shape.push_back(std::move(dim));
    }
    if (!spec.rank_known) spec.shape.clear();
  }

  Status graph_def(const WireField& message, bool with_io) {
    WireReader reader(message.bytes, message.offset);
    WireField field;
    while (reader.next(field)) {
      if (field.type != WireType::kBytes) continue;
      if (field.number == 1) AXLE_RETURN_IF_ERROR(node_def(field, with_io));
      if (field.number == 2) AXLE_RETURN_IF_ERROR(library(field));
    }
    return check(reader);
  }

  Status library(const WireField& message) {
    WireReader reader(message.bytes, message.offset);
    WireField field, part;
    while (reader.next(field)) {
      if (field.number != 1 || field.type != WireType::kBytes) continue;
      WireReader function(field.bytes, field.offset);
      while (function.next(part)) {
        if (part.number == 3 && part.type == WireType::kBytes) AXLE_RETURN_IF_ERROR(node_def(part, false));
      }
      AXLE_RETURN_IF_ERROR(check(function));
    }
    return check(reader);
  }

  Status node_def(const WireField& message, bool with_io) {
    if (++node_count_ > limits_.max_nodes) {
      return resource_exhausted_error(fmt::format("{} has more than {} nodes", path_, limits_.max_nodes))
          .with_hint("raise the model limits if this model is trusted");
    }
    WireReader reader(message.bytes, message.offset);
    WireField field;
    std::string name, op;
    IoSpec spec;
    spec.rank_known = false;
    while (reader.next(field)) {
      if (field.type != WireType::kBytes) continue;
      if (field.number == 1) name = clean(field.text());
      if (field.number == 2) op = clean(field.text());
      if (field.number == 3 && with_io) use(field.text());
      if (field.number == 5 && with_io) attribute_entry(field, spec);
    }
    AXLE_RETURN_IF_ERROR(check(reader));
    if (op != "Const" && op != "Placeholder" && op != "NoOp") ++out_.op_counts[op];
    if (!with_io) return ok_status();
    if (op == "Placeholder") {
      spec.name = name;
      out_.inputs.push_back(spec);
    }
    nodes_.emplace_back(std::move(name), std::move(op));
    return ok_status();
  }

  // "node:2", "^control".
  void use(std::string_view input) {
    if (input.starts_with('^')) input.remove_prefix(1);
    used_.insert(clean(input.substr(0, input.find(':'))));
  }

  // A map entry name -> AttrValue: of a Placeholder its dtype and shape matter.
  void attribute_entry(const WireField& message, IoSpec& spec) const {
    WireReader reader(message.bytes, message.offset);
    WireField field, value, part;
    std::string_view name;
    while (reader.next(field)) {
      if (field.number == 1) name = field.text();
      if (field.number == 2) value = field;
    }
    WireReader parts(value.bytes, value.offset);
    while (parts.next(part)) {
      if (name == "dtype" && part.number == 6 && part.type == WireType::kVarint) spec.dtype = data_type_of(part.value);
      if (name == "shape" && part.number == 7 && part.type == WireType::kBytes) read_shape(part, spec);
    }
  }

  const std::string& path_;
  const ModelLimits& limits_;
  Inspection out_;
  uint32_t node_count_ = 0;
  std::vector<std::pair<std::string, std::string>> nodes_;
  std::unordered_set<std::string> used_;
};

}  // namespace

Result<Inspection> inspect_saved_model(Bytes saved_model_pb, const std::string& path, const ModelLimits& limits) {
  return TensorflowInspector(path, limits).saved_model(saved_model_pb);
}

Result<Inspection> inspect_frozen_graph(Bytes graph_def, const std::string& path, const ModelLimits& limits) {
  return TensorflowInspector(path, limits).frozen_graph(graph_def);
}

}  // namespace axle
