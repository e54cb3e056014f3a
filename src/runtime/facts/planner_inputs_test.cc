// Whose answers count for a machine that is not here.
#include "runtime/facts/planner_inputs.h"

#include <gtest/gtest.h>

#include "axle/device_profile.h"
#include "base/testing/status_matchers.h"

namespace axle {
namespace {

EngineFacts engine_on(const std::string& name, const std::string& resource, bool simulated) {
  EngineFacts engine;
  engine.info.name = name;
  engine.present = true;
  CapabilityFacts facts;
  facts.resource = facts.engine_id = resource;
  facts.simulated = simulated;
  engine.capabilities = {facts};
  return engine;
}

TEST(KeepResourcesOf, AModelAnswersForTheDeviceWhoseProfileNamesIt) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, find_machine("upmem-pim"));
  std::vector<EngineFacts> engines = {engine_on("pim", "pim:0", true), engine_on("another", "pim:0", true),
                                      engine_on("onnxruntime", "cpu:0", false), engine_on("cuda", "gpu:0", false)};
  keep_resources_of(machine, engines);
  ASSERT_EQ(engines[0].capabilities.size(), 1u);
  EXPECT_TRUE(engines[0].capabilities[0].assumed);
  EXPECT_FALSE(engines[0].capabilities[0].simulated) << "planned for the device, not for its model";
  EXPECT_TRUE(engines[1].capabilities.empty()) << "what is simulated here says nothing of a real resource elsewhere";
  EXPECT_EQ(engines[2].capabilities.size(), 1u);
  EXPECT_TRUE(engines[3].capabilities.empty()) << "there is no such resource";
}

TEST(KeepResourcesOf, AnEmulatorIsNoAnswerForAnotherVendorsProcessor) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, find_machine("ryzen-8945hs"));
  std::vector<EngineFacts> engines = {engine_on("qnn", "npu:0", true)};
  keep_resources_of(machine, engines);
  EXPECT_TRUE(engines[0].capabilities.empty());
}

}  // namespace
}  // namespace axle
