// Element types and the checks every engine owes its caller before it touches bound bytes.
#pragma once

#include <array>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "axle/engine_kit/base.h"

namespace axle::kit {

// Numbers of ONNX TensorProto.DataType; index = number.
inline constexpr std::array<std::string_view, 27> kDataTypeNames = {
    "undefined",  "f32",    "u8",         "i8",  "u16", "i16",    "i32",    "i64",  "string",
    "bool",       "f16",    "f64",        "u32", "u64", "c64",    "c128",   "bf16", "f8e4m3fn",
    "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "u4",  "i4",  "f4e2m1", "f8e8m0", "u2",   "i2"};
inline constexpr std::array<int, 27> kDataTypeBits = {0,  32,  8,  8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64,
                                                      64, 128, 16, 8, 8,  8,  8,  4,  4, 4, 8,  2,  2};

inline std::string_view data_type_name(int32_t dtype) noexcept {
  return dtype >= 0 && dtype < static_cast<int32_t>(kDataTypeNames.size()) ? kDataTypeNames[static_cast<size_t>(dtype)]
                                                                           : "undefined";
}
inline int data_type_bits(int32_t dtype) noexcept {
  return dtype >= 0 && dtype < static_cast<int32_t>(kDataTypeBits.size()) ? kDataTypeBits[static_cast<size_t>(dtype)] : 0;
}
// 0 for an unknown name.
inline int32_t parse_data_type(std::string_view name) noexcept {
  for (size_t i = 1; i < kDataTypeNames.size(); ++i) {
    if (kDataTypeNames[i] == name) return static_cast<int32_t>(i);
  }
  return 0;
}

// Bytes of a dense tensor (STRING: of its axle_text_t elements). Throws OUT_OF_RANGE on overflow or a negative size.
inline uint64_t dense_size_bytes(int32_t dtype, std::span<const int64_t> shape) {
  uint64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0) throw out_of_range("a tensor has a negative dimension");
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(size), &count)) throw out_of_range("a tensor's size overflows");
  }
  const uint64_t bits = dtype == 8 ? sizeof(axle_text_t) * 8 : static_cast<uint64_t>(data_type_bits(dtype));
  uint64_t total = 0;
  if (__builtin_mul_overflow(count, bits, &total) || total > std::numeric_limits<int64_t>::max()) {
    throw out_of_range("a tensor's size overflows");
  }
  return (total + 7) / 8;
}

inline std::span<const int64_t> shape_of(const axle_tensor_t& tensor) noexcept {
  return {tensor.shape, tensor.rank < 0 ? 0 : static_cast<size_t>(tensor.rank)};
}

// One axis: a size, a symbol, or neither (unknown).
struct Dim {
  int64_t size = -1;
  std::string symbol;
};

enum class OutputMode { kCaller, kEngine, kEither };  // who provides an output's memory

struct IoSpec {
  std::string name;
  int32_t dtype = 0;
  bool rank_known = true;
  std::vector<Dim> shape;
  bool optional = false;                      // inputs: may stay unbound
  OutputMode mode = OutputMode::kEither;      // outputs
  bool exact = false;                         // outputs: a run whose result has another shape than the bound tensor fails
};

// Throws INVALID_ARGUMENT (dtype, rank, static size), OUT_OF_RANGE with required_bytes (too little memory). Allocates
// nothing when the tensor fits.
inline void check_tensor(const IoSpec& spec, const axle_tensor_t& tensor) {
  const auto where = [&] { return "tensor '" + spec.name + "'"; };
  if (tensor.struct_size < sizeof(axle_tensor_t)) throw invalid_argument(where() + ": struct_size is too small");
  if (tensor.dtype != spec.dtype) {
    throw invalid_argument(where() + " has dtype " + std::string(data_type_name(tensor.dtype)) + ", the model wants " +
                           std::string(data_type_name(spec.dtype)));
  }
  if (tensor.rank < 0 || (tensor.rank > 0 && tensor.shape == nullptr)) throw invalid_argument(where() + " has no shape");
  if (spec.rank_known && static_cast<size_t>(tensor.rank) != spec.shape.size()) {
    throw invalid_argument(where() + " has rank " + std::to_string(tensor.rank) + ", the model wants " +
                           std::to_string(spec.shape.size()));
  }
  for (size_t axis = 0; spec.rank_known && axis < spec.shape.size(); ++axis) {
    const int64_t wanted = spec.shape[axis].size;
    if (wanted >= 0 && tensor.shape[axis] != wanted) {
      throw invalid_argument(where() + ": axis " + std::to_string(axis) + " is " + std::to_string(tensor.shape[axis]) +
                             ", the model wants " + std::to_string(wanted));
    }
  }
  const uint64_t needed = dense_size_bytes(tensor.dtype, shape_of(tensor));
  if (tensor.size_bytes < needed) {
    throw out_of_range(where() + " holds " + std::to_string(tensor.size_bytes) + " bytes, its shape needs " +
                       std::to_string(needed))
        .required_bytes(needed);
  }
  if (needed > 0 && tensor.data == nullptr) throw invalid_argument(where() + " has no data");
}

}  // namespace axle::kit
