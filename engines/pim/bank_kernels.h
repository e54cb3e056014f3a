// What the processor of one bank computes: it sees its own memory and what was sent to it, nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "bank_model.h"

namespace axle::pim {

// The memory of one bank that holds a part of a weight.
struct BankMemory {
  std::span<const std::byte> bytes;
  uint64_t row_bytes = 0;  // padded
  const std::byte* row(int64_t index) const { return bytes.data() + static_cast<uint64_t>(index) * row_bytes; }
};

// One result for each row: sums in f32, in the order of the vector, so that results do not depend on how rows are cut.
void float_products(const BankMemory& bank, int64_t rows, std::span<const float> vector, float* results);

// Sums of (a - a_zero) * (b - b_zero) modulo 2^32. `b_zeros` holds one number, or one for each row.
struct IntegerVector {
  const void* values = nullptr;
  int64_t length = 0;
  bool is_signed = false;
  int32_t zero = 0;
};
void integer_products(const BankMemory& bank, int64_t rows, const IntegerVector& vector, bool bank_is_signed,
                      std::span<const int32_t> b_zeros, int32_t* results);

}  // namespace axle::pim
