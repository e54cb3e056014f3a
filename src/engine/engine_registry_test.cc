#include <sys/stat.h>

#include <cstdlib>

#include "axle/engine.h"
#include "base/file.h"
#include "engine/engine.h"
#include "engine/library_digest.h"
#include "engine/shared_resources.h"
#include "engine/testing/engine_fixture.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::FakeEngine;
using testing::IsOk;
using testing::StatusIs;

const std::string kPluginFolder = std::string(AXLE_BINARY_DIR) + "/lib/axle/engines";

EngineRegistryOptions in_folder(const std::string& folder) {
  EngineRegistryOptions options;
  options.default_folders = false;
  options.plugin_folders = {folder};
  return options;
}

TEST(EngineRegistry, FindsAndOpensThePluginOfAFolder) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(in_folder(kPluginFolder)));
  AXLE_ASSERT_OK_AND_ASSIGN(const EngineState state, registry->state("null"));
  EXPECT_TRUE(state.present) << state.reason;
  EXPECT_EQ(state.info.name, "null");
  EXPECT_EQ(state.library_digest.rfind("sha256:", 0), 0u);
  EXPECT_EQ(state.resources.at(0).engine_id, "cpu:0");
}

TEST(EngineRegistry, OpensNothingUntilAsked) {
  FakeEngine fake;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(testing::only(fake)));
  EXPECT_EQ(registry->names(), std::vector<std::string>{"fake"});
  EXPECT_EQ(fake.calls("create"), 0);
  EXPECT_THAT(registry->open("fake"), IsOk());
  EXPECT_THAT(registry->open("fake"), IsOk());
  EXPECT_EQ(fake.calls("create"), 1);
}

TEST(EngineRegistry, AbsentEngineIsListedWithReasonAndCommand) {
  FakeEngine fake;
  fake.script().absent = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(testing::only(fake)));
  const auto opened = registry->open("fake");
  ASSERT_THAT(opened, StatusIs(StatusCode::kUnavailable, "libfake.so was not found"));
  EXPECT_EQ(opened.status().hint(), "pip install fake");
  const auto states = registry->states();
  ASSERT_EQ(states.size(), 1u);
  EXPECT_FALSE(states[0].present);
  EXPECT_EQ(states[0].reason_code, StatusCode::kUnavailable);
  EXPECT_EQ(states[0].install_command, "pip install fake");
}

TEST(EngineRegistry, UnknownEngineNamesTheKnownOnes) {
  FakeEngine fake;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(testing::only(fake)));
  const auto opened = registry->open("nosuch");
  ASSERT_THAT(opened, StatusIs(StatusCode::kNotFound));
  EXPECT_NE(opened.status().hint().find("fake"), std::string::npos);
}

TEST(EngineRegistry, BrokenPluginsAreAbsentAndHarmNobody) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  ASSERT_THAT(write_file_atomic(folder.file("libaxle_engine_text.so"), "not a library"), IsOk());
  ASSERT_THAT(write_file_atomic(folder.file("libaxle_engine_elf.so"), std::string("\177ELF") + std::string(100, 'x')), IsOk());
  ASSERT_THAT(write_file_atomic(folder.file("libaxle_engine_Bad-Name.so"), "x"), IsOk());
  ASSERT_EQ(::symlink("/nowhere/at/all", folder.file("libaxle_engine_link.so").c_str()), 0);
  ASSERT_EQ(::symlink((kPluginFolder + "/libaxle_engine_null.so").c_str(), folder.file("libaxle_engine_other.so").c_str()), 0);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(in_folder(folder.path())));
  for (const EngineState& state : registry->states()) {
    EXPECT_FALSE(state.present) << state.name;
    EXPECT_EQ(state.reason_code, StatusCode::kUnavailable) << state.name << ": " << state.reason;
  }
  EXPECT_EQ(registry->open("Bad-Name").status().code(), StatusCode::kNotFound);
}

