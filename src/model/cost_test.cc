#include "model/cost.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "model/text.h"

namespace axle {
namespace {

// A graph of one node, already analysed.
struct Case {
  const char* name;
  const char* text;
  uint64_t flops;
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class NodeCost : public ::testing::TestWithParam<Case> {};

TEST_P(NodeCost, FollowsTheOperatorsDefinition) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(GetParam().text));
  ASSERT_EQ(graph->nodes.size(), 1u);
  EXPECT_EQ(graph->nodes[0].flops, GetParam().flops);
  EXPECT_TRUE(graph->nodes[0].cost_exact);
}

INSTANTIATE_TEST_SUITE_P(
    Operators, NodeCost,
    ::testing::Values(
        Case{"matmul", "g (float[2,3,5] a, float[5,7] b) => (float[2,3,7] y) { y = MatMul(a, b) }", 2 * 42 * 5},
        Case{"gemm", "g (float[5,3] a, float[5,7] b, float[7] c) => (float[3,7] y) { y = Gemm <transA = 1> (a, b, c) }",
             2 * 21 * 5 + 21},
        Case{"conv", "g (float[1,4,8,8] x, float[6,2,3,3] w) => (float[1,6,6,6] y) { y = Conv <group = 2> (x, w) }",
             2 * 216 * 18},
        Case{"conv_transpose", "g (float[1,4,3,3] x, float[4,2,2,2] w) => (float[1,2,4,4] y) { y = ConvTranspose(x, w) }",
             2 * 36 * 8},
        Case{"matmul_integer", "g (uint8[2,4] a, uint8[4,3] b) => (int32[2,3] y) { y = MatMulInteger(a, b) }", 2 * 6 * 4},
        Case{"lstm",
             "g (float[5,1,3] x, float[1,16,3] w, float[1,16,4] r) => (float[5,1,1,4] y) { y = LSTM <hidden_size = 4> (x, w, "
             "r) }",
             5 * (2 * (48 + 64) + 5 * 16)},
        Case{"einsum", "g (float[2,3] a, float[3,4] b) => (float[2,4] y) { y = Einsum <equation = \"ij,jk->ik\"> (a, b) }",
             2 * 24},
        Case{"pool", "g (float[1,2,4,4] x) => (float[1,2,2,2] y) { y = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (x) }",
             8 * 4},
        Case{"softmax", "g (float[2,10] x) => (float[2,10] y) { y = Softmax(x) }", 5 * 20},
        Case{"elementwise", "g (float[2,10] x) => (float[2,10] y) { y = Relu(x) }", 20},
        Case{"reduction", "g (float[2,10] x) => (float[1,1] y) { y = ReduceSum(x) }", 20},
        Case{"movement", "g (float[2,10] x) => (float[10,2] y) { y = Transpose(x) }", 0}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Cost, UnknownAxesCountOneAndAreSaid) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text("g (float[n,10] x) => (float[n,10] y) { y = Relu(x) }"));
  EXPECT_EQ(graph->nodes[0].flops, 10u);
  EXPECT_EQ(graph->nodes[0].activation_bytes, 80u);
  EXPECT_FALSE(graph->nodes[0].cost_exact);
}

TEST(Cost, HostileSizesSaturate) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph,
                            parse_graph_text("g (float[9223372036854775807,9223372036854775807] a) => "
                                             "(float[9223372036854775807,9223372036854775807] y) { y = Softmax(a) }"));
  EXPECT_EQ(graph->nodes[0].flops, ~0ull);
}

}  // namespace
}  // namespace axle
