#include "probe/discover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "base/testing/status_matchers.h"
#include "probe/testing/fixture_tree.h"

namespace axle {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FixtureTree;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using ::testing::IsSupersetOf;
using ::testing::Not;
using testing::StatusIs;

std::vector<std::string> ids(const Machine& machine) {
  std::vector<std::string> out;
  for (const Resource& resource : machine.resources) out.push_back(resource.id);
  return out;
}

const Resource& at(const Machine& machine, std::string_view id) {
  static const Resource absent;
  const Resource* found = find_resource(machine, id);
  EXPECT_NE(found, nullptr) << id;
  return found ? *found : absent;
}

// Every recorded machine: tests/machines/NAME.json is what discovery makes of testdata/NAME.tree.
class RecordedMachine : public ::testing::TestWithParam<const char*> {};

TEST_P(RecordedMachine, IsWhatDiscoveryFinds) {
  const std::string name = GetParam();
  const FixtureTree tree(name);
  AXLE_ASSERT_OK_AND_ASSIGN(Machine found, tree.discover());
  found.recorded_name = name;
  const std::string path = std::string(AXLE_SOURCE_DIR) + "/tests/machines/" + name + ".json";
  if (std::getenv("AXLE_UPDATE_GOLDEN") != nullptr) {
    ASSERT_THAT(save_machine(path, found), IsOk());
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine recorded, load_machine(path));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string found_json, machine_to_json(found));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string recorded_json, machine_to_json(recorded));
  EXPECT_EQ(found_json, recorded_json) << "run with AXLE_UPDATE_GOLDEN=1 to accept";
}

INSTANTIATE_TEST_SUITE_P(All, RecordedMachine,
                         ::testing::Values("cloud-vm-2core", "ryzen-hybrid", "xeon-2socket", "h100-8gpu", "rk3588-board"),
                         [](const auto& machine) {
                           std::string name = machine.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Discover, CloudVm) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine m, FixtureTree("cloud-vm-2core").discover());
  EXPECT_EQ(m.architecture, "x86_64");
  EXPECT_EQ(m.cpu_vendor, "amd");
  EXPECT_EQ(m.cpu_model, "AMD EPYC");
  EXPECT_TRUE(m.virtual_machine);
  EXPECT_THAT(m.isa, IsSupersetOf({"avx2", "avx512_bf16", "avx512_vnni", "avx512_vp2intersect"}));
  EXPECT_THAT(m.isa, Not(Contains("amx_tile")));
  EXPECT_THAT(m.allowed_cpus, ElementsAre(0, 1));
  EXPECT_EQ(m.allowed_cores(), 2);
  EXPECT_EQ(m.cpu_quota, 0);
  EXPECT_EQ(m.memory_limit_bytes, 0u);
  EXPECT_EQ(m.caches.size(), 4u);
  EXPECT_EQ(m.caches.back(), (CpuCache{.level = 3, .type = "unified", .size_bytes = 32u << 20, .shared_by_cpus = 2}));
  EXPECT_THAT(ids(m), ElementsAre("cpu:0"));
  EXPECT_THAT(m.power_counters, IsEmpty());
  EXPECT_THAT(m.state.cpu_khz, ElementsAre(2596098, 2596098));
}

