#include "tensor/convert.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

TEST(Half, EveryValueRoundTrips) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = half_to_float(static_cast<uint16_t>(bits));
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(half_to_float(float_to_half(value))));
    } else {
      ASSERT_EQ(float_to_half(value), bits) << value;
    }
  }
}

TEST(Half, RoundsToNearestEven) {
  EXPECT_EQ(float_to_half(1.0f), 0x3C00);
  EXPECT_EQ(float_to_half(1.0f + 0x1p-11f), 0x3C00);             // halfway: to even
  EXPECT_EQ(float_to_half(1.0f + 3 * 0x1p-11f), 0x3C02);         // halfway: to even
  EXPECT_EQ(float_to_half(1.0f + 0x1p-11f + 0x1p-20f), 0x3C01);  // above halfway
  EXPECT_EQ(float_to_half(65504.0f), 0x7BFF);
  EXPECT_EQ(float_to_half(65519.9f), 0x7BFF);
  EXPECT_EQ(float_to_half(65520.0f), 0x7C00);
  EXPECT_EQ(float_to_half(-INFINITY), 0xFC00);
  EXPECT_EQ(float_to_half(0x1p-24f), 0x0001);
  EXPECT_EQ(float_to_half(0x1p-25f), 0x0000);            // halfway: to even
  EXPECT_EQ(float_to_half(1.5f * 0x1p-25f), 0x0001);
  EXPECT_EQ(float_to_half(-0.0f), 0x8000);
}

TEST(Half, AgreesWithTheCompilersOwnConversion) {
#ifdef __FLT16_MANT_DIG__
  for (uint32_t i = 0; i < 2'000'000; ++i) {
    const auto value = std::bit_cast<float>(i * 2147u);
    if (std::isnan(value)) continue;
    ASSERT_EQ(float_to_half(value), std::bit_cast<uint16_t>(static_cast<_Float16>(value))) << value;
  }
#else
  GTEST_SKIP() << "this compiler has no 16-bit floating type";
#endif
}

TEST(Bfloat16, RoundsToNearestEven) {
  EXPECT_EQ(float_to_bfloat16(1.0f), 0x3F80);
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3F808000u)), 0x3F80);
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3F818000u)), 0x3F82);
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x3F808001u)), 0x3F81);
  EXPECT_EQ(float_to_bfloat16(std::bit_cast<float>(0x7F7FFFFFu)), 0x7F80);
  EXPECT_TRUE(std::isnan(bfloat16_to_float(float_to_bfloat16(std::bit_cast<float>(0x7F800001u)))));
}

// OCP 8-bit floating point specification, table 2; the fnuz and f4 values follow from the same reading.
TEST(SmallFloat, KnownValues) {
  const auto value = [](DataType type, uint8_t bits) { return small_float_to_float(type, bits).value(); };
  EXPECT_EQ(value(DataType::kFloat8E4M3FN, 0x7E), 448.0f);
  EXPECT_EQ(value(DataType::kFloat8E4M3FN, 0x01), 0x1p-9f);
  EXPECT_EQ(value(DataType::kFloat8E4M3FN, 0xB8), -1.0f);
  EXPECT_TRUE(std::isnan(value(DataType::kFloat8E4M3FN, 0x7F)));
  EXPECT_EQ(value(DataType::kFloat8E5M2, 0x7B), 57344.0f);
  EXPECT_EQ(value(DataType::kFloat8E5M2, 0x7C), INFINITY);
  EXPECT_TRUE(std::isnan(value(DataType::kFloat8E5M2, 0x7D)));
  EXPECT_EQ(value(DataType::kFloat8E4M3FNUZ, 0x7F), 240.0f);
  EXPECT_TRUE(std::isnan(value(DataType::kFloat8E4M3FNUZ, 0x80)));
  EXPECT_EQ(value(DataType::kFloat8E5M2FNUZ, 0x7F), 57344.0f);
  EXPECT_EQ(value(DataType::kFloat4E2M1, 0x7), 6.0f);
  EXPECT_EQ(value(DataType::kFloat4E2M1, 0x9), -0.5f);
  EXPECT_EQ(value(DataType::kFloat8E8M0, 127), 1.0f);
  EXPECT_TRUE(std::isnan(value(DataType::kFloat8E8M0, 255)));
  EXPECT_THAT(small_float_to_float(DataType::kInt8, 0), StatusIs(StatusCode::kInvalidArgument));
}

