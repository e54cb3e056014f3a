#include "model/onnx_tensor.h"

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstring>
#include <type_traits>

#include "base/text.h"
#include "onnx/onnx_pb.h"

namespace axle {
namespace {

static_assert(std::endian::native == std::endian::little, "ONNX raw data is little-endian");

constexpr uint32_t kFloatDataField = 4, kRawDataField = 9, kDoubleDataField = 10;

struct TensorClaim {
  DataType dtype = DataType::kUndefined;
  Shape shape;
  int64_t elements = 0;
  size_t size_bytes = 0;  // 0 for strings
};

Status tensor_error(const std::string& name, const std::string& what) {
  return invalid_argument_error(fmt::format("tensor '{}' {}", printable(name), what))
      .with_hint("the model is damaged or was written by a faulty tool: export it again");
}

Result<TensorClaim> read_claim(const onnx::TensorProto& tensor, const std::string& name, const ModelLimits& limits) {
  TensorClaim claim;
  const int32_t type = tensor.data_type();
  if (type <= 0 || type >= kDataTypeCount) {
    return unimplemented_error(fmt::format("tensor '{}' has element type {}, which axle does not know", printable(name), type));
  }
  claim.dtype = static_cast<DataType>(type);
  if (tensor.has_segment()) return tensor_error(name, "is stored in segments, which ONNX no longer allows");
  if (static_cast<uint32_t>(tensor.dims_size()) > limits.max_rank) {
    return tensor_error(name, fmt::format("has rank {}, over the limit of {}", tensor.dims_size(), limits.max_rank));
  }
  claim.shape.assign(tensor.dims().begin(), tensor.dims().end());
  Result<int64_t> elements = element_count(claim.shape);
  if (!elements) return tensor_error(name, fmt::format("has an impossible shape {}", format_shape(claim.shape)));
  claim.elements = *elements;
  if (claim.dtype != DataType::kString) {
    Result<size_t> size = dense_size_bytes(claim.dtype, claim.shape);
    if (!size) return tensor_error(name, fmt::format("has an impossible shape {}", format_shape(claim.shape)));
    claim.size_bytes = *size;
  }
  return claim;
}

Status size_error(const std::string& name, const TensorClaim& claim, uint64_t actual, std::string_view unit) {
  return tensor_error(name, fmt::format("claims {} of {}, but holds {} {}", format_shape(claim.shape),
                                        data_type_name(claim.dtype), actual, unit));
}

Result<uint64_t> parse_number(const std::string& name, const std::string& key, const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return tensor_error(name, fmt::format("has external data with {} '{}', which is not a number", key, printable(text, 40)));
  }
  return value;
}

Result<ExternalRange> read_external_range(const onnx::TensorProto& tensor, const std::string& name) {
  ExternalRange range;
  for (const auto& entry : tensor.external_data()) {
    if (entry.key() == "location") {
      range.location = entry.value();
    } else if (entry.key() == "offset") {
      AXLE_ASSIGN_OR_RETURN(range.offset, parse_number(name, "offset", entry.value()));
    } else if (entry.key() == "length") {
      AXLE_ASSIGN_OR_RETURN(range.length, parse_number(name, "length", entry.value()));
    }
  }
  return range;
}

// Typed element lists: which one a dtype uses, and elements per list entry.
enum class ListKind : uint8_t { kFloat, kDouble, kInt32, kInt64, kUint64, kNone };

ListKind list_kind_of(DataType type) {
  switch (type) {
    case DataType::kFloat32:
    case DataType::kComplex64: return ListKind::kFloat;
    case DataType::kFloat64:
    case DataType::kComplex128: return ListKind::kDouble;
    case DataType::kInt64: return ListKind::kInt64;
    case DataType::kUint32:
    case DataType::kUint64: return ListKind::kUint64;
    case DataType::kUndefined:
    case DataType::kString: return ListKind::kNone;
    default: return ListKind::kInt32;
  }
}

// Copies list entries, each cut to `bytes_per_entry` low bytes.
template <typename List>
Status pack_list(const List& list, const TensorClaim& claim, const std::string& name, std::vector<std::byte>& out) {
  using Entry = std::remove_cvref_t<decltype(*list.begin())>;
  const int bits = data_type_bits(claim.dtype);
  const bool complex = claim.dtype == DataType::kComplex64 || claim.dtype == DataType::kComplex128;
  const size_t entry_bytes = complex ? sizeof(Entry) : static_cast<size_t>(bits < 8 ? 1 : bits / 8);
  if (static_cast<size_t>(list.size()) != claim.size_bytes / entry_bytes)
    return size_error(name, claim, list.size(), "elements");
  out.resize(claim.size_bytes);
  size_t position = 0;
  for (const Entry entry : list) {
    std::memcpy(out.data() + position, &entry, entry_bytes);
    position += entry_bytes;
  }
  return ok_status();
}

Status pack_typed(const onnx::TensorProto& tensor, const TensorClaim& claim, const std::string& name,
                  std::vector<std::byte>& out) {
  switch (list_kind_of(claim.dtype)) {
    case ListKind::kFloat: return pack_list(tensor.float_data(), claim, name, out);
    case ListKind::kDouble: return pack_list(tensor.double_data(), claim, name, out);
    case ListKind::kInt32: return pack_list(tensor.int32_data(), claim, name, out);
    case ListKind::kInt64: return pack_list(tensor.int64_data(), claim, name, out);
    case ListKind::kUint64: return pack_list(tensor.uint64_data(), claim, name, out);
    case ListKind::kNone: break;
  }
  return tensor_error(name, "has no element data");
}

Status check_lifted(const LiftedBytes& lifted, const TensorClaim& claim, const std::string& name) {
  const ListKind kind = list_kind_of(claim.dtype);
  const bool fits = (lifted.field == kRawDataField && claim.dtype != DataType::kString) ||
                    (lifted.field == kFloatDataField && kind == ListKind::kFloat) ||
                    (lifted.field == kDoubleDataField && kind == ListKind::kDouble);
  if (!fits)
    return tensor_error(name, fmt::format("of {} keeps its data in a field of another type", data_type_name(claim.dtype)));
  if (lifted.size != claim.size_bytes) return size_error(name, claim, lifted.size, "bytes");
  return ok_status();
}

void take_heap(Weight& weight, std::vector<std::byte> bytes) {
  auto owner = std::make_shared<std::vector<std::byte>>(std::move(bytes));
  weight.bytes = *owner;
  weight.owner = std::move(owner);
}

Status fill_external(const onnx::TensorProto& tensor, const TensorClaim& claim, const TensorContext& context, Weight& weight) {
  if (claim.dtype == DataType::kString) return tensor_error(weight.name, "of strings cannot be external");
  AXLE_ASSIGN_OR_RETURN(const ExternalRange range, read_external_range(tensor, weight.name));
  AXLE_ASSIGN_OR_RETURN(ExternalBytes found, context.external.resolve(range, claim.size_bytes, printable(weight.name)));
  weight.bytes = found.bytes;
  weight.path = found.file->path();
  weight.file_offset = found.offset;
  weight.owner = std::move(found.file);
  return ok_status();
}

bool is_external(const onnx::TensorProto& tensor) {
  return tensor.has_data_location() && tensor.data_location() == onnx::TensorProto::EXTERNAL;
}

}  // namespace

