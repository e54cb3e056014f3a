#include "engine/worker_quarantine.h"

#include <gmock/gmock.h>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

constexpr int64_t kSecond = 1'000'000'000;

void die(Quarantine& quarantine, const std::string& plugin, uint32_t times, int64_t now_ns) {
  for (uint32_t i = 0; i < times; ++i) quarantine.died(plugin, "killed by signal 11", now_ns);
}

TEST(Quarantine, BeginsWithManyDeathsInARowAndEnds) {
  Quarantine quarantine;
  die(quarantine, "/lib/a.so", Quarantine::kDeathsInARow - 1, 0);
  EXPECT_THAT(quarantine.check("/lib/a.so", 0), IsOk());
  die(quarantine, "/lib/a.so", 1, 0);
  EXPECT_THAT(quarantine.check("/lib/a.so", kSecond),
              StatusIs(StatusCode::kUnavailable, "a.so is in quarantine for 30 s more"));
  EXPECT_THAT(quarantine.check("/lib/a.so", kSecond), StatusIs(StatusCode::kUnavailable, "killed by signal 11"));
  EXPECT_THAT(quarantine.check("/lib/b.so", kSecond), IsOk());
  EXPECT_THAT(quarantine.check("/lib/a.so", 30 * kSecond), IsOk());
}

TEST(Quarantine, LastsLongerEachTime) {
  Quarantine quarantine;
  die(quarantine, "/lib/a.so", Quarantine::kDeathsInARow, 0);
  die(quarantine, "/lib/a.so", 1, 40 * kSecond);
  EXPECT_THAT(quarantine.check("/lib/a.so", 99 * kSecond), StatusIs(StatusCode::kUnavailable));
  EXPECT_THAT(quarantine.check("/lib/a.so", 100 * kSecond), IsOk());
  for (int i = 0; i < 100; ++i) die(quarantine, "/lib/a.so", 1, 0);
  EXPECT_THAT(quarantine.check("/lib/a.so", Quarantine::kLongestNs), IsOk());
}

TEST(Quarantine, ARunThatWentWellForgetsAll) {
  Quarantine quarantine;
  die(quarantine, "/lib/a.so", Quarantine::kDeathsInARow - 1, 0);
  quarantine.went_well("/lib/a.so");
  die(quarantine, "/lib/a.so", Quarantine::kDeathsInARow - 1, 0);
  EXPECT_THAT(quarantine.check("/lib/a.so", 0), IsOk());
}

}  // namespace
}  // namespace axle
