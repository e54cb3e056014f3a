// safetensors: a JSON header with dtype, shape and byte range of each tensor, then the bytes.
#include <fmt/format.h>

#include <cstring>

#include "base/checked.h"
#include "base/json.h"
#include "base/text.h"
#include "model/byte_reader.h"
#include "model/inspect.h"

namespace axle {
namespace {

// Bits per element; 0 for a dtype that is not known.
int bits_of(const std::string& dtype) {
  if (dtype == "F64" || dtype == "I64" || dtype == "U64" || dtype == "C64") return 64;
  if (dtype == "F32" || dtype == "I32" || dtype == "U32") return 32;
  if (dtype == "F16" || dtype == "BF16" || dtype == "I16" || dtype == "U16") return 16;
  if (dtype == "F8_E4M3" || dtype == "F8_E5M2" || dtype == "F8_E8M0" || dtype == "I8" || dtype == "U8" || dtype == "BOOL")
    return 8;
  if (dtype == "F6_E2M3" || dtype == "F6_E3M2") return 6;
  if (dtype == "F4") return 4;
  return 0;
}

class SafetensorsInspector {
 public:
  SafetensorsInspector(Bytes bytes, const std::string& path, const ModelLimits& limits)
      : bytes_(bytes), path_(path), limits_(limits) {}

  Result<Inspection> inspect() {
    ByteReader reader(bytes_);
    const auto header_size = reader.read<uint64_t>();
    if (!reader.ok() || header_size > reader.left()) {
      return data_loss_error(fmt::format("{} is truncated or not safetensors: its header claims {} bytes of {}", path_,
                                         header_size, bytes_.size()))
          .with_hint("fetch the file again");
    }
    if (header_size > limits_.max_structure_bytes) {
      return resource_exhausted_error(
          fmt::format("{} has a header of {} bytes, over the limit of {}", path_, header_size, limits_.max_structure_bytes));
    }
    Result<Json> header = parse_json(reader.text(header_size), limits_.max_structure_bytes, 8);
    if (!header) return std::move(header).status().with_context(fmt::format("the header of {}", path_));
    if (!header->is_object() || header->size() > limits_.max_values)
      return malformed("its header is not an object, or too large");
    data_bytes_ = reader.left();
    for (const auto& [name, entry] : header->items())
      AXLE_RETURN_IF_ERROR(name == "__metadata__" ? read_metadata(entry) : read_tensor(name, entry));
    return std::move(out_);
  }

 private:
  Status malformed(const std::string& what) const {
    return invalid_argument_error(fmt::format("{} is malformed: {}", path_, what)).with_hint("fetch the file again");
  }

  Status read_metadata(const Json& entry) {
    if (!entry.is_object()) return malformed("__metadata__ is not an object");
    for (const auto& [key, value] : entry.items()) {
      if (value.is_string()) out_.metadata[key] = value.get<std::string>();
    }
    return ok_status();
  }

  Status read_tensor(const std::string& name, const Json& entry) {
    const auto refuse = [&](const char* what) { return malformed(fmt::format("tensor '{}' {}", printable(name, 80), what)); };
    if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") || !entry.contains("data_offsets"))
      return refuse("lacks dtype, shape or data_offsets");
    const Json& shape = entry["shape"];
    const Json& range = entry["data_offsets"];
    if (!entry["dtype"].is_string() || !shape.is_array() || !range.is_array() || range.size() != 2)
      return refuse("has fields of the wrong type");
    std::optional<uint64_t> elements = 1;
    for (const Json& size : shape) {
      if (!size.is_number_unsigned()) return refuse("has an impossible shape");
      if (elements) elements = checked_mul(*elements, size.get<uint64_t>());
    }
    if (!range[0].is_number_unsigned() || !range[1].is_number_unsigned() || !elements || shape.size() > limits_.max_rank)
      return refuse("has an impossible shape or range");
    const auto begin = range[0].get<uint64_t>();
    const auto end = range[1].get<uint64_t>();
    if (begin > end || end > data_bytes_) {
      return data_loss_error(fmt::format("{} is truncated: tensor '{}' ends at byte {} of {}", path_, printable(name, 80), end,
                                         data_bytes_))
          .with_hint("fetch the file again");
    }
    const auto dtype = entry["dtype"].get<std::string>();
    if (const int bits = bits_of(dtype); bits > 0) {
      const auto size = checked_mul(*elements, static_cast<uint64_t>(bits));
      if (!size || (*size + 7) / 8 != end - begin) return refuse("has a range that does not fit its shape");
    }
    out_.parameter_count += *elements;
    out_.weight_bytes += end - begin;
    ++out_.op_counts["tensor:" + printable(dtype, 20)];
    return ok_status();
  }

  Bytes bytes_;
  const std::string& path_;
  const ModelLimits& limits_;
  Inspection out_;
  uint64_t data_bytes_ = 0;
};

}  // namespace

Result<Inspection> inspect_safetensors(Bytes safetensors, const std::string& path, const ModelLimits& limits) {
  return SafetensorsInspector(safetensors, path, limits).inspect();
}

Result<Inspection> inspect_hf_config(Bytes config_json, const std::string& path, const ModelLimits& limits) {
  const std::string_view text(reinterpret_cast<const char*>(config_json.data()), config_json.size());
  Result<Json> config = parse_json(text, limits.max_structure_bytes, 32);
  if (!config) return std::move(config).status().with_context(path);
  if (!config->is_object())
    return invalid_argument_error(fmt::format("{} is not a JSON object", path)).with_hint("fetch the folder again");
  Inspection out;
  for (const auto& [key, value] : config->items()) {
    if (value.is_string()) out.metadata[key] = value.get<std::string>();
    if (value.is_number() || value.is_boolean()) out.metadata[key] = value.dump();
    if (key == "architectures" && value.is_array() && !value.empty() && value[0].is_string())
      out.metadata[key] = value[0].get<std::string>();
  }
  if (const auto type = out.metadata.find("model_type"); type != out.metadata.end()) out.name = type->second;
  return out;
}

}  // namespace axle