Result<std::shared_ptr<const Weight>> make_weight(const onnx::TensorProto& tensor, const std::string& name,
                                                  const LiftedBytes* lifted, const TensorContext& context) {
  AXLE_ASSIGN_OR_RETURN(TensorClaim claim, read_claim(tensor, name, context.limits));
  auto weight = std::make_shared<Weight>();
  weight->name = name;
  weight->dtype = claim.dtype;
  weight->shape = claim.shape;
  if (is_external(tensor)) {
    AXLE_RETURN_IF_ERROR(fill_external(tensor, claim, context, *weight));
  } else if (lifted != nullptr) {
    AXLE_RETURN_IF_ERROR(check_lifted(*lifted, claim, name));
    weight->bytes = context.model.bytes.subspan(static_cast<size_t>(lifted->offset), static_cast<size_t>(lifted->size));
    weight->owner = context.model.owner;
    weight->path = "";
    weight->file_offset = lifted->offset;
    weight->in_model_file = !context.model.path.empty();
  } else if (claim.dtype == DataType::kString) {
    if (tensor.string_data_size() != claim.elements) return size_error(name, claim, tensor.string_data_size(), "elements");
    weight->texts.assign(tensor.string_data().begin(), tensor.string_data().end());
  } else if (tensor.has_raw_data()) {
    if (tensor.raw_data().size() != claim.size_bytes) return size_error(name, claim, tensor.raw_data().size(), "bytes");
    std::vector<std::byte> bytes(claim.size_bytes);
    if (!bytes.empty()) std::memcpy(bytes.data(), tensor.raw_data().data(), bytes.size());
    take_heap(*weight, std::move(bytes));
  } else {
    std::vector<std::byte> bytes;
    AXLE_RETURN_IF_ERROR(pack_typed(tensor, claim, name, bytes));
    take_heap(*weight, std::move(bytes));
  }
  return std::shared_ptr<const Weight>(std::move(weight));
}

Status check_tensor(const onnx::TensorProto& tensor, const std::string& name, const TensorContext& context) {
  AXLE_ASSIGN_OR_RETURN(const TensorClaim claim, read_claim(tensor, name, context.limits));
  if (is_external(tensor)) {
    Weight weight;
    weight.name = name;
    return fill_external(tensor, claim, context, weight);
  }
  if (claim.dtype == DataType::kString) {
    return tensor.string_data_size() == claim.elements ? ok_status()
                                                       : size_error(name, claim, tensor.string_data_size(), "elements");
  }
  if (tensor.has_raw_data()) {
    return tensor.raw_data().size() == claim.size_bytes ? ok_status()
                                                        : size_error(name, claim, tensor.raw_data().size(), "bytes");
  }
  std::vector<std::byte> bytes;
  return pack_typed(tensor, claim, name, bytes);
}

std::vector<int64_t> integers_of(const Weight& weight, size_t max_elements) {
  const auto read = [&]<typename T>(T) {
    std::vector<int64_t> values;
    const size_t count = weight.bytes.size() / sizeof(T);
    if (count > max_elements) return values;
    for (size_t i = 0; i < count; ++i) {
      T value;
      std::memcpy(&value, weight.bytes.data() + i * sizeof(T), sizeof(T));
      values.push_back(static_cast<int64_t>(value));
    }
    return values;
  };
  switch (weight.dtype) {
    case DataType::kInt64: return read(int64_t{});
    case DataType::kInt32: return read(int32_t{});
    case DataType::kInt16: return read(int16_t{});
    case DataType::kInt8: return read(int8_t{});
    case DataType::kUint8:
    case DataType::kBool: return read(uint8_t{});
    case DataType::kUint16: return read(uint16_t{});
    case DataType::kUint32: return read(uint32_t{});
    default: return {};
  }
}

}  // namespace axle
