#include "tensor/convert.h"

#include <fmt/core.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace axle {
namespace {

// How the bits of a small floating type are read.
struct SmallFormat {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  enum class Specials { kIeee, kFn, kFnuz, kNone } specials;
};

std::optional<SmallFormat> small_format(DataType type) {
  using S = SmallFormat::Specials;
  switch (type) {
    case DataType::kFloat8E4M3FN: return SmallFormat{4, 3, 7, S::kFn};
    case DataType::kFloat8E4M3FNUZ: return SmallFormat{4, 3, 8, S::kFnuz};
    case DataType::kFloat8E5M2: return SmallFormat{5, 2, 15, S::kIeee};
    case DataType::kFloat8E5M2FNUZ: return SmallFormat{5, 2, 16, S::kFnuz};
    case DataType::kFloat4E2M1: return SmallFormat{2, 1, 1, S::kNone};
    default: return std::nullopt;
  }
}

float decode(const SmallFormat& format, unsigned bits) {
  const unsigned sign = (bits >> (format.exponent_bits + format.mantissa_bits)) & 1u;
  const unsigned exponent_mask = (1u << format.exponent_bits) - 1;
  const unsigned mantissa_mask = (1u << format.mantissa_bits) - 1;
  const unsigned exponent = (bits >> format.mantissa_bits) & exponent_mask;
  const unsigned mantissa = bits & mantissa_mask;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  using S = SmallFormat::Specials;
  if (format.specials == S::kFnuz && sign == 1 && exponent == 0 && mantissa == 0) return nan;
  if (format.specials == S::kFn && exponent == exponent_mask && mantissa == mantissa_mask) return nan;
  if (format.specials == S::kIeee && exponent == exponent_mask) {
    if (mantissa != 0) return nan;
    return sign ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity();
  }
  const float fraction = static_cast<float>(mantissa) / static_cast<float>(mantissa_mask + 1);
  const float magnitude = exponent == 0 ? std::ldexp(fraction, 1 - format.bias)
                                        : std::ldexp(1.0f + fraction, static_cast<int>(exponent) - format.bias);
  return sign ? -magnitude : magnitude;
}

float decode_e8m0(unsigned bits) {
  return bits == 0xFF ? std::numeric_limits<float>::quiet_NaN() : std::ldexp(1.0f, static_cast<int>(bits) - 127);
}

template <typename T>
void read_plain(const std::byte* bytes, int64_t first, std::span<double> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, bytes + (static_cast<size_t>(first) + i) * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(value);
  }
}

// Element i of a packed type, as its raw bits.
unsigned packed_bits(const std::byte* bytes, size_t i, int bits) {
  const size_t per_byte = 8 / static_cast<size_t>(bits);
  const auto byte = static_cast<unsigned>(bytes[i / per_byte]);
  return (byte >> ((i % per_byte) * static_cast<size_t>(bits))) & ((1u << bits) - 1);
}

int sign_extended(unsigned value, int bits) { return static_cast<int>(value) - ((value >> (bits - 1)) != 0 ? 1 << bits : 0); }

// Every value of a type of at most 8 bits.
std::array<double, 256> table_of(DataType type) {
  std::array<double, 256> table{};
  const int bits = data_type_bits(type);
  const bool is_signed = type == DataType::kInt4 || type == DataType::kInt2;
  for (unsigned i = 0; i < (1u << bits); ++i) {
    const auto format = small_format(type);
    if (format) {
      table[i] = static_cast<double>(decode(*format, i));
    } else if (type == DataType::kFloat8E8M0) {
      table[i] = static_cast<double>(decode_e8m0(i));
    } else {
      table[i] = is_signed ? sign_extended(i, bits) : static_cast<int>(i);
    }
  }
  return table;
}

void read_small(DataType type, const std::byte* bytes, int64_t first, std::span<double> out) {
  const std::array<double, 256> table = table_of(type);
  const int bits = data_type_bits(type);
  for (size_t i = 0; i < out.size(); ++i) out[i] = table[packed_bits(bytes, static_cast<size_t>(first) + i, bits)];
}