TEST(Discover, RyzenLaptop) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine m, FixtureTree("ryzen-hybrid").discover());
  EXPECT_THAT(ids(m), ElementsAre("cpu:0", "gpu:0", "npu:0"));
  EXPECT_FALSE(m.virtual_machine);
  EXPECT_EQ(m.allowed_cores(), 8);
  EXPECT_EQ(m.cpus[1].smt_index, 1);
  EXPECT_EQ(m.cpus[1].core, 0);
  EXPECT_EQ(m.cpus[0].max_khz, 5132000);
  const Resource& gpu = at(m, "gpu:0");
  EXPECT_EQ(gpu.vendor, "amd");
  EXPECT_THAT(gpu.name, HasSubstr("780M"));
  EXPECT_THAT(gpu.tags, ElementsAre("integrated", "rdna3"));
  EXPECT_EQ(gpu.driver, "amdgpu 6.14.0");
  EXPECT_EQ(gpu.memory_bytes, 536870912u + 16430350336u);
  EXPECT_EQ(gpu.attributes.at("path.nodes"), "/dev/dri/card1 /dev/dri/renderD128");
  const Resource& npu = at(m, "npu:0");
  EXPECT_EQ(npu.name, "AMD Ryzen AI NPU (XDNA)");
  EXPECT_EQ(npu.pci_address, "0000:c5:00.1");
  EXPECT_EQ(npu.driver, "amdxdna 6.14.0");
  EXPECT_EQ(npu.attributes.at("path.nodes"), "/dev/accel/accel0");
  EXPECT_EQ(npu.attributes.at("firmware"), "1.5.5.391");
  EXPECT_EQ(m.state.governor, "powersave");
  EXPECT_DOUBLE_EQ(m.state.cpu_pressure_some_10s, 0.42);
  AXLE_ASSERT_OK_AND_ASSIGN(const Selector igpu, parse_selector("igpu"));
  EXPECT_THAT(select(igpu, m), ElementsAre("gpu:0"));
}

TEST(Discover, RyzenLaptopPowerCounters) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine m, FixtureTree("ryzen-hybrid").discover());
  std::vector<std::string> names;
  for (const PowerCounter& counter : m.power_counters) names.push_back(counter.source + " " + counter.name);
  EXPECT_THAT(names, ElementsAre("hwmon BAT0 power1", "hwmon gpu:0", "rapl package-0", "rapl package-0/core"));
}

TEST(Discover, TwoSocketServer) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine m, FixtureTree("xeon-2socket").discover());
  EXPECT_THAT(ids(m), ElementsAre("cpu:0"));  // neither the management screen nor QAT nor DSA
  EXPECT_EQ(m.cpus.size(), 224u);
  EXPECT_EQ(m.allowed_cores(), 112);
  ASSERT_EQ(m.numa_nodes.size(), 2u);
  EXPECT_EQ(m.numa_nodes[1].cpus.size(), 112u);
  EXPECT_EQ(m.cpus[56].package, 1);
  EXPECT_EQ(m.cpus[56].numa_node, 1);
  EXPECT_EQ(m.cpus[112].core, 0);
  EXPECT_EQ(m.cpus[112].smt_index, 1);
  EXPECT_THAT(m.isa, IsSupersetOf({"amx_bf16", "amx_int8", "amx_tile", "avx512_fp16"}));
  EXPECT_EQ(at(m, "cpu:0").attributes.at("packages"), "2");
}

TEST(Discover, EightGpuNodeInAContainer) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine m, FixtureTree("h100-8gpu").discover());
  EXPECT_EQ(m.resources.size(), 9u);  // NVSwitches are bridges
  EXPECT_EQ(m.cpu_quota, 64);
  EXPECT_EQ(m.memory_limit_bytes, 512ull << 30);
  EXPECT_EQ(at(m, "cpu:0").memory_bytes, 512ull << 30);
  const Resource& gpu = at(m, "gpu:2");
  EXPECT_EQ(gpu.name, "NVIDIA H100 80GB HBM3");
  EXPECT_EQ(gpu.pci_address, "0000:52:00.0");
  EXPECT_EQ(gpu.uuid, "GPU-00000002-aaaa-bbbb-cccc-000000000000");
  EXPECT_EQ(gpu.driver, "nvidia 550.90.07");
  EXPECT_EQ(gpu.memory_bytes, 80ull << 30);
  EXPECT_EQ(gpu.attributes.at("memory_source"), "table");
  EXPECT_EQ(gpu.attributes.at("path.nodes"), "/dev/nvidia2");
  EXPECT_THAT(gpu.tags, ElementsAre("discrete", "hopper"));
  EXPECT_EQ(at(m, "gpu:7").attributes.at("numa_node"), "1");
  AXLE_ASSERT_OK_AND_ASSIGN(const Selector cuda0, parse_selector("cuda:0"));
  EXPECT_THAT(select(cuda0, m), ElementsAre("gpu:2"));
  EXPECT_EQ(m.state.memory_available_bytes, (512ull << 30) - (10ull << 30));
}