TEST(EngineRegistry, DoesNotLoadFromAFolderThatEverybodyMayWrite) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  ASSERT_EQ(::symlink((kPluginFolder + "/libaxle_engine_null.so").c_str(), folder.file("libaxle_engine_null.so").c_str()), 0);
  ASSERT_EQ(::chmod(folder.path().c_str(), 0777), 0);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, EngineRegistry::create(in_folder(folder.path())));
  EXPECT_TRUE(registry->names().empty());
  ASSERT_EQ(registry->problems().size(), 1u);
  EXPECT_NE(registry->problems()[0].find("everybody may write"), std::string::npos);
}

TEST(EngineRegistry, JoinsResourcesByAddressNeverByName) {
  Machine machine;
  machine.resources.resize(3);
  machine.resources[0].id = "cpu:0";
  machine.resources[1].id = "gpu:0";
  machine.resources[1].kind = ResourceKind::kGpu;
  machine.resources[1].name = "Same Name";
  machine.resources[1].pci_address = "0000:c4:00.0";
  machine.resources[2].id = "gpu:1";
  machine.resources[2].kind = ResourceKind::kGpu;
  machine.resources[2].name = "Same Name";
  machine.resources[2].uuid = "AB-CD";
  std::vector<EngineResource> reported(4);
  reported[0].engine_id = "CPU";
  reported[1].engine_id = "GPU.0";
  reported[1].resource.kind = ResourceKind::kGpu;
  reported[1].resource.pci_address = "0000:C4:00.0";
  reported[2].engine_id = "GPU.1";
  reported[2].resource.kind = ResourceKind::kGpu;
  reported[2].resource.uuid = "ab-cd";
  reported[3].engine_id = "GPU.2";
  reported[3].resource.kind = ResourceKind::kGpu;
  reported[3].resource.name = "Same Name";
  join_resources(machine, reported);
  EXPECT_EQ(reported[0].resource.id, "cpu:0");
  EXPECT_EQ(reported[1].resource.id, "gpu:0");
  EXPECT_EQ(reported[2].resource.id, "gpu:1");
  EXPECT_EQ(reported[3].resource.id, "GPU.2");
}

TEST(EngineRegistry, ASimulatedResourceIsTaggedAndTakesNoRealOnesId) {
  Machine machine;
  machine.resources.resize(1);
  machine.resources[0].id = "npu:0";
  machine.resources[0].kind = ResourceKind::kNpu;
  std::vector<EngineResource> reported(2);
  reported[0].engine_id = "npu:0";
  reported[0].resource.kind = ResourceKind::kNpu;
  reported[0].resource.simulated = true;
  reported[1].engine_id = "npu:0";
  reported[1].resource.kind = ResourceKind::kNpu;
  join_resources(machine, reported);
  EXPECT_EQ(reported[0].resource.id, "npu:1");
  EXPECT_EQ(reported[0].resource.index, 1);
  EXPECT_EQ(reported[0].resource.tags, (std::vector<std::string>{"sim"}));
  EXPECT_EQ(reported[1].resource.id, "npu:0");
  EXPECT_TRUE(reported[1].resource.tags.empty());
  machine.resources.clear();
  join_resources(machine, reported);
  EXPECT_EQ(reported[0].resource.id, "npu:0");
  EXPECT_EQ(reported[0].resource.index, 0);
}

EngineState engine_with(const std::string& name, const std::string& device, uint64_t memory_bytes, bool present = true) {
  EngineState state;
  state.name = name;
  state.present = present;
  EngineResource& reached = state.resources.emplace_back();
  reached.resource.id = "npu:0";
  reached.resource.kind = ResourceKind::kNpu;
  reached.resource.name = device;
  reached.resource.vendor = name;
  reached.resource.memory_bytes = memory_bytes;
  reached.resource.simulated = true;
  reached.resource.tags = {"sim"};
  reached.resource.attributes = {{"maker", name}, {"model of", "a device"}};
  return state;
}

