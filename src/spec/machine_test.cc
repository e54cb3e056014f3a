#include "axle/device.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;
constexpr auto kInvalid = StatusCode::kInvalidArgument;

// Two cores with two threads each; CPU 3 is not allowed.
Machine small_machine() {
  Machine m;
  m.architecture = "x86_64";
  m.os = "linux 6.1.0";
  m.cpu_vendor = "amd";
  m.cpu_model = "AMD Test CPU";
  m.isa = {"avx2", "fma"};
  m.cpus = {
      {.id = 0, .core = 0}, {.id = 1, .core = 1}, {.id = 2, .core = 0, .smt_index = 1}, {.id = 3, .core = 1, .smt_index = 1}};
  m.allowed_cpus = {0, 1, 2};
  m.cpu_quota = 1.5;
  m.caches = {{.level = 1, .type = "data", .size_bytes = 32768, .shared_by_cpus = 2}};
  m.numa_nodes = {{.id = 0, .memory_bytes = 8ull << 30, .cpus = {0, 1, 2, 3}}};
  m.memory_bytes = 8ull << 30;
  Resource cpu;
  cpu.id = "cpu:0";
  cpu.vendor = "amd";
  cpu.name = "AMD Test CPU";
  cpu.memory_bytes = 8ull << 30;
  cpu.cpus = {0, 1, 2};
  Resource npu;
  npu.id = "npu:0";
  npu.kind = ResourceKind::kNpu;
  npu.vendor = "amd";
  npu.pci_address = "0000:c5:00.1";
  npu.driver = "amdxdna 6.14";
  npu.tags = {"xdna"};
  npu.attributes = {{"pci_id", "1022:1502"}, {"path.accel", "/dev/accel/accel0"}};
  m.resources = {cpu, npu};
  m.power_counters = {
      {.name = "package-0", .source = "rapl", .path = "/sys/class/powercap/intel-rapl:0/energy_uj", .readable = false}};
  m.state.cpu_khz = {3000000, 3000000, 2000000};
  m.state.load_1min = 0.25;
  return m;
}

TEST(Machine, JsonRoundTripKeepsEverything) {
  const Machine machine = small_machine();
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string json, machine_to_json(machine));
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine read, parse_machine(json));
  EXPECT_EQ(read, machine);
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string again, machine_to_json(read));
  EXPECT_EQ(again, json);
}

TEST(Machine, SavedRecordIsNamedAfterItsFile) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  ASSERT_THAT(save_machine(scratch.file("bench-box.json"), small_machine()), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine read, load_machine(scratch.file("bench-box.json")));
  EXPECT_EQ(read.recorded_name, "bench-box");
  EXPECT_EQ(read.fingerprint(), small_machine().fingerprint());
}

TEST(Machine, LoadNamesTheFileThatIsBroken) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  ASSERT_THAT(write_file_atomic(scratch.file("m.json"), "{\"format\": 3}"), IsOk());
  EXPECT_THAT(load_machine(scratch.file("m.json")), StatusIs(kInvalid, "m.json"));
  EXPECT_THAT(load_machine(scratch.file("absent.json")), StatusIs(StatusCode::kNotFound, "absent.json"));
}

TEST(Machine, FingerprintIsIdentityOnly) {
  const Machine machine = small_machine();
  Machine same = machine;
  same.state.load_1min = 17;
  same.recorded_name = "elsewhere";
  same.power_counters.clear();
  same.memory_bytes -= 4096;
  same.numa_nodes[0].memory_bytes = 1;
  same.resources[1].attributes["path.accel"] = "/dev/accel/accel1";
  same.resources[1].attributes["env.cuda_index"] = "0";
  EXPECT_EQ(same.fingerprint(), machine.fingerprint());
  EXPECT_TRUE(machine.fingerprint().starts_with("sha256:"));
  EXPECT_EQ(machine.fingerprint().size(), 7u + 64u);
}

