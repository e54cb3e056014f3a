// Products computed bank by bank are those of the whole matrix, whatever the number of banks.
#include "bank_kernels.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

#include "pim_program.h"

namespace axle::pim {
namespace {

struct Cut2 {
  Layout layout;
  std::vector<std::byte> image;
};

template <typename T>
Cut2 cut(const std::vector<T>& tensor, int64_t rows, int64_t length, bool transposed, int64_t banks) {
  Geometry geometry;
  geometry.banks = banks;
  const Matrix weight{rows, length, sizeof(T)};
  const Cut made = cut_rows(geometry, rows, weight.row_bytes(), banks, 0);
  EXPECT_TRUE(made.fits()) << made.refusal;
  return {made.layout, lay_out(made.layout, weight, transposed, reinterpret_cast<const std::byte*>(tensor.data()))};
}

BankMemory memory_of(const Cut2& cut, int64_t bank) {
  return {std::span<const std::byte>(cut.image).subspan(static_cast<size_t>(bank) * cut.layout.bank_bytes(),
                                                        cut.layout.bank_bytes()),
          cut.layout.padded_row_bytes()};
}

std::vector<float> float_results(const Cut2& cut, const std::vector<float>& vector) {
  std::vector<float> results(static_cast<size_t>(cut.layout.rows), -1);
  for (int64_t bank = 0; bank < cut.layout.banks; ++bank)
    float_products(memory_of(cut, bank), cut.layout.row_count(bank), vector, results.data() + cut.layout.first_row(bank));
  return results;
}

TEST(FloatProducts, DoNotDependOnTheNumberOfBanks) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 60; ++i) {
    const int64_t rows = 1 + random() % 200, length = 1 + random() % 150;
    std::vector<float> weight(static_cast<size_t>(rows * length)), vector(static_cast<size_t>(length));
    for (float& value : weight) value = normal(random);
    for (float& value : vector) value = normal(random);
    const bool transposed = i % 2 == 0;
    const auto at = [&](int64_t r, int64_t k) {
      return weight[static_cast<size_t>(transposed ? k * rows + r : r * length + k)];
    };
    const std::vector<float> whole = float_results(cut(weight, rows, length, transposed, 1), vector);
    for (const int64_t banks : {2, 7, 64, 2556})
      ASSERT_EQ(float_results(cut(weight, rows, length, transposed, banks), vector), whole) << rows << 'x' << length;
    for (int64_t r = 0; r < rows; ++r) {
      double sum = 0, size = 1e-30;
      for (int64_t k = 0; k < length; ++k) {
        sum += static_cast<double>(at(r, k)) * vector[static_cast<size_t>(k)];
        size += std::abs(static_cast<double>(at(r, k)) * vector[static_cast<size_t>(k)]);
      }
      ASSERT_NEAR(whole[static_cast<size_t>(r)], sum, 2e-5 * size) << "row " << r << " of " << rows << 'x' << length;
    }
  }
}

template <typename A, typename B>
void expect_exact(uint32_t seed) {
  std::mt19937 random(seed);
  for (int i = 0; i < 40; ++i) {
    const int64_t rows = 1 + random() % 120, length = 1 + random() % 300;
    std::vector<B> weight(static_cast<size_t>(rows * length));
    std::vector<A> vector(static_cast<size_t>(length));
    for (B& value : weight) value = static_cast<B>(random());
    for (A& value : vector) value = static_cast<A>(random());
    const auto a_zero = static_cast<int32_t>(static_cast<A>(random()));
    std::vector<int32_t> b_zeros(i % 3 == 0 ? static_cast<size_t>(rows) : 1);
    for (int32_t& zero : b_zeros) zero = static_cast<int32_t>(static_cast<B>(random()));
    const Cut2 held = cut(weight, rows, length, i % 2 == 0, 1 + random() % 50);
    std::vector<int32_t> results(static_cast<size_t>(rows));
    for (int64_t bank = 0; bank < held.layout.banks; ++bank) {
      const auto first = static_cast<size_t>(held.layout.first_row(bank));
      std::span<const int32_t> zeros(b_zeros);
      if (zeros.size() > 1) zeros = zeros.subspan(first);
      integer_products(memory_of(held, bank), held.layout.row_count(bank), {vector.data(), length, std::is_signed_v<A>, a_zero},
                       std::is_signed_v<B>, zeros, results.data() + first);
    }
    for (int64_t r = 0; r < rows; ++r) {
      int64_t sum = 0;
      for (int64_t k = 0; k < length; ++k) {
        const B b = weight[static_cast<size_t>(i % 2 == 0 ? k * rows + r : r * length + k)];
        sum += (int64_t{vector[static_cast<size_t>(k)]} - a_zero) *
               (int64_t{b} - b_zeros[b_zeros.size() == 1 ? 0 : static_cast<size_t>(r)]);
      }
      ASSERT_EQ(results[static_cast<size_t>(r)], sum);
    }
  }
}

TEST(IntegerProducts, AreExact) {
  expect_exact<int8_t, int8_t>(1);
  expect_exact<int8_t, uint8_t>(2);
  expect_exact<uint8_t, int8_t>(3);
  expect_exact<uint8_t, uint8_t>(4);
}

TEST(LayOut, PadsRowsAndTheLastBankWithZeros) {
  const std::vector<uint8_t> tensor = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  const Cut2 held = cut(tensor, 3, 3, false, 2);
  ASSERT_EQ(held.layout, (Layout{3, 3, 2, 2}));
  const std::vector<uint8_t> wanted = {1, 2, 3, 0, 0, 0, 0, 0, 4, 5, 6, 0, 0, 0, 0, 0,
                                       7, 8, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  ASSERT_EQ(held.image.size(), wanted.size());
  EXPECT_EQ(std::memcmp(held.image.data(), wanted.data(), wanted.size()), 0);
}

}  // namespace
}  // namespace axle::pim