TEST(Discover, ArmBoard) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine m, FixtureTree("rk3588-board").discover());
  EXPECT_EQ(m.cpu_vendor, "arm");
  EXPECT_EQ(m.cpu_model, "4x Cortex-A55 + 4x Cortex-A76");
  EXPECT_THAT(m.isa, IsSupersetOf({"asimd", "asimddp", "fphp"}));
  EXPECT_THAT(m.isa, Not(Contains("sve")));
  EXPECT_THAT(ids(m), ElementsAre("cpu:0", "gpu:0", "npu:0", "npu:1"));
  EXPECT_EQ(at(m, "npu:0").name, "Hailo-8");  // PCI before the rest
  EXPECT_EQ(at(m, "npu:0").driver, "hailo 4.17.0");
  EXPECT_EQ(at(m, "npu:0").attributes.at("path.nodes"), "/dev/hailo0");
  const Resource& npu = at(m, "npu:1");
  EXPECT_EQ(npu.vendor, "rockchip");
  EXPECT_EQ(npu.name, "Rockchip RK3588 NPU");
  EXPECT_EQ(npu.driver, "RKNPU 6.1.43");
  EXPECT_EQ(npu.attributes.at("path.nodes"), "/dev/dri/card1 /dev/dri/renderD129");
  EXPECT_EQ(at(m, "gpu:0").vendor, "arm");
  EXPECT_EQ(m.cpus[4].max_khz, 2400000);
  EXPECT_EQ(m.caches.size(), 3u);  // two kinds of level 2
}

TEST(Discover, RockchipCoresOfTheMainlineDriverAreOneDevice) {
  FixtureTree tree("rk3588-board");
  tree.remove("/sys/bus/platform/devices/fdab0000.npu");
  for (const char* core : {"fdab0000.npu", "fdac0000.npu", "fdad0000.npu"}) {
    tree.file(std::string("/sys/bus/platform/devices/") + core + "/uevent",
              "DRIVER=rocket\nOF_COMPATIBLE_0=rockchip,rk3588-rknn-core\n");
  }
  tree.file("/sys/class/accel/accel0/uevent", "DEVNAME=accel/accel0\n")
      .file("/sys/class/accel/accel0/device/uevent", "DRIVER=rocket\n");
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine m, tree.discover());
  EXPECT_THAT(ids(m), ElementsAre("cpu:0", "gpu:0", "npu:0", "npu:1"));
  EXPECT_EQ(at(m, "npu:1").attributes.at("cores"), "3");
  EXPECT_EQ(at(m, "npu:1").attributes.at("path.nodes"), "/dev/accel/accel0");
}

TEST(Discover, AffinityAndCpusetLimitTheCpus) {
  FixtureTree tree("ryzen-hybrid");
  tree.surroundings().affinity = {{2, 3, 4, 5, 99}};
  tree.file("/sys/fs/cgroup/user.slice/cpuset.cpus.effective", "4-15\n");
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine m, tree.discover());
  EXPECT_THAT(m.allowed_cpus, ElementsAre(4, 5));
  EXPECT_EQ(m.allowed_cores(), 1);
  EXPECT_THAT(at(m, "cpu:0").cpus, ElementsAre(4, 5));
  EXPECT_EQ(m.cpus.size(), 16u);
}

TEST(Discover, OfflineCpusAreNotCounted) {
  FixtureTree tree("ryzen-hybrid");
  tree.file("/sys/devices/system/cpu/online", "0-3,6-15\n");
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine m, tree.discover());
  EXPECT_EQ(m.cpus.size(), 14u);
  EXPECT_EQ(m.allowed_cores(), 7);
}

TEST(Discover, RealMachineIsFoundAndRecorded) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine machine, discover_machine());
  EXPECT_GE(machine.allowed_cpus.size(), 1u);
  EXPECT_GT(machine.memory_bytes, 0u);
  EXPECT_EQ(machine.resources[0].id, "cpu:0");
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string json, machine_to_json(machine));
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine read, parse_machine(json));
  EXPECT_EQ(read, machine);
  AXLE_ASSERT_OK_AND_ASSIGN(const Machine again, discover_machine());
  EXPECT_EQ(again.fingerprint(), machine.fingerprint());
}

