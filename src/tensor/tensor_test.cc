#include "axle/tensor.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

#include "base/testing/status_matchers.h"

#ifdef AXLE_SANITIZED
// Memory that cannot be had is an error here as in any other build, not the end of the program.
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" [[gnu::visibility("default")]] const char* __asan_default_options() { return "allocator_may_return_null=1"; }
// NOLINTNEXTLINE(bugprone-reserved-identifier)
extern "C" [[gnu::visibility("default")]] const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
#endif

namespace axle {
namespace {

using testing::IsOk;
using testing::IsOkAndHolds;
using testing::StatusIs;

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();

TEST(DataType, NamesRoundTrip) {
  for (int i = 1; i < kDataTypeCount; ++i) {
    const auto type = static_cast<DataType>(i);
    EXPECT_EQ(parse_data_type(data_type_name(type)), type);
  }
  EXPECT_EQ(parse_data_type("float32"), DataType::kFloat32);
  EXPECT_EQ(parse_data_type("float8_e5m2"), DataType::kFloat8E5M2);
  EXPECT_EQ(parse_data_type("undefined"), std::nullopt);
  EXPECT_EQ(parse_data_type("f33"), std::nullopt);
  EXPECT_EQ(data_type_name(static_cast<DataType>(200)), "undefined");
}

TEST(Shape, CountsElements) {
  EXPECT_THAT(element_count(Shape{}), IsOkAndHolds(1));
  EXPECT_THAT(element_count(Shape{2, 3}), IsOkAndHolds(6));
  EXPECT_THAT(element_count(Shape{2, 0, 3}), IsOkAndHolds(0));
  EXPECT_THAT(element_count(Shape{2, -1}), StatusIs(StatusCode::kOutOfRange, "[2, -1]"));
  EXPECT_THAT(element_count(Shape{kHuge, 2}), StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(element_count(Shape{kHuge, 0, 2}), StatusIs(StatusCode::kOutOfRange));
}

TEST(Shape, KnowsDenseSizes) {
  EXPECT_THAT(dense_size_bytes(DataType::kFloat32, Shape{2, 3}), IsOkAndHolds(24u));
  EXPECT_THAT(dense_size_bytes(DataType::kInt4, Shape{3}), IsOkAndHolds(2u));
  EXPECT_THAT(dense_size_bytes(DataType::kUint2, Shape{5}), IsOkAndHolds(2u));
  EXPECT_THAT(dense_size_bytes(DataType::kInt4, Shape{kHuge}), IsOk());
  EXPECT_THAT(dense_size_bytes(DataType::kFloat64, Shape{kHuge}), StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(dense_size_bytes(DataType::kString, Shape{1}), StatusIs(StatusCode::kInvalidArgument));
}

TEST(Shape, PrintsSymbols) {
  EXPECT_EQ(format_shape(Shape{}), "[]");
  EXPECT_EQ(format_shape(SymbolicShape{{-1, "batch"}, {3, ""}, {-1, ""}}), "[batch, 3, ?]");
}

TEST(Tensor, AllocatesAlignedZeros) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::allocate(DataType::kFloat32, {2, 3}));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data()) % 64, 0u);
  for (const float value : tensor.as<float>()) EXPECT_EQ(value, 0.0f);
  EXPECT_EQ(tensor.size_bytes(), 24u);
  EXPECT_TRUE(tensor.defined());
}

TEST(Tensor, RefusesWhatCannotBe) {
  EXPECT_THAT(Tensor::allocate(DataType::kUndefined, {1}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(Tensor::allocate(DataType::kUint8, {kHuge}), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(Tensor::allocate(DataType::kFloat64, {kHuge}), StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(Tensor::allocate(DataType::kString, {kHuge}), StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(Tensor::allocate(DataType::kUint8, {1}, 48), StatusIs(StatusCode::kInvalidArgument, "power of two"));
}

TEST(Tensor, ScalarsAndEmptyTensorsWork) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor scalar, Tensor::allocate(DataType::kInt64, {}));
  EXPECT_EQ(scalar.element_count(), 1);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor empty, Tensor::allocate(DataType::kFloat32, {0, 4}));
  EXPECT_EQ(empty.element_count(), 0);
  EXPECT_TRUE(empty.bytes().empty());
  EXPECT_THAT(Tensor::borrow(DataType::kFloat32, {0}, nullptr, 0), IsOk());
}

TEST(Tensor, BorrowKeepsTheOwnerAlive) {
  auto owner = std::make_shared<std::vector<float>>(6, 1.5f);
  const std::weak_ptr<std::vector<float>> watch = owner;
  float* data = owner->data();
  {
    AXLE_ASSERT_OK_AND_ASSIGN(Tensor tensor, Tensor::borrow(DataType::kFloat32, {2, 3}, data, 24, std::move(owner)));
    const Tensor copy = tensor;
    tensor.mutable_as<float>()[0] = 2.0f;
    EXPECT_EQ(copy.as<float>()[0], 2.0f) << "copies share the bytes";
    EXPECT_FALSE(watch.expired());
  }
  EXPECT_TRUE(watch.expired());
}

TEST(Tensor, BorrowChecksSizeAlignmentAndNull) {
  alignas(8) std::byte bytes[32];
  EXPECT_THAT(Tensor::borrow(DataType::kFloat32, {8}, bytes, 31), StatusIs(StatusCode::kInvalidArgument, "31 bytes"));
  EXPECT_THAT(Tensor::borrow(DataType::kFloat32, {2}, bytes + 1, 31), StatusIs(StatusCode::kInvalidArgument, "aligned"));
  EXPECT_THAT(Tensor::borrow(DataType::kFloat32, {1}, nullptr, 4), StatusIs(StatusCode::kInvalidArgument, "no data"));
  EXPECT_THAT(Tensor::borrow(DataType::kUint8, {31}, bytes + 1, 31), IsOk());
}

TEST(Tensor, ConstBorrowCannotBeWritten) {
  const float values[2] = {1, 2};
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor tensor, Tensor::borrow_const(DataType::kFloat32, {2}, values, sizeof values));
  EXPECT_TRUE(tensor.read_only());
  EXPECT_EQ(tensor.mutable_data(), nullptr);
  EXPECT_EQ(tensor.as<float>()[1], 2.0f);
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor copy, tensor.clone());
  EXPECT_NE(copy.mutable_data(), nullptr);
  EXPECT_EQ(copy.as<float>()[1], 2.0f);
}

TEST(Tensor, HoldsStrings) {
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor tensor, Tensor::from_strings({2}, {"a", "b"}));
  EXPECT_EQ(tensor.size_bytes(), 0u);
  tensor.mutable_strings()[0] = "c";
  EXPECT_EQ(tensor.strings()[0], "c");
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor copy, tensor.clone());
  tensor.mutable_strings()[0] = "d";
  EXPECT_EQ(copy.strings()[0], "c");
  EXPECT_THAT(Tensor::from_strings({3}, {"a"}), StatusIs(StatusCode::kInvalidArgument));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor empty, Tensor::allocate(DataType::kString, {2, 2}));
  EXPECT_EQ(empty.strings().size(), 4u);
}

TEST(Tensor, ReshapesWithoutCopying) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, Tensor::allocate(DataType::kInt32, {2, 3}));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor flat, tensor.reshaped({6}));
  EXPECT_EQ(flat.data(), tensor.data());
  EXPECT_THAT(tensor.reshaped({5}), StatusIs(StatusCode::kInvalidArgument, "6 elements are not 5"));
  EXPECT_THAT(Tensor().reshaped({}), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace axle