TEST(Machine, FingerprintSeesEveryChangeOfHardwareDriverAndLimits) {
  const std::string original = small_machine().fingerprint();
  const auto changed = [&](auto change) {
    Machine machine = small_machine();
    change(machine);
    return machine.fingerprint() != original;
  };
  EXPECT_TRUE(changed([](Machine& m) { m.cpu_model += "X"; }));
  EXPECT_TRUE(changed([](Machine& m) { m.isa.pop_back(); }));
  EXPECT_TRUE(changed([](Machine& m) { m.allowed_cpus.pop_back(); }));
  EXPECT_TRUE(changed([](Machine& m) { m.cpu_quota = 2; }));
  EXPECT_TRUE(changed([](Machine& m) { m.memory_bytes *= 2; }));
  EXPECT_TRUE(changed([](Machine& m) { m.memory_limit_bytes = 1 << 30; }));
  EXPECT_TRUE(changed([](Machine& m) { m.resources[1].driver = "amdxdna 6.15"; }));
  EXPECT_TRUE(changed([](Machine& m) { m.resources[1].attributes["pci_id"] = "1022:17f0"; }));
  EXPECT_TRUE(changed([](Machine& m) { m.resources.pop_back(); }));
  EXPECT_TRUE(changed([](Machine& m) { m.caches[0].size_bytes = 1; }));
  EXPECT_TRUE(changed([](Machine& m) { m.os = "linux 6.2.0"; }));
}

TEST(Machine, MachinesOfAFleetThatAreBuiltAlikeAreOne) {
  Machine other = small_machine();
  other.resources[1].uuid = "GPU-00000002";
  EXPECT_EQ(other.fingerprint(), small_machine().fingerprint());
}

TEST(Machine, HardwareFingerprintOutlivesUpdates) {
  const std::string original = small_machine().hardware_fingerprint();
  Machine updated = small_machine();
  updated.os = "linux 7.0.0";
  updated.resources[1].driver = "amdxdna 7.0";
  updated.resources[1].attributes["firmware"] = "2";
  EXPECT_EQ(updated.hardware_fingerprint(), original);
  EXPECT_NE(updated.fingerprint(), small_machine().fingerprint());
  updated.resources[1].name += "X";
  EXPECT_NE(updated.hardware_fingerprint(), original);
}

TEST(Machine, FingerprintOfAHandMadeMachineNeverFails) {
  Machine machine;
  machine.cpu_model = "\xff\xfe";
  machine.cpu_quota = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(machine.fingerprint(), machine.fingerprint());
  EXPECT_THAT(machine_to_json(machine), StatusIs(kInvalid, "machine record"));
}

TEST(Machine, AllowedCoresCountsPhysicalCores) {
  Machine machine = small_machine();
  EXPECT_EQ(machine.allowed_cores(), 2);
  machine.allowed_cpus = {1, 3};
  EXPECT_EQ(machine.allowed_cores(), 1);
  EXPECT_EQ(Machine().allowed_cores(), 1);
}

TEST(Machine, ReaderNamesTheFault) {
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string good, machine_to_json(small_machine()));
  const auto with = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return at == std::string::npos ? text : text.replace(at, from.size(), to);
  };
  EXPECT_THAT(parse_machine("[]"), StatusIs(kInvalid, "machine must be an object"));
  EXPECT_THAT(parse_machine(with("\"axle-machine\"", "\"axle-lock\"")), StatusIs(kInvalid, "not \"axle-machine\""));
  EXPECT_THAT(parse_machine(with("\"version\":1", "\"version\":2")), StatusIs(kInvalid, "reads version 1"));
  EXPECT_THAT(parse_machine(with("\"cpu_model\"", "\"cpu_models\"")), StatusIs(kInvalid, "cpu_model"));
  EXPECT_THAT(parse_machine(with("\"cpu_quota\":1.5", "\"cpu_quota\":-1")), StatusIs(kInvalid, "machine.cpu_quota"));
  EXPECT_THAT(parse_machine(with("\"allowed_cpus\":[0,1,2]", "\"allowed_cpus\":[0,2,1]")), StatusIs(kInvalid, "ascending"));
  EXPECT_THAT(parse_machine(with("\"allowed_cpus\":[0,1,2]", "\"allowed_cpus\":[0,1,9]")), StatusIs(kInvalid, "CPU 9"));
  EXPECT_THAT(parse_machine(with("\"allowed_cpus\":[0,1,2]", "\"allowed_cpus\":[0,1]")),
              StatusIs(kInvalid, "machine.resources[0].cpus names CPU 2"));
  EXPECT_THAT(parse_machine(with("\"id\":\"npu:0\"", "\"id\":\"npu:1\"")), StatusIs(kInvalid, "say \"npu:0\""));
  EXPECT_THAT(parse_machine(with("\"kind\":\"npu\"", "\"kind\":\"tpu\"")), StatusIs(kInvalid, "\"tpu\""));
  EXPECT_THAT(parse_machine(with("\"kind\":\"npu\"", "\"kind\":\"npu\",\"colour\":1")),
              StatusIs(kInvalid, "unknown key \"colour\""));
  EXPECT_THAT(parse_machine(with("\"id\":1,", "\"id\":0,")), StatusIs(kInvalid, "machine.cpus[1].id"));
  EXPECT_THAT(parse_machine(good.substr(0, good.size() / 2)), StatusIs(kInvalid));
}

