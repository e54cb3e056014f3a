#include "model/extract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "axle/model.h"
#include "base/testing/status_matchers.h"
#include "model/model_graph.h"
#include "model/text.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::IsOk;
using testing::StatusIs;

constexpr const char* kDiamond = R"(
diamond (float[batch, 4] x) => (float[batch, 4] y)
<float[4] w = {1, 2, 3, 4}>
{
  [top] a = Relu(x)
  [left] l = Add(a, w)
  [right] r = Mul(a, w)
  [bottom] y = Sub(l, r)
}
)";

std::vector<std::string> names(const Graph& graph, const std::vector<ValueId>& ids) {
  std::vector<std::string> out;
  for (const ValueId id : ids) out.push_back(graph.values[id].name);
  return out;
}

TEST(Extract, CutsWithTypesAndSymbols) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(kDiamond));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto part, extract_graph(*graph, std::vector<NodeId>{1, 2}));
  EXPECT_THAT(names(*part, part->inputs), ElementsAre("a"));
  EXPECT_THAT(names(*part, part->outputs), ElementsAre("l", "r"));
  EXPECT_EQ(format_shape(part->values[part->inputs[0]].shape), "[batch, 4]");
  ASSERT_EQ(part->weights.size(), 1u);
  EXPECT_EQ(part->weights[0], graph->weights[0]);  // shared, not copied
  EXPECT_EQ(part->nodes[0].name, "left");
  EXPECT_EQ(part->nodes[0].weight_bytes, 16u);
  EXPECT_EQ(part->nodes[1].weight_bytes, 0u);  // counted at its first consumer
}

TEST(Extract, HandsOutWhatIsAskedFor) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(kDiamond));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto part, extract_graph(*graph, std::vector<NodeId>{0, 1, 2}, {.outputs = {"r"}}));
  EXPECT_THAT(names(*part, part->inputs), ElementsAre("x"));
  EXPECT_THAT(names(*part, part->outputs), ElementsAre("r"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto both, extract_graph(*graph, std::vector<NodeId>{0, 1, 2}, {.outputs = {"l", "r"}}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto plain, extract_graph(*graph, std::vector<NodeId>{0, 1, 2}));
  EXPECT_EQ(both->digest, plain->digest);
}

TEST(Extract, WholeGraphKeepsItsInterface) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(kDiamond));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto part, extract_graph(*graph, std::vector<NodeId>{3, 0, 2, 1}));
  EXPECT_THAT(names(*part, part->inputs), ElementsAre("x"));
  EXPECT_THAT(names(*part, part->outputs), ElementsAre("y"));
}

TEST(Extract, BytesReadBackAsTheSamePart) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(kDiamond));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto part, extract_graph(*graph, std::vector<NodeId>{1, 2}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto bytes, part->onnx_bytes());
  EXPECT_EQ(bytes->folder, "");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model,
                            Model::from_bytes({reinterpret_cast<const std::byte*>(bytes->bytes.data()), bytes->bytes.size()}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto again, graph_of(model));
  EXPECT_EQ(*format_graph(*again), *format_graph(*part));
}

TEST(Extract, DigestNamesTheCut) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(kDiamond));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto one, extract_graph(*graph, std::vector<NodeId>{1, 2}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto same, extract_graph(*graph, std::vector<NodeId>{2, 1}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto other, extract_graph(*graph, std::vector<NodeId>{0, 1}));
  EXPECT_EQ(one->digest, same->digest);
  EXPECT_NE(one->digest, other->digest);
  EXPECT_NE(one->digest, graph->digest);
}

TEST(Extract, SingleNodeKeepsSmallConstants) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(kDiamond));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto node, make_single_node_model(*graph, 1));
  EXPECT_EQ(node->nodes.size(), 1u);
  EXPECT_THAT(names(*node, node->inputs), ElementsAre("a"));
  EXPECT_EQ(node->weights.size(), 1u);
}

TEST(Extract, SingleNodeTakesLargeConstantsAsInputs) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(R"(
    big (float[1, 512] x) => (float[1, 512] y)
    <float[512, 512] w = ["fill": "zero"]>
    { y = MatMul(x, w) })"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto node, make_single_node_model(*graph, 0));
  EXPECT_THAT(names(*node, node->inputs), ElementsAre("x", "w"));
  EXPECT_EQ(format_shape(node->values[node->inputs[1]].shape), "[512, 512]");
  EXPECT_TRUE(node->weights.empty());
}

TEST(Extract, RefusesImpossibleCuts) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, parse_graph_text(kDiamond));
  EXPECT_THAT(extract_graph(*graph, std::vector<NodeId>{}), StatusIs(StatusCode::kInvalidArgument, "at least one node"));
  EXPECT_THAT(extract_graph(*graph, std::vector<NodeId>{0, 9}), StatusIs(StatusCode::kInvalidArgument, "no node 9"));
  EXPECT_THAT(extract_graph(*graph, std::vector<NodeId>{-1}), StatusIs(StatusCode::kInvalidArgument, "no node -1"));
  EXPECT_THAT(extract_graph(*graph, std::vector<NodeId>{1, 1}), StatusIs(StatusCode::kInvalidArgument, "named twice"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto sequence, parse_graph_text(R"(
    seq (float[2] x) => (float[2] y)
    <int64 zero = {0}>
    {
      s = SequenceConstruct(x)
      y = SequenceAt(s, zero)
    })"));
  EXPECT_THAT(extract_graph(*sequence, std::vector<NodeId>{0}), StatusIs(StatusCode::kFailedPrecondition, "not a tensor"));
  EXPECT_THAT(extract_graph(*sequence, std::vector<NodeId>{0, 1}), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto custom, parse_graph_text(R"(
    <ir_version: 10, opset_import: ["" : 21, "acme" : 1]>
    g (float[2] x) => (float[2] y) { m = acme.Widget(x)  y = Relu(m) })"));
  EXPECT_THAT(extract_graph(*custom, std::vector<NodeId>{1}), StatusIs(StatusCode::kFailedPrecondition, "type is not known"));
}

}  // namespace
}  // namespace axle
