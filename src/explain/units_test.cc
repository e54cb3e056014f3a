#include <gtest/gtest.h>

#include "axle/explain.h"

namespace axle {
namespace {

TEST(FormatDuration, PicksAUnitAndThreeDigits) {
  EXPECT_EQ(format_duration(0), "0 ns");
  EXPECT_EQ(format_duration(999), "999 ns");
  EXPECT_EQ(format_duration(3420), "3.42 us");
  EXPECT_EQ(format_duration(999'900), "1.00 ms");
  EXPECT_EQ(format_duration(34'200'000), "34.2 ms");
  EXPECT_EQ(format_duration(999'900'000), "1.00 s");
  EXPECT_EQ(format_duration(-1'500'000), "-1.50 ms");
}

TEST(FormatSize, PicksAUnitAndThreeDigits) {
  EXPECT_EQ(format_size(0), "0 B");
  EXPECT_EQ(format_size(999), "999 B");
  EXPECT_EQ(format_size(1024), "1.00 KiB");
  EXPECT_EQ(format_size(12'686'721), "12.1 MiB");
}

}  // namespace
}  // namespace axle
