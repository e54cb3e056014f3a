// TFLite: a FlatBuffer (tensorflow/lite/schema/schema.fbs). Every offset is checked; only subgraph 0's interface, the operator
// codes and the buffer sizes are read.
#include <fmt/format.h>

#include <array>
#include <optional>

#include "base/text.h"
#include "base/utf8.h"
#include "model/byte_reader.h"
#include "model/inspect.h"
#include "model/tflite_names.h"

namespace axle {
namespace {

class FlatBuffer;

struct Table {
  uint64_t position = 0;  // 0 = absent
};

// Vectors are (position of the first element, count), checked to lie inside the file.
struct Vector {
  uint64_t position = 0;
  uint32_t count = 0;
};

class FlatBuffer {
 public:
  explicit FlatBuffer(Bytes bytes) : bytes_(bytes) {}

  template <typename T>
  T at(uint64_t position) {
    ByteReader reader(bytes_, position);
    const T value = reader.read<T>();
    ok_ = ok_ && reader.ok();
    return ok_ ? value : T{};
  }

  Table root() { return follow(0); }
  Table follow(uint64_t position) {
    const auto offset = at<uint32_t>(position);
    return ok_ && offset != 0 ? Table{position + offset} : Table{};
  }

  // Place of a field inside its table; 0 = not there.
  uint64_t field(Table table, int index) {
    if (table.position == 0) return 0;
    const auto back = at<int32_t>(table.position);
    const int64_t vtable = static_cast<int64_t>(table.position) - back;
    if (!ok_ || vtable < 0) return fail();
    const auto vtable_size = at<uint16_t>(static_cast<uint64_t>(vtable));
    const int slot = 4 + 2 * index;
    if (!ok_ || slot + 2 > vtable_size) return 0;
    const auto offset = at<uint16_t>(static_cast<uint64_t>(vtable) + static_cast<uint64_t>(slot));
    return offset == 0 ? 0 : table.position + offset;
  }

  template <typename T>
  T scalar(Table table, int index, T fallback) {
    const uint64_t place = field(table, index);
    return place == 0 ? fallback : at<T>(place);
  }

  Vector vector(Table table, int index, size_t element_size) {
    const uint64_t place = field(table, index);
    if (place == 0) return {};
    const Table start = follow(place);
    const auto count = at<uint32_t>(start.position);
    const uint64_t bytes = static_cast<uint64_t>(count) * element_size;
    if (!ok_ || start.position + 4 > bytes_.size() || bytes > bytes_.size() - start.position - 4) {
      fail();
      return {};
    }
    return {start.position + 4, count};
  }

  Table table_of(const Vector& vector, uint32_t index) {
    return index < vector.count ? follow(vector.position + 4ull * index) : Table{};
  }

  std::string text(Table table, int index) {
    const Vector chars = vector(table, index, 1);
    const std::string_view view(reinterpret_cast<const char*>(bytes_.data()) + chars.position, chars.count);
    return is_valid_utf8(view) ? std::string(view) : printable(view);
  }

  bool ok() const { return ok_; }

 private:
  uint64_t fail() {
    ok_ = false;
    return 0;
  }
  Bytes bytes_;
  bool ok_ = true;
};

DataType data_type_of(int8_t type) {
  constexpr std::array<DataType, 19> kTypes = {
      DataType::kFloat32, DataType::kFloat16,    DataType::kInt32,  DataType::kUint8,     DataType::kInt64,
      DataType::kString,  DataType::kBool,       DataType::kInt16,  DataType::kComplex64, DataType::kInt8,
      DataType::kFloat64, DataType::kComplex128, DataType::kUint64, DataType::kUndefined, DataType::kUndefined,
      DataType::kUint32,  DataType::kUint16,     DataType::kInt4,   DataType::kBfloat16};
  return type >= 0 && static_cast<size_t>(type) < kTypes.size() ? kTypes[static_cast<uint8_t>(type)] : DataType::kUndefined;
}

class TfliteInspector {
 public:
  TfliteInspector(Bytes bytes, const std::string& path, const ModelLimits& limits)
      : buffer_(bytes), path_(path), limits_(limits) {}

  Result<Inspection> inspect() {
    const Table model = buffer_.root();
    const Table graph = buffer_.table_of(buffer_.vector(model, 2, 4), 0);
    if (!buffer_.ok() || graph.position == 0) return damaged();
    out_.producer = buffer_.text(model, 3);
    out_.name = buffer_.text(graph, 4);
    AXLE_RETURN_IF_ERROR(count_operators(model, graph));
    const Vector tensors = buffer_.vector(graph, 0, 4);
    read_io(tensors, buffer_.vector(graph, 1, 4), out_.inputs);
    read_io(tensors, buffer_.vector(graph, 2, 4), out_.outputs);
    AXLE_RETURN_IF_ERROR(count_weights(model, tensors));
    if (!buffer_.ok()) return damaged();
    return std::move(out_);
  }

