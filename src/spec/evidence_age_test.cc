#include "spec/evidence_age.h"

#include <gmock/gmock.h>

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

Machine machine_with_npu() {
  Machine machine;
  machine.os = "linux 6.1.0";
  Resource cpu, npu;
  cpu.id = "cpu:0";
  npu.id = "npu:0";
  npu.driver = "amdxdna 6.14";
  machine.resources = {cpu, npu};
  return machine;
}

TEST(EvidenceAge, RemembersEnginesSystemAndTheDriversInUse) {
  EXPECT_THAT(made_with(machine_with_npu(), {{"openvino", "2026.4", "cpu:0/1"}, {"vitis", "1.5", "npu:0"}}),
              ElementsAre(Pair("driver npu:0", "amdxdna 6.14"), Pair("openvino", "2026.4"), Pair("os", "linux 6.1.0"),
                          Pair("vitis", "1.5")));
}

TEST(EvidenceAge, SaysEverythingThatChanged) {
  const auto now = made_with(machine_with_npu(), {{"vitis", "1.5", "npu:0"}});
  auto then = now;
  then["vitis"] = "1.4";
  then["driver npu:0"] = "amdxdna 6.13";
  EXPECT_EQ(stale_reason(then, now),
            "measured with vitis 1.4, 1.5 is here; under the driver amdxdna 6.13 of npu:0, amdxdna 6.14 is here");
  then = now;
  then["os"] = "linux 5.0";
  EXPECT_EQ(stale_reason(then, now), "measured under linux 5.0, linux 6.1.0 is here");
}

TEST(EvidenceAge, EqualOrUnknownVersionsAreAnotherBuild) {
  const auto now = made_with(machine_with_npu(), {{"vitis", "1.5", "npu:0"}});
  EXPECT_EQ(stale_reason(now, now), "measured with another build of the engine or its plugin");
  EXPECT_EQ(stale_reason({}, now), "measured with another version of the engine");
}

}  // namespace
}  // namespace axle
