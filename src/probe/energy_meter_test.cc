#include "probe/energy_meter.h"

#include <gmock/gmock.h>

#include <thread>

#include "base/testing/status_matchers.h"
#include "probe/testing/fixture_tree.h"

namespace axle {
namespace {

using testing::FixtureTree;

constexpr const char* kPackage = "/sys/class/powercap/intel-rapl:0/";
constexpr const char* kNoNvml = "libaxle-no-such-library.so";

FixtureTree& rapl(FixtureTree& tree, const std::string& zone, const std::string& name, int64_t energy) {
  const std::string folder = "/sys/class/powercap/" + zone + "/";
  return tree.file(folder + "name", name + "\n")
      .file(folder + "energy_uj", std::to_string(energy) + "\n")
      .file(folder + "max_energy_range_uj", "1000000\n");
}

Machine machine_with(const FixtureTree& tree, std::vector<Resource> devices = {}) {
  Machine machine;
  Resource cpu;
  cpu.id = "cpu:0";
  machine.resources = {cpu};
  for (Resource& device : devices) machine.resources.push_back(std::move(device));
  for (const char* zone : {"intel-rapl:0", "intel-rapl:1"}) {
    const std::string path = std::string("/sys/class/powercap/") + zone + "/energy_uj";
    if (tree.files().exists(path))
      machine.power_counters.push_back({std::string("package-") + zone[11], "rapl", path, tree.files().readable(path)});
  }
  machine.power_counters.push_back({"package-0/core", "rapl", "/sys/class/powercap/intel-rapl:0:0/energy_uj", true});
  return machine;
}

Resource gpu(const std::string& vendor, const std::string& address) {
  Resource resource;
  resource.id = "gpu:0";
  resource.kind = ResourceKind::kGpu;
  resource.vendor = vendor;
  resource.pci_address = address;
  return resource;
}

TEST(EnergyMeter, AddsUpThePackagesOfAProcessor) {
  FixtureTree tree;
  rapl(tree, "intel-rapl:0", "package-0", 1'000);
  rapl(tree, "intel-rapl:1", "package-1", 5'000);
  auto meter = EnergyMeter::open(tree.files(), machine_with(tree), {"cpu:0/0", "cpu:0/1"}, kNoNvml);
  ASSERT_TRUE(meter.has_value());
  EXPECT_EQ(meter->source(), "rapl package-0, rapl package-1");
  EXPECT_EQ(meter->microjoules(), std::nullopt) << "nothing was started";
  meter->start();
  EXPECT_EQ(meter->microjoules(), 0);
  rapl(tree, "intel-rapl:0", "package-0", 1'700);
  rapl(tree, "intel-rapl:1", "package-1", 5'020);
  EXPECT_EQ(meter->microjoules(), 720);
}

TEST(EnergyMeter, CountsOnWhereACounterBeginsAnew) {
  FixtureTree tree;
  rapl(tree, "intel-rapl:0", "package-0", 999'900);
  auto meter = EnergyMeter::open(tree.files(), machine_with(tree), {"cpu:0"}, kNoNvml);
  ASSERT_TRUE(meter.has_value());
  meter->start();
  rapl(tree, "intel-rapl:0", "package-0", 50);
  EXPECT_EQ(meter->microjoules(), 150);
}

TEST(EnergyMeter, ACounterThatIsGoneIsNoFigure) {
  FixtureTree tree;
  rapl(tree, "intel-rapl:0", "package-0", 10);
  auto meter = EnergyMeter::open(tree.files(), machine_with(tree), {"cpu:0"}, kNoNvml);
  ASSERT_TRUE(meter.has_value());
  meter->start();
  tree.remove(std::string(kPackage) + "energy_uj");
  EXPECT_EQ(meter->microjoules(), std::nullopt);
}

TEST(EnergyMeter, AnUnreadableOrMissingCounterIsNoMeter) {
  FixtureTree tree;
  EXPECT_FALSE(EnergyMeter::open(tree.files(), machine_with(tree), {"cpu:0"}, kNoNvml).has_value());
  rapl(tree, "intel-rapl:0", "package-0", 10);
  Machine machine = machine_with(tree, {gpu("amd", "0000:01:00.0")});
  EXPECT_FALSE(EnergyMeter::open(tree.files(), machine, {"cpu:0", "gpu:0"}, kNoNvml).has_value()) << "the device has none";
  EXPECT_FALSE(EnergyMeter::open(tree.files(), machine, {"npu:0"}, kNoNvml).has_value()) << "there is no such resource";
  machine.power_counters.front().readable = false;
  EXPECT_FALSE(EnergyMeter::open(tree.files(), machine, {"cpu:0"}, kNoNvml).has_value());
}

TEST(EnergyMeter, ADevicesEnergyGoesBeforeItsPower) {
  FixtureTree tree;
  tree.file("/sys/class/hwmon/hwmon3/energy1_input", "500\n").file("/sys/class/hwmon/hwmon3/power1_average", "2000000\n");
  Machine machine = machine_with(tree, {gpu("amd", "0000:01:00.0")});
  machine.power_counters.push_back({"gpu:0", "hwmon", "/sys/class/hwmon/hwmon3/power1_average", true});
  {
    auto meter = EnergyMeter::open(tree.files(), machine, {"gpu:0"}, kNoNvml);
    ASSERT_TRUE(meter.has_value());
    meter->start();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    const auto drawn = meter->microjoules();
    ASSERT_TRUE(drawn.has_value());
    EXPECT_GE(*drawn, 2 * 20'000 - 100) << "2 W for 20 ms at least";
  }
  machine.power_counters.push_back({"gpu:0", "hwmon", "/sys/class/hwmon/hwmon3/energy1_input", true});
  auto meter = EnergyMeter::open(tree.files(), machine, {"gpu:0"}, kNoNvml);
  ASSERT_TRUE(meter.has_value());
  meter->start();
  tree.file("/sys/class/hwmon/hwmon3/energy1_input", "620\n");
  EXPECT_EQ(meter->microjoules(), 120);
}

TEST(EnergyMeter, AsksNvidiasLibraryForItsDevices) {
  FixtureTree tree;
  const Machine machine = machine_with(tree, {gpu("nvidia", "0000:52:00.0")});
  EXPECT_FALSE(EnergyMeter::open(tree.files(), machine, {"gpu:0"}, kNoNvml).has_value());
  auto meter = EnergyMeter::open(tree.files(), machine, {"gpu:0"}, AXLE_FAKE_NVML);
  ASSERT_TRUE(meter.has_value());
  EXPECT_EQ(meter->source(), "nvml gpu:0");
  meter->start();
  EXPECT_EQ(meter->microjoules(), 250'000);
  const Machine other = machine_with(tree, {gpu("nvidia", "0000:53:00.0")});
  EXPECT_FALSE(EnergyMeter::open(tree.files(), other, {"gpu:0"}, AXLE_FAKE_NVML).has_value());
}

}  // namespace
}  // namespace axle
