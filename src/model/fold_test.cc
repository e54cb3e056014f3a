#include "model/fold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "model/text.h"

namespace axle {
namespace {

struct Case {
  const char* name;
  const char* nodes;  // computes v from constants a = {2, 3, 4}, b = {5}, m = [[1, 2, 3], [4, 5, 6]], x of shape [2, n, 7]
  Shape shape;
  std::vector<int64_t> values;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class FoldTest : public ::testing::TestWithParam<Case> {};

Result<FoldedTensor> fold_v(const std::string& nodes) {
  AXLE_ASSIGN_OR_RETURN(
      const auto graph,
      parse_graph_text(
          "g (float[2, n, 7] x) => (int64[k] v) <int64[3] a = {2, 3, 4}, int64[1] b = {5}, int64 zero = {0}, int64 two = {2}, "
          "int64[1] last = {-1}, int64[2] pair = {3, 2}, int64[2,3] m = {1, 2, 3, 4, 5, 6}> { " +
          nodes + " }"));
  FoldedValues folded;
  fold_integers(*graph, folded);
  const auto found = folded.find(graph->outputs[0]);
  if (found == folded.end()) return not_found_error("v is not folded");
  return found->second;
}

TEST_P(FoldTest, Evaluates) {
  AXLE_ASSERT_OK_AND_ASSIGN(const FoldedTensor v, fold_v(GetParam().nodes));
  EXPECT_EQ(v.shape, GetParam().shape);
  EXPECT_EQ(v.values, GetParam().values);
}

INSTANTIATE_TEST_SUITE_P(
    Operators, FoldTest,
    ::testing::Values(
        Case{"concat", "v = Concat <axis = 0> (a, b)", {4}, {2, 3, 4, 5}}, Case{"add_scalar", "v = Add(a, b)", {3}, {7, 8, 9}},
        Case{"subtract", "v = Sub(b, a)", {3}, {3, 2, 1}}, Case{"divide", "v = Div(a, two)", {3}, {1, 1, 2}},
        Case{"transpose", "v = Transpose <perm = [1, 0]> (m)", {3, 2}, {1, 4, 2, 5, 3, 6}},
        Case{"reverse",
             "v = Slice(a, last, low, zeros, last)  low = Neg(big)  big = Mul(b, b)  zeros = Reshape(zero, one)  one = Sub(b, "
             "four)  four = Sub(b, one_)  one_ = Div(b, b)",
             {3},
             {4, 3, 2}},
        Case{"slice_rows", "v = Slice(m, s, e)  s = Reshape(zero, sh)  sh = Div(b, b)  e = Div(b, b)", {1, 3}, {1, 2, 3}},
        Case{"gather_row", "v = Gather(m, i)  i = Div(two, two)", {3}, {4, 5, 6}},
        Case{"gather_negative", "v = Gather(a, last)", {1}, {4}},
        Case{"reshape", "v = Reshape(m, pair)", {3, 2}, {1, 2, 3, 4, 5, 6}},
        Case{"unsqueeze", "v = Unsqueeze(a, last)", {3, 1}, {2, 3, 4}}, Case{"squeeze", "v = Squeeze(b)", {}, {5}},
        Case{"product", "v = ReduceProd <keepdims = 0> (a)", {}, {24}},
        Case{"range", "v = Range(zero, five, two)  five = Squeeze(b)", {3}, {0, 2, 4}},
        Case{"part_of_a_shape", "v = Shape <start = 2> (x)", {1}, {7}}, Case{"cast", "v = Cast <to = 6> (a)", {3}, {2, 3, 4}}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Fold, LeavesWhatItCannotKnow) {
  for (const char* nodes :
       {"v = Shape(x)", "v = Div(a, zero)", "v = Gather(a, b)", "v = Range(zero, two, zero)", "v = ReduceSum(a)",
        "v = ConstantOfShape(big)  big = Mul(big_, big_)  big_ = Mul(a, a)", "v = Concat <axis = 0> (a, y)  y = Shape(x)"}) {
    EXPECT_FALSE(fold_v(nodes).ok()) << nodes;
  }
}

}  // namespace
}  // namespace axle
