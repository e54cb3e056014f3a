#include "engine/graph_handle.h"

#include "axle/engine_kit.h"
#include "engine/host_api.h"
#include "engine/testing/engine_fixture.h"

namespace axle {
namespace {

using testing::GraphBuilder;
using testing::StatusIs;

TEST(GraphHandle, ShowsTheGraphToThePlugin) {
  Attribute axis{"axis", AttributeKind::kInt, {-1}, {}, {}};
  Attribute mode{"mode", AttributeKind::kText, {}, {}, {"linear"}};
  Attribute keys{"keys", AttributeKind::kTexts, {}, {}, {"a", "bc"}};
  const auto graph = GraphBuilder()
                         .input("x", {{-1, "n"}, {3, ""}})
                         .weight("w", {3}, {1, 2, 3})
                         .node("Op", {"x", "", "w"}, "y", std::nullopt, {axis, mode, keys})
                         .domain("my.domain", 2)
                         .output("y")
                         .build();
  const GraphView view(testing::index_of(graph));
  const kit::Host host(host_api());
  const kit::Graph seen(host, view.abi());
  EXPECT_EQ(seen.node_count(), 1u);
  EXPECT_EQ(seen.opset("my.domain"), 2);
  EXPECT_EQ(seen.opset(""), 17);
  EXPECT_EQ(kit::text(seen.input(0).shape()[0].symbol), "n");
  const kit::Node node = seen.node(0);
  EXPECT_EQ(node.op_type(), "Op");
  EXPECT_EQ(node.domain(), "my.domain");
  EXPECT_TRUE(node.input(1).absent());
  EXPECT_EQ(node.input(2).is_weight, 1);
  EXPECT_FALSE(node.output(0).rank_known());
  EXPECT_EQ(node.int_or("axis", 7), -1);
  EXPECT_EQ(node.text_or("mode", ""), "linear");
  EXPECT_EQ(kit::text(node.find_attribute("keys")->texts[1]), "bc");
  EXPECT_THROW((void)seen.node(1), kit::Error);
  EXPECT_THROW((void)node.input(9), kit::Error);
}

TEST(GraphHandle, WeightOutlivesItsGraphWhenRetained) {
  const int64_t before = detail::live_weight_handles();
  std::optional<kit::Weight> weight;
  {
    auto graph = GraphBuilder().input("x", {{2, ""}}).weight("w", {2}, {5, 6}).node("Add", {"x", "w"}, "y").output("y").build();
    const GraphView view(testing::index_of(graph));
    graph.reset();
    weight = kit::Graph(kit::Host(host_api()), view.abi()).weight(0);
  }
  EXPECT_EQ(weight->size_bytes(), 8u);
  EXPECT_EQ(static_cast<const float*>(weight->data())[1], 6.0f);
  weight.reset();
  EXPECT_EQ(detail::live_weight_handles(), before);
}

TEST(GraphHandle, RefusesIndicesOutsideTheGraph) {
  auto graph = std::make_shared<Graph>();
  graph->inputs = {3};
  EXPECT_THAT(GraphIndex::create(graph), StatusIs(StatusCode::kInvalidArgument, "does not have"));
}

TEST(GraphHandle, FillsOnlyWhatAnOlderPluginHasRoomFor) {
  const GraphView view(testing::index_of(testing::small_graph()));
  axle_node_info_t info{};
  std::memset(static_cast<void*>(&info), 0x5a, sizeof(info));
  info.struct_size = offsetof(axle_node_info_t, input_count);
  ASSERT_EQ(host_api()->graph_node(nullptr, view.abi(), 0, &info), AXLE_OK);
  EXPECT_EQ(kit::text(info.op_type), "Add");
  EXPECT_EQ(info.input_count, 0x5a5a5a5au);
  EXPECT_EQ(info.struct_size, offsetof(axle_node_info_t, input_count));
}

}  // namespace
}  // namespace axle
