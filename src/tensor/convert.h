// Numbers in and out of every element type. Formats: IEEE 754 (f16, f32, f64), bfloat16, OCP 8-bit floating point (f8*),
// OCP microscaling (f4e2m1, f8e8m0); 4-bit and 2-bit elements are packed, low bits first (ONNX).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "axle/tensor.h"

namespace axle {

// Round to nearest even; overflow to infinity; NaN stays NaN.
uint16_t float_to_half(float value) noexcept;
uint16_t float_to_bfloat16(float value) noexcept;
float half_to_float(uint16_t bits) noexcept;
float bfloat16_to_float(uint16_t bits) noexcept;
// INVALID_ARGUMENT unless `type` is one of the 8-bit or 4-bit floating types.
Result<float> small_float_to_float(DataType type, uint8_t bits);

// Does read_as_doubles know the type? All but undefined, strings and complex.
bool is_real_number(DataType type) noexcept;

// Elements [first, first + out.size()) of dense `bytes`, which may be unaligned. Exact but for 64-bit integers beyond
// 2^53. INVALID_ARGUMENT for a type that is not a real number, OUT_OF_RANGE beyond the end.
Status read_as_doubles(DataType type, std::span<const std::byte> bytes, int64_t first, std::span<double> out);
inline Status read_as_doubles(const Tensor& tensor, int64_t first, std::span<double> out) {
  return read_as_doubles(tensor.dtype(), tensor.bytes(), first, out);
}
// nullopt when there is none, or it is not a real number.
std::optional<double> first_element_as_double(DataType type, std::span<const std::byte> bytes) noexcept;

// `tensor` in another element type, in owned memory: between f32, f16, bf16 and f64; the same type gives a clone.
// INVALID_ARGUMENT for any other pair.
Result<Tensor> convert_floating(const Tensor& tensor, DataType type);

// A 4-bit or 2-bit tensor as one byte per element (sign-extended for i4 and i2), and back. `bytes` must be u8 or i8.
Result<Tensor> unpack_to_bytes(const Tensor& packed);
Result<Tensor> pack_from_bytes(const Tensor& bytes, DataType type);

}  // namespace axle