 private:
  Status damaged() const {
    return data_loss_error(fmt::format("{} is not a whole TFLite model: an offset points outside the file", path_))
        .with_hint("fetch the file again");
  }
  Status over(const char* what, uint64_t limit) const {
    return resource_exhausted_error(fmt::format("{} has more than {} {}", path_, limit, what))
        .with_hint("raise the model limits if this model is trusted");
  }

  Status count_operators(Table model, Table graph) {
    const Vector codes = buffer_.vector(model, 1, 4);
    const Vector operators = buffer_.vector(graph, 3, 4);
    if (operators.count > limits_.max_nodes || codes.count > limits_.max_nodes) return over("operators", limits_.max_nodes);
    std::vector<std::string> names;
    for (uint32_t i = 0; i < codes.count && buffer_.ok(); ++i) {
      const Table code = buffer_.table_of(codes, i);
      // The old one-byte field holds codes below 127; newer ones have their own.
      const int32_t builtin = std::max<int32_t>(buffer_.scalar<int8_t>(code, 0, 0), buffer_.scalar<int32_t>(code, 3, 0));
      const std::string custom = buffer_.text(code, 1);
      names.push_back(builtin == kTfliteCustom ? "CUSTOM:" + custom : tflite_operator_name(builtin));
    }
    for (uint32_t i = 0; i < operators.count && buffer_.ok(); ++i) {
      const auto index = buffer_.scalar<uint32_t>(buffer_.table_of(operators, i), 0, 0);
      if (index >= names.size()) return damaged();
      ++out_.op_counts[names[index]];
    }
    return buffer_.ok() ? ok_status() : damaged();
  }

  void read_io(const Vector& tensors, const Vector& ids, std::vector<IoSpec>& specs) {
    for (uint32_t i = 0; i < ids.count && i < limits_.max_attributes_per_node && buffer_.ok(); ++i) {
      const auto id = buffer_.at<int32_t>(ids.position + 4ull * i);
      const Table tensor = id < 0 ? Table{} : buffer_.table_of(tensors, static_cast<uint32_t>(id));
      IoSpec spec;
      spec.name = buffer_.text(tensor, 3);
      spec.dtype = data_type_of(buffer_.scalar<int8_t>(tensor, 1, 0));
      const Vector shape = buffer_.vector(tensor, 0, 4);
      const Vector signature = buffer_.vector(tensor, 7, 4);  // -1 where an axis may be resized
      const Vector& dims = signature.count == shape.count && signature.count > 0 ? signature : shape;
      for (uint32_t axis = 0; axis < std::min(dims.count, limits_.max_rank); ++axis) {
        spec.shape.push_back(Dim{std::max<int64_t>(-1, buffer_.at<int32_t>(dims.position + 4ull * axis)), {}});
      }
      specs.push_back(std::move(spec));
    }
  }

  Status count_weights(Table model, const Vector& tensors) {
    const Vector buffers = buffer_.vector(model, 4, 4);
    if (buffers.count > limits_.max_values || tensors.count > limits_.max_values) return over("tensors", limits_.max_values);
    std::vector<bool> seen(buffers.count, false);
    for (uint32_t i = 0; i < tensors.count && buffer_.ok(); ++i) {
      const Table tensor = buffer_.table_of(tensors, i);
      const auto index = buffer_.scalar<uint32_t>(tensor, 2, 0);
      if (index == 0 || index >= buffers.count || seen[index]) continue;
      seen[index] = true;
      const Vector data = buffer_.vector(buffer_.table_of(buffers, index), 0, 1);
      const int bits = data_type_bits(data_type_of(buffer_.scalar<int8_t>(tensor, 1, 0)));
      out_.weight_bytes += data.count;
      if (bits > 0) out_.parameter_count += data.count * 8ull / static_cast<uint64_t>(bits);
    }
    return ok_status();
  }

  FlatBuffer buffer_;
  const std::string& path_;
  const ModelLimits& limits_;
  Inspection out_;
};

}  // namespace

Result<Inspection> inspect_tflite(Bytes flatbuffer, const std::string& path, const ModelLimits& limits) {
  return TfliteInspector(flatbuffer, path, limits).inspect();
}

}  // namespace axle
