// The profiles and machines that come with axle: each is read, names its sources and belongs to a resource of some machine.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "axle/device_profile.h"
#include "base/testing/status_matchers.h"
#include "probe/built_in.h"
#include "spec/device_profile_json.h"

namespace axle {
namespace {

using testing::StatusIs;

TEST(DeviceProfiles, AllAreReadAndNamedAfterTheirFiles) {
  for (const BuiltInDocument& document : built_in_device_profiles()) {
    AXLE_ASSERT_OK_AND_ASSIGN(const DeviceProfile profile, parse_device_profile(document.text));
    EXPECT_EQ(profile.name, document.name);
  }
  EXPECT_EQ(known_device_profiles().size(), built_in_device_profiles().size());
  EXPECT_GE(known_device_profiles().size(), 20u);
}

TEST(DeviceProfiles, EveryFigureThatTheCostModelNeedsIsThere) {
  for (const DeviceProfile& profile : known_device_profiles()) {
    SCOPED_TRACE(profile.name);
    EXPECT_GT(profile.memory_bandwidth.value, 0u);
    EXPECT_GT(profile.power.value, 0u);
    if (profile.kind == ResourceKind::kCpu) continue;
    EXPECT_FALSE(profile.peaks.empty());
    EXPECT_GT(profile.link_bandwidth.value, 0u);
    EXPECT_GT(profile.node_launch.value, 0u);
    EXPECT_GT(profile.call_launch.value, 0u);
    for (const ProfileEngine& engine : profile.engines) {
      for (const std::string& precision : engine.precisions)
        EXPECT_TRUE(profile.peaks.contains(precision)) << engine.name << " at " << precision;
    }
  }
}

TEST(DeviceProfiles, ReadBackEqualAfterWriting) {
  for (const DeviceProfile& profile : known_device_profiles()) {
    AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, device_profile_to_json(profile));
    AXLE_ASSERT_OK_AND_ASSIGN(const DeviceProfile again, parse_device_profile(text));
    EXPECT_EQ(again, profile) << profile.name;
  }
}

TEST(DeviceProfiles, RefusesWhatItDoesNotKnow) {
  Json json = device_profile_to_json_value(known_device_profiles().front());
  json["pwer"] = 1;
  EXPECT_THAT(read_device_profile(json, "profile"), StatusIs(StatusCode::kInvalidArgument, "did you mean \"power\""));
  json.erase("pwer");
  json["peaks"]["f31"] = json["power"];
  EXPECT_THAT(read_device_profile(json, "profile"), StatusIs(StatusCode::kInvalidArgument, "f31 is no precision"));
  json["peaks"].erase("f31");
  json["power"]["unit"] = "kW";
  EXPECT_THAT(read_device_profile(json, "profile"), StatusIs(StatusCode::kInvalidArgument, "must be W"));
  json["power"]["unit"] = "W";
  json["power"]["source"] = "";
  EXPECT_THAT(read_device_profile(json, "profile"), StatusIs(StatusCode::kInvalidArgument, "say who says so"));
  json["power"]["source"] = "someone";
  json["power"]["kind"] = "guess";
  EXPECT_THAT(read_device_profile(json, "profile"), StatusIs(StatusCode::kInvalidArgument, "vendor, measured, estimate"));
  json["power"]["kind"] = "estimate";
  json["power"]["value"] = -1;
  EXPECT_THAT(read_device_profile(json, "profile"), StatusIs(StatusCode::kInvalidArgument, "above 0"));
}

TEST(DeviceProfiles, BanksAreDescribedWholeOrNotAtAll) {
  const auto& known = known_device_profiles();
  const auto pim = std::ranges::find(known, ResourceKind::kPim, &DeviceProfile::kind);
  ASSERT_NE(pim, known.end());
  EXPECT_EQ(pim->banks.memory.value * pim->banks.count.value, pim->memory_size.value);
  EXPECT_LE(pim->banks.bandwidth.value * pim->banks.count.value, pim->memory_bandwidth.value);
  Json json = device_profile_to_json_value(*pim);
  json["banks"].erase("broadcast");
  EXPECT_THAT(read_device_profile(json, "profile"), StatusIs(StatusCode::kInvalidArgument, "profile.banks lacks broadcast"));
  json["banks"]["brodcast"] = json["banks"]["to_banks"];
  EXPECT_THAT(read_device_profile(json, "profile"), StatusIs(StatusCode::kInvalidArgument, "did you mean \"broadcast\""));
}

TEST(KnownMachines, AreReadAndHaveAProfileForEveryResourceThatIsNoHost) {
  for (const std::string& name : known_machines()) {
    SCOPED_TRACE(name);
    AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, find_machine(name));
    EXPECT_EQ(machine.recorded_name, name);
    std::set<std::string> profiled;
    for (const ResourceProfile& found : profiles_of(machine)) profiled.insert(found.resource);
    for (const Resource& resource : machine.resources) EXPECT_TRUE(profiled.contains(resource.id)) << resource.name;
  }
}

TEST(KnownMachines, TheProcessorTellsTwoNpusOfTheSameIdApart) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine older, find_machine("ryzen-7840u"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine newer, find_machine("ryzen-8945hs"));
  const auto npu = [](const Machine& machine) { return profiles_of(machine).back().profile; };
  EXPECT_EQ(npu(older).peaks.at("int8").value, 10'000'000u);
  EXPECT_EQ(npu(newer).peaks.at("int8").value, 16'000'000u);
}

TEST(KnownMachines, AnUnknownNameGivesTheNearest) {
  EXPECT_THAT(find_machine("h100-sxn"), StatusIs(StatusCode::kNotFound, "no machine \"h100-sxn\""));
  EXPECT_EQ(find_machine("h100-sxn").error().hint(), "did you mean h100-sxm?");
  EXPECT_THAT(find_machine("no/such/file.json"), StatusIs(StatusCode::kNotFound, "no/such/file.json"));
}

}  // namespace
}  // namespace axle
