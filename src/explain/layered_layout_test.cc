#include "explain/layered_layout.h"

#include <gtest/gtest.h>

#include <cmath>

namespace axle {
namespace {

constexpr double kTiny = 1e-6;

// No two boxes overlap, and every edge leads downwards from its box to its box.
void expect_sound(const Layout& layout, const std::vector<LayoutEdge>& edges, const LayoutOptions& options = {}) {
  for (size_t a = 0; a < layout.boxes.size(); ++a) {
    for (size_t b = a + 1; b < layout.boxes.size(); ++b) {
      const bool same_row = std::abs(layout.boxes[a].y - layout.boxes[b].y) < kTiny;
      if (same_row) {
        EXPECT_GE(std::abs(layout.boxes[a].x - layout.boxes[b].x), options.box_width + options.column_gap - kTiny)
            << a << " " << b;
      }
    }
    EXPECT_GE(layout.boxes[a].x, -kTiny);
    EXPECT_LE(layout.boxes[a].x + options.box_width, layout.width + kTiny);
    EXPECT_LE(layout.boxes[a].y + options.box_height, layout.height + kTiny);
  }
  ASSERT_EQ(layout.edges.size(), edges.size());
  for (size_t i = 0; i < edges.size(); ++i) {
    const auto& points = layout.edges[i];
    const LayoutPoint& from = layout.boxes[static_cast<size_t>(edges[i].from)];
    const LayoutPoint& to = layout.boxes[static_cast<size_t>(edges[i].to)];
    EXPECT_NEAR(points.front().x, from.x + options.box_width / 2, kTiny);
    EXPECT_NEAR(points.front().y, from.y + options.box_height, kTiny);
    EXPECT_NEAR(points.back().x, to.x + options.box_width / 2, kTiny);
    EXPECT_NEAR(points.back().y, to.y, kTiny);
    for (size_t k = 1; k < points.size(); ++k) EXPECT_GT(points[k].y, points[k - 1].y);
  }
}

TEST(LayeredLayout, DrawsAChainAsAStraightColumn) {
  const std::vector<LayoutEdge> edges = {{0, 1}, {1, 2}, {2, 3}};
  const Layout layout = layered_layout(4, edges);
  expect_sound(layout, edges);
  for (const LayoutPoint& box : layout.boxes) EXPECT_NEAR(box.x, 0, kTiny);
  EXPECT_DOUBLE_EQ(layout.height, 4 * 44 + 3 * 38);
}

TEST(LayeredLayout, CentresAForkOverItsBranches) {
  const std::vector<LayoutEdge> edges = {{0, 1}, {0, 2}, {1, 3}, {2, 3}};
  const Layout layout = layered_layout(4, edges);
  expect_sound(layout, edges);
  EXPECT_DOUBLE_EQ(layout.boxes[1].y, layout.boxes[2].y);
  EXPECT_NEAR(layout.boxes[0].x, (layout.boxes[1].x + layout.boxes[2].x) / 2, 1);
  EXPECT_NEAR(layout.boxes[0].x, layout.boxes[3].x, 1);
}

TEST(LayeredLayout, LeadsALongEdgePastTheBoxesItSkips) {
  const std::vector<LayoutEdge> edges = {{0, 1}, {1, 2}, {2, 3}, {0, 3}};
  const Layout layout = layered_layout(4, edges);
  expect_sound(layout, edges);
  const auto& skip = layout.edges[3];
  ASSERT_EQ(skip.size(), 6U);  // two bends of two points each
  for (size_t i = 1; i + 1 < skip.size(); ++i) {
    const double middle = layout.boxes[1].x + LayoutOptions().box_width / 2;
    EXPECT_GT(std::abs(skip[i].x - middle), LayoutOptions().box_width / 2) << "the edge runs through a box";
  }
}

TEST(LayeredLayout, UntanglesCrossedBranches) {
  const std::vector<LayoutEdge> edges = {{0, 5}, {1, 4}, {2, 3}};
  const Layout layout = layered_layout(6, edges);
  expect_sound(layout, edges);
  for (const LayoutEdge& edge : edges) {
    EXPECT_NEAR(layout.boxes[static_cast<size_t>(edge.from)].x, layout.boxes[static_cast<size_t>(edge.to)].x, kTiny);
  }
}

TEST(LayeredLayout, PutsWhatIsReadLateJustAboveItsReader) {
  const std::vector<LayoutEdge> edges = {{0, 2}, {2, 3}, {3, 4}, {1, 4}};
  const Layout layout = layered_layout(5, edges);
  expect_sound(layout, edges);
  EXPECT_DOUBLE_EQ(layout.boxes[1].y, layout.boxes[3].y);
}

TEST(LayeredLayout, MovesAChainThatIsReadLateDownToItsReader) {
  const std::vector<LayoutEdge> edges = {{0, 1}, {1, 2}, {2, 3}, {3, 6}, {0, 4}, {4, 5}, {5, 6}};
  std::vector<LayoutEdge> longer = edges;
  for (int32_t box = 6; box < 12; ++box) longer.push_back({box, box + 1});
  longer.push_back({5, 12});
  const Layout layout = layered_layout(13, longer);
  expect_sound(layout, longer);
  EXPECT_DOUBLE_EQ(layout.boxes[5].y, layout.boxes[3].y) << "its first reader is box 6";
  EXPECT_DOUBLE_EQ(layout.boxes[4].y, layout.boxes[2].y);
}

TEST(LayeredLayout, DrawsWhatHasNoRoomForBendsStraight) {
  LayoutOptions options;
  options.most_bends = 1;
  const std::vector<LayoutEdge> edges = {{0, 1}, {1, 2}, {2, 3}, {0, 3}};
  const Layout layout = layered_layout(4, edges, options);
  expect_sound(layout, edges, options);
  EXPECT_EQ(layout.edges[3].size(), 2U);
}

TEST(LayeredLayout, IsBoundedOnADenseGraph) {
  std::vector<LayoutEdge> edges;
  for (int32_t to = 1; to < 400; ++to) {
    for (int32_t from = std::max(0, to - 20); from < to; ++from) edges.push_back({from, to});
    edges.push_back({0, to});
  }
  const Layout layout = layered_layout(400, edges);
  EXPECT_EQ(layout.boxes.size(), 400U);
  EXPECT_EQ(layout.edges.size(), edges.size());
  EXPECT_GT(layout.width, 0);
}

TEST(LayeredLayout, OfNothingIsEmpty) { EXPECT_EQ(layered_layout(0, {}).width, 0); }

}  // namespace
}  // namespace axle
