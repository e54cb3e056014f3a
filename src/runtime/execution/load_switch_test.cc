#include "runtime/execution/load_switch.h"

#include <gtest/gtest.h>

namespace axle {
namespace {

TEST(LoadSwitch, IsHighFromThatManyRequestsInFlight) {
  LoadSwitch load(3, 1'000);
  EXPECT_FALSE(load.enter(0));
  EXPECT_FALSE(load.enter(1));
  EXPECT_TRUE(load.enter(2));
}

TEST(LoadSwitch, StaysHighForAMomentAfterwards) {
  LoadSwitch load(2, 1'000);
  EXPECT_FALSE(load.enter(0));
  EXPECT_TRUE(load.enter(100));
  load.leave();
  load.leave();
  EXPECT_TRUE(load.enter(1'099));
  load.leave();
  EXPECT_FALSE(load.enter(1'100));
}

TEST(LoadSwitch, OnlyAsManyAsItTakesHoldItHigh) {
  LoadSwitch load(2, 1'000);
  EXPECT_FALSE(load.enter(0));
  EXPECT_TRUE(load.enter(100));
  load.leave();
  load.leave();
  for (int64_t now_ns = 200; now_ns < 1'000; now_ns += 200) {
    EXPECT_TRUE(load.enter(now_ns));
    load.leave();
  }
  EXPECT_FALSE(load.enter(1'100)) << "requests one at a time do not keep the load high";
}

TEST(LoadSwitch, ARequestCountsUntilItIsGone) {
  LoadSwitch load(2, 0);
  {
    const LoadSwitch::Request first(&load);
    EXPECT_FALSE(first.high());
    const LoadSwitch::Request second(&load);
    EXPECT_TRUE(second.high());
  }
  const LoadSwitch::Request later(&load);
  EXPECT_FALSE(later.high());
  const LoadSwitch::Request uncounted(nullptr);
  EXPECT_FALSE(uncounted.high());
}

}  // namespace
}  // namespace axle
