#include "tensor/error_metrics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "base/testing/status_matchers.h"
#include "tensor/convert.h"

namespace axle {
namespace {

using testing::StatusIs;

template <typename T>
Tensor tensor_of(DataType dtype, Shape shape, const std::vector<T>& values) {
  Tensor tensor = Tensor::allocate(dtype, std::move(shape)).value();
  if (!values.empty()) std::memcpy(tensor.mutable_data(), values.data(), values.size() * sizeof(T));
  return tensor;
}

Tensor floats(const std::vector<float>& values) {
  return tensor_of(DataType::kFloat32, {static_cast<int64_t>(values.size())}, values);
}

OutputError compare(const Tensor& got, const Tensor& reference) { return compare_outputs(got, reference).value(); }

TEST(CompareOutputs, EqualFloatsHaveNoError) {
  const OutputError error = compare(floats({1, -2, 0}), floats({1, -2, 0}));
  EXPECT_EQ(error.max_relative, 0);
  EXPECT_EQ(error.relative_l2, 0);
  EXPECT_NEAR(error.cosine, 1, 1e-15);
  EXPECT_EQ(error.top1_agreement, 1);
  EXPECT_TRUE(error.comparable);
}

TEST(CompareOutputs, MeasuresAgainstTheLargestReference) {
  const OutputError error = compare(floats({3, 4.5f}), floats({3, 4}));
  EXPECT_DOUBLE_EQ(error.max_relative, 0.5 / 4);
  EXPECT_DOUBLE_EQ(error.relative_l2, 0.5 / 5);
  EXPECT_NEAR(error.cosine, (9 + 18) / (5 * std::sqrt(9 + 20.25)), 1e-12);
}

TEST(CompareOutputs, ZeroReferenceIsInfinitelyFarFromAnythingElse) {
  EXPECT_EQ(compare(floats({0, 0}), floats({0, 0})).cosine, 1);
  const OutputError error = compare(floats({0, 1e-30f}), floats({0, 0}));
  EXPECT_TRUE(std::isinf(error.max_relative));
  EXPECT_EQ(error.cosine, 0);
}

TEST(CompareOutputs, NanAndInfinityMustStandAtTheSamePlaces) {
  const OutputError same = compare(floats({NAN, 1, -INFINITY}), floats({NAN, 1, -INFINITY}));
  EXPECT_EQ(same.max_relative, 0);
  for (const std::vector<float>& got : {std::vector<float>{1, NAN}, {NAN, NAN}, {INFINITY, 1}, {1, 1}}) {
    const OutputError error = compare(floats(got), floats({NAN, 1}));
    EXPECT_TRUE(std::isinf(error.max_relative));
    EXPECT_NE(error.reason.find("NaN or infinity differs"), std::string::npos);
  }
  EXPECT_TRUE(std::isinf(compare(floats({INFINITY}), floats({-INFINITY})).max_relative));
}

TEST(CompareOutputs, Top1IsByRowsOfTheLastAxis) {
  const Tensor reference = tensor_of<float>(DataType::kFloat32, {2, 3}, {1, 5, 2, 7, 0, 1});
  const Tensor got = tensor_of<float>(DataType::kFloat32, {2, 3}, {1, 4, 2, 3, 0, 4});
  EXPECT_EQ(compare(got, reference).top1_agreement, 0.5);
}

TEST(CompareOutputs, OtherFloatingTypesOfTheSameShapeAreComparable) {
  const Tensor reference = floats({1.0f, 3.14159f});
  const Tensor got = convert_floating(reference, DataType::kBfloat16).value();
  const OutputError error = compare(got, reference);
  EXPECT_TRUE(error.comparable);
  EXPECT_GT(error.max_relative, 0);
  EXPECT_LT(error.max_relative, 4e-3);
}

TEST(CompareOutputs, IntegersAreExact) {
  const Tensor reference = tensor_of<int64_t>(DataType::kInt64, {3}, {1, INT64_MAX, 3});
  EXPECT_EQ(compare(reference, reference).max_relative, 0);
  const OutputError error = compare(tensor_of<int64_t>(DataType::kInt64, {3}, {1, INT64_MAX - 1, 3}), reference);
  EXPECT_EQ(error.mismatches, 1);
  EXPECT_TRUE(std::isinf(error.max_relative));
  EXPECT_EQ(error.top1_agreement, 1) << "the largest stands at the same place";
}

TEST(CompareOutputs, PackedPaddingDoesNotCount) {
  const Tensor a = tensor_of<uint8_t>(DataType::kInt4, {3}, {0x21, 0x03});
  const Tensor b = tensor_of<uint8_t>(DataType::kInt4, {3}, {0x21, 0xF3});
  EXPECT_EQ(compare(a, b).mismatches, 0);
}

TEST(CompareOutputs, StringsAndComplexNumbers) {
  const Tensor a = Tensor::from_strings({2}, {"x", "y"}).value();
  const Tensor b = Tensor::from_strings({2}, {"x", "z"}).value();
  EXPECT_EQ(compare(a, b).mismatches, 1);
  EXPECT_EQ(compare(a, a).max_relative, 0);
  const Tensor c = tensor_of<float>(DataType::kComplex64, {2}, {1, 2, 3, 4});
  const Tensor d = tensor_of<float>(DataType::kComplex64, {2}, {1, 2, 3, 4.4f});
  EXPECT_NEAR(compare(d, c).max_relative, 0.1, 1e-6);
}

TEST(CompareOutputs, DifferentShapesAndTypesAreNotComparable) {
  const OutputError shape = compare(floats({1}), floats({1, 2}));
  EXPECT_FALSE(shape.comparable);
  EXPECT_NE(shape.reason.find("[1]"), std::string::npos);
  EXPECT_FALSE(compare(tensor_of<int32_t>(DataType::kInt32, {1}, {1}), floats({1})).comparable);
  EXPECT_THAT(compare_outputs(Tensor(), floats({1})), StatusIs(StatusCode::kInvalidArgument));
}

TEST(CompareOutputs, SumsBeyondTheRangeOfDoubleAreTheWorstNotNothing) {
  const Tensor reference = tensor_of<double>(DataType::kFloat64, {2}, {1e200, 1});
  const OutputError error = compare(tensor_of<double>(DataType::kFloat64, {2}, {2e200, 1}), reference);
  EXPECT_EQ(error.max_relative, 1);
  EXPECT_TRUE(std::isinf(error.relative_l2));
  EXPECT_EQ(error.cosine, -1);
}

TEST(CompareOutputs, EmptyOutputsAreEqual) { EXPECT_EQ(compare(floats({}), floats({})).max_relative, 0); }

TEST(CompareOutputs, BlocksJoinWithoutASeam) {
  std::vector<float> values(5000, 1.0f);
  const Tensor reference = floats(values);
  values[1024] = 1.5f;
  values[4999] = 0.75f;
  const OutputError error = compare(floats(values), reference);
  EXPECT_EQ(error.max_relative, 0.5);
  EXPECT_NEAR(error.relative_l2, std::sqrt(0.25 + 0.0625) / std::sqrt(5000.0), 1e-12);
}

TEST(WorstOf, TakesTheWorstOfEach) {
  OutputError a, b;
  a.max_relative = 0.1;
  a.cosine = 0.5;
  b.relative_l2 = 0.2;
  b.mismatches = 3;
  const OutputError both[] = {a, b};
  const OutputError worst = worst_of(both);
  EXPECT_EQ(worst.max_relative, 0.1);
  EXPECT_EQ(worst.relative_l2, 0.2);
  EXPECT_EQ(worst.cosine, 0.5);
  EXPECT_EQ(worst.mismatches, 3);
  EXPECT_EQ(worst_of({}).cosine, 1);
}

}  // namespace
}  // namespace axle
