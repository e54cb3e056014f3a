// Elements of less than a byte: numpy has one per byte (the low bits count), axle packs them, low bits first.
#pragma once

#include <cstddef>
#include <cstdint>

namespace axle::python {

inline void pack_elements(const uint8_t* from, size_t count, int bits, uint8_t* to) {
  const size_t per_byte = 8 / static_cast<size_t>(bits);
  const auto mask = static_cast<uint8_t>((1u << bits) - 1);
  for (size_t i = 0; i < count; i += per_byte) {
    uint8_t byte = 0;
    for (size_t k = 0; k < per_byte && i + k < count; ++k) {
      byte = static_cast<uint8_t>(byte | ((from[i + k] & mask) << (k * static_cast<size_t>(bits))));
    }
    to[i / per_byte] = byte;
  }
}

// `sign` extends signed integers, as ml_dtypes keeps them.
inline void unpack_elements(const uint8_t* from, size_t count, int bits, bool sign, uint8_t* to) {
  const size_t per_byte = 8 / static_cast<size_t>(bits);
  const auto mask = static_cast<uint8_t>((1u << bits) - 1);
  const auto high = static_cast<uint8_t>(1u << (bits - 1));
  for (size_t i = 0; i < count; ++i) {
    auto element = static_cast<uint8_t>((from[i / per_byte] >> (i % per_byte * static_cast<size_t>(bits))) & mask);
    if (sign && (element & high) != 0) element = static_cast<uint8_t>(element | ~mask);
    to[i] = element;
  }
}

}  // namespace axle::python