TEST(Machine, ReaderBoundsTextsAndLists) {
  Machine machine = small_machine();
  machine.cpu_model = std::string(5000, 'x');
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string long_text, machine_to_json(machine));
  EXPECT_THAT(parse_machine(long_text), StatusIs(kInvalid, "the limit is 4096"));
  machine = small_machine();
  machine.power_counters.resize(2000);
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string long_list, machine_to_json(machine));
  EXPECT_THAT(parse_machine(long_list), StatusIs(kInvalid, "the limit is 1024"));
}

TEST(Split, AddsCoreSetsAsResources) {
  Machine machine = small_machine();
  ASSERT_THAT(apply_split(machine, "cpu:0", {{2, 0}, {1}}), IsOk());
  ASSERT_EQ(machine.resources.size(), 4u);
  EXPECT_EQ(machine.resources[0].id, "cpu:0");
  EXPECT_EQ(machine.resources[1].id, "cpu:0/0");
  EXPECT_EQ(machine.resources[1].cpus, (std::vector<int32_t>{0, 2}));
  EXPECT_EQ(machine.resources[2].id, "cpu:0/1");
  EXPECT_EQ(machine.resources[2].cpus, std::vector<int32_t>{1});
  EXPECT_EQ(machine.resources[2].name, "AMD Test CPU");
  EXPECT_EQ(machine.resources[3].id, "npu:0");
  EXPECT_NE(find_resource(machine, "cpu:0/1"), nullptr);
}

TEST(Split, ReplacesAnEarlierSplit) {
  Machine machine = small_machine();
  ASSERT_THAT(apply_split(machine, "cpu:0", {{0}, {1}, {2}}), IsOk());
  ASSERT_THAT(apply_split(machine, "cpu:0", {{0, 1}}), IsOk());
  EXPECT_EQ(machine.resources.size(), 3u);
}

TEST(Split, RefusesWhatCannotBe) {
  const Machine original = small_machine();
  Machine machine = original;
  EXPECT_THAT(apply_split(machine, "cpu:0", {{0}, {3}}), StatusIs(kInvalid, "CPU 3 of core set cpu:0/1 is not allowed here"));
  EXPECT_THAT(apply_split(machine, "cpu:0", {{0}, {0}}), StatusIs(kInvalid, "CPU 0 appears twice"));
  EXPECT_THAT(apply_split(machine, "cpu:0", {{0}, {}}), StatusIs(kInvalid, "core set cpu:0/1 is empty"));
  EXPECT_THAT(apply_split(machine, "cpu:0", {}), StatusIs(kInvalid, "no core sets"));
  EXPECT_THAT(apply_split(machine, "npu:0", {{0}}), StatusIs(kInvalid, "only a whole CPU"));
  EXPECT_THAT(apply_split(machine, "cpu:1", {{0}}), StatusIs(StatusCode::kNotFound, "cpu:1"));
  EXPECT_EQ(machine, original);
}

TEST(Resource, FindsByIdOnly) {
  const Machine machine = small_machine();
  ASSERT_NE(find_resource(machine, "npu:0"), nullptr);
  EXPECT_EQ(find_resource(machine, "npu:0")->kind, ResourceKind::kNpu);
  EXPECT_EQ(find_resource(machine, "npu:1"), nullptr);
}

}  // namespace
}  // namespace axle
