// The host's services as the engine kit hands them to plugins.
#include <gtest/gtest.h>

#include "axle/engine_kit/base.h"

namespace axle::kit {
namespace {

// Guards: parts of an engine that are tested without a host, and what logs before one is there, dereferenced null.
TEST(KitHost, WithoutAHostLogsNothing) {
  Host().log(LogLevel::kError, "test", "nobody hears this");
  axle_host_api_t silent{};
  Host(&silent).log(LogLevel::kError, "test", "nor this");
  int heard = 0;
  axle_host_api_t listening{};
  listening.host = &heard;
  listening.log = [](void* host, int32_t, axle_text_t, axle_text_t) { ++*static_cast<int*>(host); };
  Host(&listening).log(LogLevel::kError, "test", "but this");
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace axle::kit