template <typename Decode>
void read_16(const std::byte* bytes, int64_t first, std::span<double> out, Decode decode_bits) {
  for (size_t i = 0; i < out.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, bytes + (static_cast<size_t>(first) + i) * 2, 2);
    out[i] = static_cast<double>(decode_bits(bits));
  }
}

bool converts(DataType type) {
  return type == DataType::kFloat32 || type == DataType::kFloat64 || type == DataType::kFloat16 || type == DataType::kBfloat16;
}

}  // namespace

uint16_t float_to_bfloat16(float value) noexcept {
  const auto bits = std::bit_cast<uint32_t>(value);
  if (std::isnan(value)) return static_cast<uint16_t>((bits >> 16) | 0x40u);
  return static_cast<uint16_t>((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

float bfloat16_to_float(uint16_t bits) noexcept { return std::bit_cast<float>(uint32_t{bits} << 16); }

uint16_t float_to_half(float value) noexcept {
  const auto bits = std::bit_cast<uint32_t>(value);
  const uint32_t sign = (bits >> 16) & 0x8000u;
  const uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<uint16_t>(sign | 0x7E00u);
  if (magnitude >= 0x477FF000u) return static_cast<uint16_t>(sign | 0x7C00u);  // rounds to 65536 or more
  if (magnitude < 0x38800000u) {
    // Subnormal: adding 0.5 leaves the bits in units of 2^-24, rounded by the hardware.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    return static_cast<uint16_t>(sign | (std::bit_cast<uint32_t>(shifted) - 0x3F000000u));
  }
  const uint32_t rounded = magnitude + 0xFFFu + ((magnitude >> 13) & 1u);
  return static_cast<uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

float half_to_float(uint16_t bits) noexcept {
  const uint32_t sign = (bits & 0x8000u) << 16;
  const uint32_t exponent = (bits >> 10) & 0x1Fu;
  const uint32_t mantissa = bits & 0x3FFu;
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7F800000u | (mantissa << 13));
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
  return sign ? -magnitude : magnitude;
}

Result<float> small_float_to_float(DataType type, uint8_t bits) {
  if (const auto format = small_format(type)) return decode(*format, bits & ((1u << data_type_bits(type)) - 1));
  if (type == DataType::kFloat8E8M0) return decode_e8m0(bits);
  return invalid_argument_error(fmt::format("{} is not a small floating type", data_type_name(type)));
}

bool is_real_number(DataType type) noexcept {
  return type != DataType::kUndefined && type != DataType::kString && type != DataType::kComplex64 &&
         type != DataType::kComplex128 && data_type_bits(type) > 0;
}

Status read_as_doubles(DataType type, std::span<const std::byte> bytes, int64_t first, std::span<double> out) {
  if (!is_real_number(type)) {
    return invalid_argument_error(fmt::format("elements of type {} are not real numbers", data_type_name(type)));
  }
  const auto held = bytes.size() * 8 / static_cast<size_t>(data_type_bits(type));
  if (first < 0 || static_cast<size_t>(first) > held || held - static_cast<size_t>(first) < out.size()) {
    return out_of_range_error(fmt::format("elements {} to {} of {}", first, static_cast<size_t>(first) + out.size(), held));
  }
  const std::byte* data = bytes.data();
  switch (type) {
    case DataType::kFloat32: read_plain<float>(data, first, out); break;
    case DataType::kFloat64: read_plain<double>(data, first, out); break;
    case DataType::kInt8: read_plain<int8_t>(data, first, out); break;
    case DataType::kInt16: read_plain<int16_t>(data, first, out); break;
    case DataType::kInt32: read_plain<int32_t>(data, first, out); break;
    case DataType::kInt64: read_plain<int64_t>(data, first, out); break;
    case DataType::kBool:
    case DataType::kUint8: read_plain<uint8_t>(data, first, out); break;
    case DataType::kUint16: read_plain<uint16_t>(data, first, out); break;
    case DataType::kUint32: read_plain<uint32_t>(data, first, out); break;
    case DataType::kUint64: read_plain<uint64_t>(data, first, out); break;
    case DataType::kFloat16: read_16(data, first, out, half_to_float); break;
    case DataType::kBfloat16: read_16(data, first, out, bfloat16_to_float); break;
    default: read_small(type, data, first, out); break;
  }
  return ok_status();
}

std::optional<double> first_element_as_double(DataType type, std::span<const std::byte> bytes) noexcept {
  double value = 0;
  if (!is_real_number(type) || bytes.size() * 8 < static_cast<size_t>(data_type_bits(type))) return std::nullopt;
  return read_as_doubles(type, bytes, 0, std::span(&value, 1)).ok() ? std::optional<double>(value) : std::nullopt;
}

Result<Tensor> convert_floating(const Tensor& tensor, DataType type) {
  if (tensor.dtype() == type) return tensor.clone();
  if (!converts(tensor.dtype()) || !converts(type)) {
    return invalid_argument_error(
        fmt::format("{} cannot be converted to {}", data_type_name(tensor.dtype()), data_type_name(type)));
  }
  AXLE_ASSIGN_OR_RETURN(Tensor result, Tensor::allocate(type, tensor.shape()));
  std::array<double, 1024> block;
  for (int64_t first = 0; first < tensor.element_count(); first += static_cast<int64_t>(block.size())) {
    const auto count = static_cast<size_t>(std::min<int64_t>(std::ssize(block), tensor.element_count() - first));
    AXLE_RETURN_IF_ERROR(read_as_doubles(tensor, first, std::span(block).first(count)));
    const auto at = static_cast<size_t>(first);
    for (size_t i = 0; i < count; ++i) {
      if (type == DataType::kFloat64) {
        result.mutable_as<double>()[at + i] = block[i];
      } else if (type == DataType::kFloat32) {
        result.mutable_as<float>()[at + i] = static_cast<float>(block[i]);
      } else {
        const auto value = static_cast<float>(block[i]);
        result.mutable_as<uint16_t>()[at + i] = type == DataType::kFloat16 ? float_to_half(value) : float_to_bfloat16(value);
      }
    }
  }
  return result;
}

Result<Tensor> unpack_to_bytes(const Tensor& packed) {
  const int bits = data_type_bits(packed.dtype());
  if (bits == 0 || bits >= 8) {
    return invalid_argument_error(fmt::format("{} is not a packed type", data_type_name(packed.dtype())));
  }
  const bool is_signed = packed.dtype() == DataType::kInt4 || packed.dtype() == DataType::kInt2;
  AXLE_ASSIGN_OR_RETURN(Tensor bytes, Tensor::allocate(is_signed ? DataType::kInt8 : DataType::kUint8, packed.shape()));
  const std::span<uint8_t> out = bytes.mutable_as<uint8_t>();
  for (size_t i = 0; i < out.size(); ++i) {
    const unsigned raw = packed_bits(packed.bytes().data(), i, bits);
    out[i] = static_cast<uint8_t>(is_signed ? sign_extended(raw, bits) : static_cast<int>(raw));
  }
  return bytes;
}

Result<Tensor> pack_from_bytes(const Tensor& bytes, DataType type) {
  const int bits = data_type_bits(type);
  const bool is_bytes = bytes.dtype() == DataType::kUint8 || bytes.dtype() == DataType::kInt8;
  if (!is_bytes || bits == 0 || bits >= 8) {
    return invalid_argument_error(
        fmt::format("{} cannot be packed as {}", data_type_name(bytes.dtype()), data_type_name(type)));
  }
  AXLE_ASSIGN_OR_RETURN(Tensor packed, Tensor::allocate(type, bytes.shape()));
  const size_t per_byte = 8 / static_cast<size_t>(bits);
  auto* out = static_cast<uint8_t*>(packed.mutable_data());
  const std::span<const uint8_t> in = bytes.as<uint8_t>();
  for (size_t i = 0; i < in.size(); ++i) {
    const unsigned value = in[i] & ((1u << bits) - 1);
    out[i / per_byte] = static_cast<uint8_t>(out[i / per_byte] | (value << ((i % per_byte) * static_cast<size_t>(bits))));
  }
  return packed;
}

}  // namespace axle
