#include "bank_kernels.h"

namespace axle::pim {
namespace {

template <typename A, typename B>
void integer_rows(const BankMemory& bank, int64_t rows, const IntegerVector& vector, std::span<const int32_t> b_zeros,
                  int32_t* results) {
  const auto* a = static_cast<const A*>(vector.values);
  for (int64_t r = 0; r < rows; ++r) {
    const auto* b = reinterpret_cast<const B*>(bank.row(r));
    const int32_t b_zero = b_zeros[b_zeros.size() == 1 ? 0 : static_cast<size_t>(r)];
    uint32_t sum = 0;  // wraps, as ONNX's 32-bit sums do
    for (int64_t k = 0; k < vector.length; ++k)
      sum += static_cast<uint32_t>((static_cast<int32_t>(a[k]) - vector.zero) * (static_cast<int32_t>(b[k]) - b_zero));
    results[r] = static_cast<int32_t>(sum);
  }
}

}  // namespace

void float_products(const BankMemory& bank, int64_t rows, std::span<const float> vector, float* results) {
  for (int64_t r = 0; r < rows; ++r) {
    const auto* row = reinterpret_cast<const float*>(bank.row(r));
    float sum = 0;
    for (size_t k = 0; k < vector.size(); ++k) sum += row[k] * vector[k];
    results[r] = sum;
  }
}

void integer_products(const BankMemory& bank, int64_t rows, const IntegerVector& vector, bool bank_is_signed,
                      std::span<const int32_t> b_zeros, int32_t* results) {
  if (vector.is_signed && bank_is_signed)
    integer_rows<int8_t, int8_t>(bank, rows, vector, b_zeros, results);
  else if (vector.is_signed)
    integer_rows<int8_t, uint8_t>(bank, rows, vector, b_zeros, results);
  else if (bank_is_signed)
    integer_rows<uint8_t, int8_t>(bank, rows, vector, b_zeros, results);
  else
    integer_rows<uint8_t, uint8_t>(bank, rows, vector, b_zeros, results);
}

}  // namespace axle::pim
