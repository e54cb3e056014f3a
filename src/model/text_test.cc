#include "model/text.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "model/model_graph.h"

namespace axle {
namespace {

using testing::StatusIs;

constexpr const char* kModel = R"(<
   ir_version: 10,
   opset_import: ["" : 21]
>
small (float[batch,3,8,8] x, int64[1] n) => (float[batch,4,6,6] y) 
   <float[4,3,3,3] w = ["fill": "zero"], float[4] b =  {0.5,1,-2,3e-05}, int64 s =  {7}>
{
   [first] c = Conv <kernel_shape: ints = [3, 3]> (x, w, b)
   [second] y = Relu (c)
}
)";

TEST(GraphText, ReadsWhatItIsGiven) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(kModel));
  EXPECT_EQ(graph->name, "small");
  ASSERT_EQ(graph->nodes.size(), 2u);
  EXPECT_EQ(graph->nodes[0].attributes[0].ints, (std::vector<int64_t>{3, 3}));
  EXPECT_EQ(graph->weights[0]->bytes.size(), 432u);
  EXPECT_EQ(graph->nodes[0].flops, 2u * 4 * 36 * 27 + 4 * 36);
}

TEST(GraphText, RoundTripIsExact) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(kModel));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, format_graph(*graph));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto again, parse_graph_text(text));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string second, format_graph(*again));
  EXPECT_EQ(text, second);
  EXPECT_EQ(text, kModel);
}

TEST(GraphText, EveryElementTypeSurvives) {
  for (const char* type : {"float", "double", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
                           "float16", "bfloat16", "bool"}) {
    const std::string text =
        std::string("g (") + type + "[2] x) => (" + type + "[2] y) <" + type + "[2] w = {0, 1}> { y = Mul(x, w) }";
    AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(text));
    AXLE_ASSERT_OK_AND_ASSIGN(const std::string once, format_graph(*graph));
    AXLE_ASSERT_OK_AND_ASSIGN(const auto again, parse_graph_text(once));
    ASSERT_EQ(graph->weights[0]->bytes.size(), again->weights[0]->bytes.size()) << type;
    EXPECT_TRUE(std::equal(graph->weights[0]->bytes.begin(), graph->weights[0]->bytes.end(), again->weights[0]->bytes.begin()))
        << type;
  }
}

TEST(GraphText, LargeWeightsCostNoMemory) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(R"(
    g (float[1, 32768] x) => (float[1, 32768] y) <float[32768, 32768] w = ["fill": "zero"]> { y = MatMul(x, w) })"));
  EXPECT_EQ(graph->nodes[0].weight_bytes, 4ull << 30);
  EXPECT_EQ(graph->nodes[0].flops, 2ull << 30);
}

TEST(GraphText, ErrorsNameThePlace) {
  EXPECT_THAT(parse_graph_text("g (float[2] x => (float[2] y) { y = Relu(x) }"),
              StatusIs(StatusCode::kInvalidArgument, "line"));
  EXPECT_THAT(parse_graph_text(""), StatusIs(StatusCode::kInvalidArgument, "cannot be parsed"));
  EXPECT_THAT(parse_graph_text("g (float[2] x) => (float[2] y) { y = Relu(z) }"),
              StatusIs(StatusCode::kInvalidArgument, "nothing defines"));
  EXPECT_THAT(parse_graph_text(std::string(1000, '(')), StatusIs(StatusCode::kResourceExhausted, "nested deeper"));
}

}  // namespace
}  // namespace axle