TEST(EngineRegistry, AResourceThatSeveralEnginesModelHasAllTheirNamesAndTheLeastMemory) {
  const std::vector<EngineState> engines = {engine_with("a", "Emulator A", 8 << 20), engine_with("b", "Emulator B", 2 << 20),
                                            engine_with("c", "Emulator C", 1 << 20, false), engine_with("d", "Emulator A", 0)};
  const std::vector<Resource> resources = resources_of_engines(Machine(), engines);
  ASSERT_EQ(resources.size(), 1u);
  EXPECT_EQ(resources[0].name, "Emulator A or Emulator B");
  EXPECT_EQ(resources[0].memory_bytes, 2u << 20);
  EXPECT_EQ(resources[0].vendor, "");
  EXPECT_EQ(resources[0].tags, (std::vector<std::string>{"sim"}));
  EXPECT_EQ(resources[0].attributes, (std::map<std::string, std::string>{{"model of", "a device"}}));
  EXPECT_TRUE(resources[0].simulated);
  Machine machine;
  machine.resources.push_back(engines[0].resources[0].resource);
  EXPECT_TRUE(resources_of_engines(machine, engines).empty()) << "the machine has it";
}

TEST(RegisterEngine, AddsToEveryRegistryOnce) {
  static FakeEngine* const fake = new FakeEngine("registered");  // stays registered for the life of the process
  EngineRegistryOptions options;
  options.only = {"registered"};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto before, EngineRegistry::create(options));
  ASSERT_THAT(register_engine(fake->query(), "registered"), IsOk());
  EXPECT_THAT(register_engine(fake->query(), "registered"), StatusIs(StatusCode::kAlreadyExists));
  EXPECT_THAT(register_engine(nullptr, "x"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(register_engine(fake->query(), "Not a name"), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(before->open("registered"), IsOk());
}

TEST(LibraryDigests, ALibraryCountsWithWhatBelongsToIt) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  for (const char* name :
       {"libvendor_c.so.1", "libvendor.so.1", "libvendor_cpu_plugin.so", "libvendors.so", "libother.so", "libvendor.txt"})
    ASSERT_THAT(write_file_atomic(folder.file(name), name), IsOk());
  EXPECT_THAT(
      library_family(folder.file("libvendor_c.so.1")),
      ElementsAre(folder.file("libvendor.so.1"), folder.file("libvendor_c.so.1"), folder.file("libvendor_cpu_plugin.so")));
  EXPECT_THAT(library_family("/nowhere/libvendor.so"), ElementsAre("/nowhere/libvendor.so"));
  LibraryDigests digests("");
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string before, digests.of_library(folder.file("libvendor_c.so.1")));
  ASSERT_THAT(write_file_atomic(folder.file("libother.so"), "another"), IsOk());
  EXPECT_EQ(digests.of_library(folder.file("libvendor_c.so.1")).value(), before);
  ASSERT_THAT(write_file_atomic(folder.file("libvendor_cpu_plugin.so"), "swapped"), IsOk());
  EXPECT_NE(digests.of_library(folder.file("libvendor_c.so.1")).value(), before);
  EXPECT_EQ(digests.of_library(folder.file("libother.so")).value(), digests.of_file(folder.file("libother.so")).value());
  const std::vector<std::string> parts = {folder.file("libvendor_c.so.1")};
  const std::string with_parts = digests.of_library(folder.file("libother.so"), parts).value();
  EXPECT_NE(with_parts, digests.of_library(folder.file("libother.so")).value());
  ASSERT_THAT(write_file_atomic(parts.front(), "changed"), IsOk());
  EXPECT_NE(digests.of_library(folder.file("libother.so"), parts).value(), with_parts);
}

TEST(LibraryDigests, RemembersOnlyTrustedStamps) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  const std::string memo = folder.file("digests.json");
  LibraryDigests digests(memo);
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string young, digests.of_file(kPluginFolder + "/libaxle_engine_null.so"));
  EXPECT_EQ(young.size(), 71u);
  ASSERT_THAT(write_file_atomic(folder.file("lib.so"), "one"), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string one, digests.of_file(folder.file("lib.so")));
  ASSERT_THAT(write_file_atomic(folder.file("lib.so"), "two"), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string two, digests.of_file(folder.file("lib.so")));
  EXPECT_NE(one, two);
  ASSERT_THAT(write_file_atomic(memo, "{\"x\":[1,2], broken"), IsOk());
  LibraryDigests again(memo);
  EXPECT_EQ(*again.of_file(folder.file("lib.so")), two);
  EXPECT_THAT(again.of_file(folder.file("gone.so")), StatusIs(StatusCode::kNotFound));
}

}  // namespace
}  // namespace axle