TEST(ReadAsDoubles, ReadsEveryRealType) {
  for (int i = 1; i < kDataTypeCount; ++i) {
    const auto type = static_cast<DataType>(i);
    std::byte bytes[16] = {};
    double value = -1;
    const Status status = read_as_doubles(type, bytes, 0, std::span(&value, 1));
    if (!is_real_number(type)) {
      EXPECT_THAT(status, StatusIs(StatusCode::kInvalidArgument)) << data_type_name(type);
      continue;
    }
    EXPECT_THAT(status, IsOk()) << data_type_name(type);
    EXPECT_EQ(value, type == DataType::kFloat8E8M0 ? 0x1p-127 : 0.0) << data_type_name(type);
  }
}

TEST(ReadAsDoubles, UnpacksLowBitsFirst) {
  const std::byte bytes[2] = {std::byte{0x8F}, std::byte{0x07}};
  double values[3];
  ASSERT_THAT(read_as_doubles(DataType::kInt4, bytes, 0, values), IsOk());
  EXPECT_EQ(values[0], -1);
  EXPECT_EQ(values[1], -8);
  EXPECT_EQ(values[2], 7);
  ASSERT_THAT(read_as_doubles(DataType::kUint4, bytes, 1, std::span(values, 2)), IsOk());
  EXPECT_EQ(values[0], 8);
  const std::byte two_bit[1] = {std::byte{0b11'10'01'00}};
  ASSERT_THAT(read_as_doubles(DataType::kInt2, two_bit, 1, values), IsOk());
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(values[1], -2);
  EXPECT_EQ(values[2], -1);
}

TEST(ReadAsDoubles, ReadsUnalignedBytesAndChecksTheEnd) {
  std::byte bytes[9] = {};
  const float one = 1.0f;
  std::memcpy(bytes + 1, &one, 4);
  double value = 0;
  ASSERT_THAT(read_as_doubles(DataType::kFloat32, std::span(bytes).subspan(1), 0, std::span(&value, 1)), IsOk());
  EXPECT_EQ(value, 1.0);
  EXPECT_THAT(read_as_doubles(DataType::kFloat32, bytes, 2, std::span(&value, 1)), StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(read_as_doubles(DataType::kFloat32, bytes, -1, std::span(&value, 1)), StatusIs(StatusCode::kOutOfRange));
}

TEST(FirstElement, IsAbsentWhenThereIsNone) {
  const int32_t number = 7;
  EXPECT_EQ(first_element_as_double(DataType::kInt32, std::as_bytes(std::span(&number, 1))), 7.0);
  EXPECT_EQ(first_element_as_double(DataType::kInt64, std::as_bytes(std::span(&number, 1))), std::nullopt);
  EXPECT_EQ(first_element_as_double(DataType::kString, {}), std::nullopt);
}

TEST(ConvertFloating, GoesThroughAllFour) {
  float values[3] = {1.0f, -2.5f, 0.333251953125f};  // exact in f16
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::borrow(DataType::kFloat32, {3}, values, sizeof values));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor half, convert_floating(tensor, DataType::kFloat16));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor wide, convert_floating(half, DataType::kFloat64));
  EXPECT_EQ(wide.as<double>()[2], 0.333251953125);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor brain, convert_floating(tensor, DataType::kBfloat16));
  EXPECT_EQ(bfloat16_to_float(brain.as<uint16_t>()[1]), -2.5f);
  EXPECT_THAT(convert_floating(tensor, DataType::kInt32), StatusIs(StatusCode::kInvalidArgument, "i32"));
}

TEST(Packing, RoundTrips) {
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor bytes, Tensor::allocate(DataType::kInt8, {5}));
  const int8_t values[5] = {-8, 7, 0, -1, 3};
  std::memcpy(bytes.mutable_data(), values, 5);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor packed, pack_from_bytes(bytes, DataType::kInt4));
  EXPECT_EQ(packed.size_bytes(), 3u);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor unpacked, unpack_to_bytes(packed));
  EXPECT_EQ(unpacked.dtype(), DataType::kInt8);
  EXPECT_EQ(std::memcmp(unpacked.data(), values, 5), 0);
  EXPECT_THAT(unpack_to_bytes(bytes), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(pack_from_bytes(packed, DataType::kInt4), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace axle
