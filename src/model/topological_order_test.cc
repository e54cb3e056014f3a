#include "model/topological_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TopologicalOrder, KeepsASortedOrder) {
  const auto result = order_topologically({{}, {0}, {0}, {2, 1, 1}});
  EXPECT_THAT(result.order, ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(result.cycle, IsEmpty());
}

TEST(TopologicalOrder, SortsWithTheSmallestFirst) {
  EXPECT_THAT(order_topologically({{3}, {}, {0, 1}, {}}).order, ElementsAre(1, 3, 0, 2));
}

TEST(TopologicalOrder, NamesOneCycleInEdgeOrder) {
  // 0 uses 1, 1 uses 2, 2 uses 0; 3 hangs on the cycle.
  EXPECT_THAT(order_topologically({{1}, {2}, {0}, {0}}).cycle, ElementsAre(0, 2, 1));
  EXPECT_THAT(order_topologically({{0}}).cycle, ElementsAre(0));
}

TEST(TopologicalOrder, EmptyGraph) { EXPECT_THAT(order_topologically({}).order, IsEmpty()); }

}  // namespace
}  // namespace axle
