// GGUF (ggml/docs/gguf.md), versions 2 and 3: key-values and tensor table.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/checked.h"
#include "base/text.h"
#include "base/utf8.h"
#include "model/byte_reader.h"
#include "model/inspect.h"

namespace axle {
namespace {

enum class GgufType : uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64
};

constexpr size_t kMaxShownText = 256;  // longer texts (chat templates, vocabularies) are not kept
constexpr uint32_t kMaxDims = 8;

size_t scalar_bytes(GgufType type) {
  switch (type) {
    case GgufType::kUint8:
    case GgufType::kInt8:
    case GgufType::kBool: return 1;
    case GgufType::kUint16:
    case GgufType::kInt16: return 2;
    case GgufType::kUint32:
    case GgufType::kInt32:
    case GgufType::kFloat32: return 4;
    case GgufType::kUint64:
    case GgufType::kInt64:
    case GgufType::kFloat64: return 8;
    default: return 0;
  }
}

struct BlockFormat {
  uint32_t type;
  const char* name;
  uint32_t elements;
  uint32_t bytes;
};

// ggml's tensor types: elements and bytes per block.
constexpr BlockFormat kBlockFormats[] = {
    {0, "F32", 1, 4},        {1, "F16", 1, 2},         {2, "Q4_0", 32, 18},    {3, "Q4_1", 32, 20},    {6, "Q5_0", 32, 22},
    {7, "Q5_1", 32, 24},     {8, "Q8_0", 32, 34},      {9, "Q8_1", 32, 36},    {10, "Q2_K", 256, 84},  {11, "Q3_K", 256, 110},
    {12, "Q4_K", 256, 144},  {13, "Q5_K", 256, 176},   {14, "Q6_K", 256, 210}, {15, "Q8_K", 256, 292}, {16, "IQ2_XXS", 256, 66},
    {17, "IQ2_XS", 256, 74}, {18, "IQ3_XXS", 256, 98}, {19, "IQ1_S", 256, 50}, {20, "IQ4_NL", 32, 18}, {21, "IQ3_S", 256, 110},
    {22, "IQ2_S", 256, 82},  {23, "IQ4_XS", 256, 136}, {24, "I8", 1, 1},       {25, "I16", 1, 2},      {26, "I32", 1, 4},
    {27, "I64", 1, 8},       {28, "F64", 1, 8},        {29, "IQ1_M", 256, 56}, {30, "BF16", 1, 2},     {34, "TQ1_0", 256, 54},
    {35, "TQ2_0", 256, 66},  {39, "MXFP4", 32, 17}};

const BlockFormat* find_format(uint32_t type) {
  const auto found =
      std::find_if(std::begin(kBlockFormats), std::end(kBlockFormats), [&](const BlockFormat& f) { return f.type == type; });
  return found == std::end(kBlockFormats) ? nullptr : found;
}

class GgufInspector {
 public:
  GgufInspector(Bytes bytes, const std::string& path, const ModelLimits& limits)
      : bytes_(bytes), reader_(bytes), path_(path), limits_(limits) {}

  Result<Inspection> inspect() {
    if (reader_.text(4) != "GGUF")
      return invalid_argument_error(fmt::format("{} does not start with the GGUF magic", path_))
          .with_hint("fetch the file again");
    const auto version = reader_.read<uint32_t>();
    if (version < 2 || version > 3) {
      return unimplemented_error(fmt::format("{} is GGUF version {}; versions 2 and 3 are known", path_, version))
          .with_hint("convert the file to GGUF version 3");
    }
    const auto tensors = reader_.read<uint64_t>();
    const auto pairs = reader_.read<uint64_t>();
    if (tensors > limits_.max_values || pairs > limits_.max_values) return over_limit();
    out_.metadata["gguf.version"] = std::to_string(version);
    for (uint64_t i = 0; i < pairs && reader_.ok(); ++i) AXLE_RETURN_IF_ERROR(read_pair());
    for (uint64_t i = 0; i < tensors && reader_.ok(); ++i) AXLE_RETURN_IF_ERROR(read_tensor());
    if (!reader_.ok()) return truncated();
    AXLE_RETURN_IF_ERROR(check_data());
    if (const auto name = out_.metadata.find("general.name"); name != out_.metadata.end()) out_.name = name->second;
    return std::move(out_);
  }

 private:
  Status truncated() const {
    return data_loss_error(fmt::format("{} is truncated: its header ends early at byte {}", path_, reader_.position()))
        .with_hint("fetch the file again");
  }
  Status over_limit() const {
    return resource_exhausted_error(fmt::format("{} claims more entries than the limit of {}", path_, limits_.max_values))
        .with_hint("fetch the file again, or raise the model limits if it is trusted");
  }
  Status malformed(const std::string& what) const {
    return invalid_argument_error(fmt::format("{} is malformed at byte {}: {}", path_, reader_.position(), what))
        .with_hint("fetch the file again");
  }

  std::string_view read_text() { return reader_.text(reader_.read<uint64_t>()); }