// Hostile or broken trees: whatever is there, discovery ends, and what it says can be recorded.
void expect_recordable(const Result<Machine>& machine) {
  ASSERT_THAT(machine, IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string json, machine_to_json(*machine));
  EXPECT_THAT(parse_machine(json), IsOk());
  EXPECT_GE(machine->allowed_cores(), 1);
}

TEST(DiscoverHostile, NothingReadable) {
  EXPECT_THAT(FixtureTree().discover(), StatusIs(StatusCode::kUnavailable, "/proc/cpuinfo"));
}

TEST(DiscoverHostile, CpuinfoAlone) {
  FixtureTree tree;
  tree.file("/proc/cpuinfo",
            "processor\t: 0\nvendor_id\t: GenuineIntel\nphysical id\t: 0\ncore id\t: 0\n\nprocessor\t: 1\nphysical id\t: "
            "0\ncore id\t: 0\n");
  const Result<Machine> machine = tree.discover();
  expect_recordable(machine);
  EXPECT_EQ(machine->cpus.size(), 2u);
  EXPECT_EQ(machine->allowed_cores(), 1);
  EXPECT_EQ(machine->numa_nodes.size(), 1u);
}

TEST(DiscoverHostile, EveryFileInTurnIsEmptyGarbageOrGone) {
  for (const char* name : {"ryzen-hybrid", "rk3588-board"}) {
    FixtureTree tree(name);
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(tree.full(""))) {
      const std::string path = entry.path().string();
      const bool repeated = path.find("/cpu/cpu") != std::string::npos && path.find("/cpu/cpu1/") == std::string::npos;
      if (entry.is_regular_file() && !repeated) paths.push_back(entry.path());
    }
    ASSERT_GT(paths.size(), 30u);
    for (const std::filesystem::path& path : paths) {
      AXLE_ASSERT_OK_AND_ASSIGN(const std::string original, read_file(path.string(), 1u << 20));
      for (const std::string& content :
           {std::string(), std::string("\xff\xfe\x00:-99999999999999999999 0xffffffffffffffff\n", 44), std::string("-1\n"),
            std::string("9223372036854775807\n"), std::string(100000, '9')}) {
        std::ofstream(path, std::ios::binary) << content;
        SCOPED_TRACE(path.string() + " = " + content.substr(0, 20));
        expect_recordable(tree.discover());
      }
      std::filesystem::remove(path);
      expect_recordable(tree.discover());
      std::ofstream(path, std::ios::binary) << original;
    }
  }
}

TEST(DiscoverHostile, LinksFoldersAndPipesInPlaceOfFiles) {
  FixtureTree tree("ryzen-hybrid");
  tree.remove("/proc/meminfo").link("/proc/meminfo", "meminfo");
  tree.remove("/sys/class/powercap/intel-rapl:0").link("/sys/class/powercap/intel-rapl:0", "intel-rapl:0");
  tree.remove("/sys/bus/pci/devices/0000:01:00.0").link("/sys/bus/pci/devices/0000:01:00.0", "../devices/0000:01:00.0");
  tree.remove("/sys/bus/pci/devices/0000:c5:00.1/class").folder("/sys/bus/pci/devices/0000:c5:00.1/class");
  tree.remove("/proc/loadavg");
  ASSERT_EQ(::mkfifo(tree.full("/proc/loadavg").c_str(), 0600), 0);
  tree.file("/sys/bus/pci/devices/0000:ff:00.0/vendor", "0x10de\n");
  tree.file("/sys/bus/pci/devices/not-an-address/vendor", "0x10de\n");
  const Result<Machine> machine = tree.discover();
  expect_recordable(machine);
  EXPECT_THAT(ids(*machine), ElementsAre("cpu:0", "gpu:0"));
  EXPECT_EQ(machine->memory_bytes, 0u);
}

TEST(DiscoverHostile, HugeCpuListsAreBounded) {
  FixtureTree tree("ryzen-hybrid");
  tree.surroundings().affinity = std::nullopt;
  tree.file("/sys/devices/system/cpu/online", "0-4294967295,3-1,-5,7-\n");
  const Result<Machine> machine = tree.discover();
  expect_recordable(machine);
  EXPECT_EQ(machine->cpus.size(), 8192u);
}

}  // namespace
}  // namespace axle
