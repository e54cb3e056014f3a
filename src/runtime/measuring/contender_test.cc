// Errors of a candidate's outputs: each against the reference's output of the same name.
#include "runtime/measuring/contender.h"

#include <gtest/gtest.h>

#include "planner/gates.h"

namespace axle {
namespace {

NamedTensor output(const std::string& name, std::vector<float> values) {
  auto tensor = Tensor::allocate(DataType::kFloat32, {static_cast<int64_t>(values.size())});
  std::ranges::copy(values, tensor->mutable_as<float>().begin());
  return {name, std::move(*tensor)};
}

bool breaks_every_bound(const ErrorFigures& error) {
  AccuracyGate bounds[4];
  bounds[0].max_relative_error = bounds[1].relative_l2_max = 1e9;
  bounds[2].cosine_min = bounds[3].top1_agreement_min = 0.01;
  return std::ranges::none_of(bounds, [&](const AccuracyGate& bound) { return broken_bounds(bound, error).empty(); });
}

TEST(WorstError, PairsOutputsByName) {
  const std::vector<NamedTensor> reference = {output("a", {1, 2}), output("b", {3, 4})};
  const ErrorFigures same = worst_error({output("b", {3, 4}), output("a", {1, 2})}, reference, "r");
  EXPECT_EQ(same.max_relative, 0);
  const ErrorFigures off = worst_error({output("b", {3, 5}), output("a", {1, 2})}, reference, "r");
  EXPECT_EQ(off.max_relative, 0.25);
  EXPECT_EQ(off.worst_output, "b");
}

TEST(WorstError, GoesByPlaceWhereNamesTellNothing) {
  const ErrorFigures error =
      worst_error({output("0", {1, 2}), output("1", {3, 4})}, {output("a", {1, 2}), output("b", {3, 4})}, "r");
  EXPECT_EQ(error.max_relative, 0);
}

TEST(WorstError, WhatIsMissingOrOfAnotherSizeBreaksEveryBound) {
  const std::vector<NamedTensor> reference = {output("a", {1, 2}), output("b", {3, 4})};
  EXPECT_TRUE(breaks_every_bound(worst_error({output("a", {1, 2})}, reference, "r")));
  EXPECT_TRUE(breaks_every_bound(worst_error({}, reference, "r")));
  EXPECT_TRUE(breaks_every_bound(worst_error({output("a", {1, 2}), output("a", {3, 4})}, reference, "r")));
  EXPECT_TRUE(breaks_every_bound(worst_error({output("a", {1, 2}), output("b", {3, 4, 5})}, reference, "r")));
  EXPECT_FALSE(breaks_every_bound(worst_error(reference, reference, "r")));
}

}  // namespace
}  // namespace axle