  Status read_pair() {
    const std::string_view key = read_text();
    const auto type = static_cast<GgufType>(reader_.read<uint32_t>());
    if (!reader_.ok()) return truncated();
    if (key.empty() || key.size() > limits_.max_name_bytes || !is_valid_utf8(key))
      return malformed("a key is empty, too long or not UTF-8");
    if (type == GgufType::kArray) return skip_array(std::string(key));
    AXLE_ASSIGN_OR_RETURN(const std::string value, read_scalar(type));
    if (!value.empty()) out_.metadata[std::string(key)] = value;
    if (key == "general.alignment" && type == GgufType::kUint32) {
      const int64_t alignment = std::strtoll(value.c_str(), nullptr, 10);
      if (alignment < 1 || alignment > (1 << 20)) return malformed("general.alignment is out of range");
      alignment_ = static_cast<uint64_t>(alignment);
    }
    return ok_status();
  }

  Result<std::string> read_scalar(GgufType type) {
    switch (type) {
      case GgufType::kUint8: return std::to_string(reader_.read<uint8_t>());
      case GgufType::kInt8: return std::to_string(reader_.read<int8_t>());
      case GgufType::kUint16: return std::to_string(reader_.read<uint16_t>());
      case GgufType::kInt16: return std::to_string(reader_.read<int16_t>());
      case GgufType::kUint32: return std::to_string(reader_.read<uint32_t>());
      case GgufType::kInt32: return std::to_string(reader_.read<int32_t>());
      case GgufType::kUint64: return std::to_string(reader_.read<uint64_t>());
      case GgufType::kInt64: return std::to_string(reader_.read<int64_t>());
      case GgufType::kFloat32: return fmt::format("{}", reader_.read<float>());
      case GgufType::kFloat64: return fmt::format("{}", reader_.read<double>());
      case GgufType::kBool: return std::string(reader_.read<uint8_t>() != 0 ? "true" : "false");
      case GgufType::kString: {
        const std::string_view text = read_text();
        return text.size() <= kMaxShownText && is_valid_utf8(text) ? std::string(text) : std::string();
      }
      default: return malformed(fmt::format("unknown value type {}", static_cast<uint32_t>(type)));
    }
  }

  Status skip_array(const std::string& key) {
    const auto type = static_cast<GgufType>(reader_.read<uint32_t>());
    const auto count = reader_.read<uint64_t>();
    if (type == GgufType::kArray) return malformed("an array of arrays");
    if (const size_t size = scalar_bytes(type); size > 0) {
      const auto bytes = checked_mul<uint64_t>(count, size);
      reader_.take(bytes.value_or(UINT64_MAX));
    } else if (type == GgufType::kString) {
      // Each string has at least its length, so a wrong count meets the end of the file.
      for (uint64_t i = 0; i < count && reader_.ok(); ++i) read_text();
    } else {
      return malformed(fmt::format("unknown value type {}", static_cast<uint32_t>(type)));
    }
    out_.metadata[key] = fmt::format("[{} values]", count);
    return reader_.ok() ? ok_status() : truncated();
  }

  Status read_tensor() {
    const std::string_view name = read_text();
    const auto rank = reader_.read<uint32_t>();
    if (!reader_.ok()) return truncated();
    if (rank > kMaxDims) return malformed(fmt::format("tensor '{}' has rank {}", printable(name, 80), rank));
    std::optional<uint64_t> elements = 1;
    for (uint32_t i = 0; i < rank; ++i) {
      const auto size = reader_.read<uint64_t>();
      if (elements) elements = checked_mul(*elements, size);
    }
    const auto type = reader_.read<uint32_t>();
    const auto offset = reader_.read<uint64_t>();
    if (!reader_.ok()) return truncated();
    if (!elements || *elements > (1ull << 60))
      return malformed(fmt::format("tensor '{}' has an impossible shape", printable(name, 80)));
    out_.parameter_count += *elements;
    const BlockFormat* format = find_format(type);
    ++out_.op_counts[fmt::format("tensor:{}", format != nullptr ? format->name : std::to_string(type))];
    if (format == nullptr) {
      if (out_.issues.empty())
        out_.issues.push_back(fmt::format("tensor '{}' has type {}, which is not known here", printable(name, 80), type));
      return ok_status();
    }
    const uint64_t size = (*elements + format->elements - 1) / format->elements * format->bytes;
    out_.weight_bytes += size;
    data_bytes_ = std::max(data_bytes_, checked_add(offset, size).value_or(UINT64_MAX));
    return ok_status();
  }

  Status check_data() const {
    const uint64_t start = checked_round_up<uint64_t>(reader_.position(), alignment_).value_or(UINT64_MAX);
    if (data_bytes_ == 0 || (start <= bytes_.size() && data_bytes_ <= bytes_.size() - start)) return ok_status();
    return data_loss_error(fmt::format("{} is truncated: its tensors end at byte {}, the file at {}", path_,
                                       checked_add(start, data_bytes_).value_or(UINT64_MAX), bytes_.size()))
        .with_hint("fetch the file again");
  }

  Bytes bytes_;
  ByteReader reader_;
  const std::string& path_;
  const ModelLimits& limits_;
  Inspection out_;
  uint64_t alignment_ = 32;
  uint64_t data_bytes_ = 0;
};

}  // namespace

Result<Inspection> inspect_gguf(Bytes gguf, const std::string& path, const ModelLimits& limits) {
  return GgufInspector(gguf, path, limits).inspect();
}

}  // namespace axle
