#include "probe/accelerators.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probe/device_table.h"
#include "probe/testing/fixture_tree.h"

namespace axle {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using testing::FixtureTree;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Pci {
  std::string address;
  uint32_t vendor, device, class_code;
  std::string driver = "";
};

FixtureTree& add(FixtureTree& tree, const Pci& pci) {
  const std::string folder = "/sys/bus/pci/devices/" + pci.address;
  tree.file(folder + "/vendor", fmt::format("0x{:04x}\n", pci.vendor))
      .file(folder + "/device", fmt::format("0x{:04x}\n", pci.device));
  tree.file(folder + "/class", fmt::format("0x{:06x}\n", pci.class_code));
  if (!pci.driver.empty()) tree.link(folder + "/driver", "../../drivers/" + pci.driver);
  return tree;
}

std::vector<Resource> found(const FixtureTree& tree) { return pci_accelerators(tree.files(), read_pci_devices(tree.files())); }

Resource only(const Pci& pci) {
  FixtureTree tree;
  const std::vector<Resource> resources = found(add(tree, pci));
  EXPECT_EQ(resources.size(), 1u) << pci.address;
  return resources.empty() ? Resource() : resources[0];
}

TEST(PciAccelerators, KnowsTheNpusOfManyVendors) {
  const std::pair<Pci, std::pair<const char*, const char*>> cases[] = {
      {{"0000:c5:00.1", 0x1022, 0x17f0, 0x118000, "amdxdna"}, {"amd", "XDNA 2"}},
      {{"0000:00:0b.0", 0x8086, 0x7d1d, 0x120000, "intel_vpu"}, {"intel", "Meteor Lake"}},
      {{"0000:00:0b.0", 0x8086, 0xb03e, 0x120000, ""}, {"intel", "Panther Lake"}},
      {{"0000:33:00.0", 0x1da3, 0x1020, 0x120000, "habanalabs"}, {"intel", "Gaudi 2"}},
      {{"0000:c3:00.0", 0x1eff, 0x1220, 0x120000, "rebellions"}, {"rebellions", "ATOM+"}},
      {{"0000:4e:00.0", 0x1ed2, 0x0001, 0x120000, "furiosa_rngd"}, {"furiosa", "RNGD"}},
      {{"0000:21:00.0", 0x17cb, 0xa100, 0x120000, "qaic"}, {"qualcomm", "Cloud AI 100"}},
      {{"0000:01:00.0", 0x1e60, 0x2864, 0x120000, "hailo"}, {"hailo", "Hailo-8"}},
      {{"0000:03:00.0", 0x1ac1, 0x089a, 0x088000, "apex"}, {"google", "Edge TPU"}},
      {{"0000:00:04.0", 0x1ae0, 0x0063, 0xff0000, ""}, {"google", "v5e"}},
      {{"0000:01:00.0", 0x1e52, 0xb140, 0x120000, "tenstorrent"}, {"tenstorrent", "Blackhole"}},
      {{"0000:c1:00.0", 0x19e5, 0xd802, 0x120000, "drv_pcie_host"}, {"huawei", "Ascend 910B"}},
      {{"0000:00:1f.0", 0x1d0f, 0x7264, 0x088000, "neuron"}, {"aws", "Inferentia2"}},
      {{"0000:01:00.0", 0x1f9d, 0x1100, 0x120000, "metis"}, {"axelera", "Metis"}},
      {{"0000:01:00.0", 0x1ff4, 0x0000, 0x120000, ""}, {"deepx", "DX-M1"}},
  };
  for (const auto& [pci, expected] : cases) {
    const Resource resource = only(pci);
    EXPECT_EQ(resource.kind, ResourceKind::kNpu) << resource.name;
    EXPECT_EQ(resource.vendor, expected.first);
    EXPECT_THAT(resource.name, HasSubstr(expected.second));
  }
}

TEST(PciAccelerators, NewDeviceIsKnownByItsDriverOrVendor) {
  const Resource by_driver = only({"0000:c5:00.1", 0x1022, 0x1ffe, 0x118000, "amdxdna"});
  EXPECT_EQ(by_driver.name, "AMD NPU [1022:1ffe]");
  EXPECT_EQ(by_driver.kind, ResourceKind::kNpu);
  const Resource by_vendor = only({"0000:01:00.0", 0x1eff, 0x9999, 0x120000, ""});
  EXPECT_EQ(by_vendor.name, "rebellions NPU [1eff:9999]");
  EXPECT_EQ(by_vendor.driver, "");
}

TEST(PciAccelerators, InstinctBoardIsAGpuThoughItsClassSaysAccelerator) {
  EXPECT_EQ(only({"0000:75:00.0", 0x1002, 0x75a3, 0x120000, "amdgpu"}).kind, ResourceKind::kGpu);
  EXPECT_EQ(only({"0000:75:00.0", 0x1002, 0x7fff, 0x120000, "amdgpu"}).kind, ResourceKind::kGpu);
}

TEST(PciAccelerators, LeavesOutWhatComputesNothing) {
  const Pci others[] = {{"0000:03:00.0", 0x1a03, 0x2000, 0x030000, "ast"},          // management screen
                        {"0000:00:01.0", 0x1234, 0x1111, 0x030000, "bochs-drm"},    // emulated screen
                        {"0000:00:01.0", 0x1af4, 0x1050, 0x038000, "virtio-pci"},   // virtio-gpu
                        {"0000:75:00.0", 0x19e5, 0xa250, 0x120000, "hisi_zip"},     // compression
                        {"0000:06:00.0", 0x19e5, 0x1711, 0x030000, "hibmc-drm"},    // iBMC screen
                        {"0000:0a:00.0", 0x177d, 0xef01, 0x120000, ""},             // packet processor
                        {"0000:0b:00.0", 0x10ee, 0x5000, 0x120000, "xclmgmt"},      // FPGA shell
                        {"0000:07:00.0", 0x10de, 0x22a3, 0x068000, "nvidia-nvswitch"},
                        {"0000:01:00.1", 0x10de, 0x22bd, 0x040300, ""}};
  for (const Pci& pci : others) {
    FixtureTree tree;
    EXPECT_THAT(found(add(tree, pci)), IsEmpty()) << fmt::format("{:04x}:{:04x}", pci.vendor, pci.device);
  }
}

TEST(PciAccelerators, AcceleratorNodeMakesAnNpuOfAnUnknownDevice) {
  FixtureTree tree;
  add(tree, {"0000:01:00.0", 0xabcd, 0x0001, 0x120000, "newnpu"});
  tree.file("/sys/bus/pci/devices/0000:01:00.0/accel/accel3/uevent", "MAJOR=261\nDEVNAME=accel/accel3\n");
  const std::vector<Resource> resources = found(tree);
  ASSERT_EQ(resources.size(), 1u);
  EXPECT_EQ(resources[0].name, "unknown NPU [abcd:0001]");
  EXPECT_EQ(resources[0].attributes.at("path.nodes"), "/dev/accel/accel3");
}

TEST(PciAccelerators, IntegratedOrDiscreteWithoutTheTable) {
  EXPECT_THAT(only({"0000:00:02.0", 0x8086, 0xffff, 0x030000, "xe"}).tags, ElementsAre("integrated"));
  EXPECT_THAT(only({"0000:03:00.0", 0x8086, 0xffff, 0x030000, "xe"}).tags, ElementsAre("discrete"));
  EXPECT_THAT(only({"0000:03:00.0", 0x1002, 0xffff, 0x030000, "amdgpu"}).tags, ElementsAre("discrete"));
  FixtureTree apu;
  add(apu, {"0000:c4:00.0", 0x1002, 0xffff, 0x030000, "amdgpu"});
  add(apu, {"0000:c4:00.2", 0x1022, 0x15c7, 0x108000, "ccp"});
  EXPECT_THAT(found(apu)[0].tags, ElementsAre("integrated"));
}

TEST(PciAccelerators, VirtualFunctionsBelongToTheirPhysicalOne) {
  FixtureTree tree;
  add(tree, {"0000:03:00.0", 0x1002, 0x74a1, 0x120000, "amdgpu"});
  add(tree, {"0000:03:02.0", 0x1002, 0x74b5, 0x120000, "vfio-pci"});
  tree.folder("/sys/bus/pci/devices/0000:03:02.0/physfn");
  EXPECT_EQ(found(tree).size(), 1u);
}

TEST(PciAccelerators, MemoryFromDriverThenTableThenBar) {
  FixtureTree driver;
  add(driver, {"0000:03:00.0", 0x1002, 0x74a1, 0x120000, "amdgpu"})
      .file("/sys/bus/pci/devices/0000:03:00.0/mem_info_vram_total", "206141652992\n");
  EXPECT_EQ(found(driver)[0].memory_bytes, 206141652992u);
  EXPECT_EQ(found(driver)[0].attributes.at("memory_source"), "driver");
  EXPECT_EQ(only({"0000:03:00.0", 0x1002, 0x74a1, 0x120000, ""}).memory_bytes, 192ull << 30);
  FixtureTree bar;
  add(bar, {"0000:03:00.0", 0x8086, 0xe2ff, 0x030000, "xe"});
  bar.file(
      "/sys/bus/pci/devices/0000:03:00.0/resource",
      "0x0000000080000000 0x0000000080ffffff 0x0000000000140204\n0x0000004000000000 0x00000043ffffffff 0x000000000014220c\n");
  EXPECT_EQ(found(bar)[0].memory_bytes, 16ull << 30);
  EXPECT_EQ(found(bar)[0].attributes.at("memory_source"), "bar");
  FixtureTree tiles;
  add(tiles, {"0000:03:00.0", 0x8086, 0x0bff, 0x038000, "xe"});
  tiles.file("/sys/bus/pci/devices/0000:03:00.0/tile0/physical_vram_size_bytes", "1000\n")
      .file("/sys/bus/pci/devices/0000:03:00.0/tile1/physical_vram_size_bytes", "2000\n");
  EXPECT_EQ(found(tiles)[0].memory_bytes, 3000u);
}

TEST(PciAccelerators, NvidiaApertureIsNotItsMemory) {
  FixtureTree tree;
  add(tree, {"0000:03:00.0", 0x10de, 0x23ff, 0x030200, "nvidia"});
  tree.file("/sys/bus/pci/devices/0000:03:00.0/resource", "0x0000004000000000 0x0000005fffffffff 0x000000000014220c\n");
  EXPECT_EQ(found(tree)[0].memory_bytes, 0u);
  EXPECT_THAT(found(tree)[0].tags, Contains("hopper"));
}

TEST(Nvidia, UnreadUuidIsNoUuidAndBannerGivesTheVersion) {
  FixtureTree tree;
  add(tree, {"0000:03:00.0", 0x10de, 0x20b2, 0x030200, "nvidia"});
  tree.file("/proc/driver/nvidia/version",
            "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  595.71.05  Release Build\n");
  tree.file("/proc/driver/nvidia/gpus/0000:03:00.0/information",
            "Model: \t Unknown\nGPU UUID: \t GPU-" + std::string(8, '?') + "\n");
  EXPECT_EQ(found(tree)[0].uuid, "");
  EXPECT_EQ(found(tree)[0].driver, "nvidia 595.71.05");
  EXPECT_EQ(found(tree)[0].name, "NVIDIA A100-SXM4-80GB");
}

std::vector<std::string> cuda_order(const std::optional<std::string>& visible) {
  std::vector<Resource> resources(4);
  for (size_t i = 0; i < resources.size(); ++i) {
    resources[i].kind = ResourceKind::kGpu;
    resources[i].vendor = i == 1 ? "amd" : "nvidia";
    resources[i].driver = i == 1 ? "amdgpu" : "nvidia 550";
    resources[i].uuid = i == 2 ? "GPU-aa11" : fmt::format("GPU-ab{}", i);
  }
  set_cuda_indices(resources, visible);
  std::vector<std::string> order;
  for (const Resource& resource : resources) {
    const auto at = resource.attributes.find("env.cuda_index");
    order.push_back(at == resource.attributes.end() ? "-" : at->second);
  }
  return order;
}

TEST(CudaVisibleDevices, AsCudaReadsIt) {
  EXPECT_THAT(cuda_order(std::nullopt), ElementsAre("0", "-", "1", "2"));
  EXPECT_THAT(cuda_order("2,0"), ElementsAre("1", "-", "-", "0"));
  EXPECT_THAT(cuda_order(""), ElementsAre("-", "-", "-", "-"));
  EXPECT_THAT(cuda_order("-1"), ElementsAre("-", "-", "-", "-"));
  EXPECT_THAT(cuda_order("1,9,0"), ElementsAre("-", "-", "0", "-"));
  EXPECT_THAT(cuda_order("GPU-aa"), ElementsAre("-", "-", "0", "-"));
  EXPECT_THAT(cuda_order("GPU-a"), ElementsAre("-", "-", "-", "-"));  // ambiguous
  EXPECT_THAT(cuda_order("0,0"), ElementsAre("-", "-", "-", "-"));
}

TEST(UsbAccelerators, KnowsTheCoralStick) {
  FixtureTree tree;
  tree.file("/sys/bus/usb/devices/2-1/idVendor", "18d1\n").file("/sys/bus/usb/devices/2-1/idProduct", "9302\n");
  tree.file("/sys/bus/usb/devices/2-2/idVendor", "046d\n").file("/sys/bus/usb/devices/2-2/idProduct", "c52b\n");
  const std::vector<Resource> resources = usb_accelerators(tree.files());
  ASSERT_EQ(resources.size(), 1u);
  EXPECT_EQ(resources[0].vendor, "google");
  EXPECT_EQ(resources[0].attributes.at("usb_id"), "18d1:9302");
}

TEST(PlatformAccelerators, HexagonByItsNode) {
  FixtureTree tree;
  tree.file("/dev/fastrpc-cdsp", "").file("/sys/devices/soc0/machine", "QCS6490\n");
  const std::vector<Resource> resources = platform_accelerators(tree.files());
  ASSERT_EQ(resources.size(), 1u);
  EXPECT_EQ(resources[0].name, "Qualcomm Hexagon (QCS6490)");
  EXPECT_EQ(resources[0].attributes.at("hexagon"), "v68");
}

TEST(PlatformAccelerators, HexagonOfAnUnknownSocDoesNotSayItsGeneration) {
  FixtureTree tree;
  tree.file("/dev/fastrpc-cdsp", "").file("/sys/devices/soc0/machine", "SM9999\n");
  const std::vector<Resource> resources = platform_accelerators(tree.files());
  ASSERT_EQ(resources.size(), 1u);
  EXPECT_FALSE(resources[0].attributes.contains("hexagon"));
}

TEST(DeviceTable, HexagonGenerations) {
  EXPECT_EQ(hexagon_generation("X1E80100"), "v73");
  EXPECT_EQ(hexagon_generation("SM8650"), "v75");
  EXPECT_EQ(hexagon_generation("SM8750P"), "v79");
  EXPECT_EQ(hexagon_generation("SM8"), "");
  EXPECT_EQ(hexagon_generation(""), "");
}

// Attributes as the driver (2023) writes them.
FixtureTree two_ranks() {
  FixtureTree tree;
  for (const std::string rank : {"dpu_rank0", "dpu_rank1"}) {
    const std::string folder = "/sys/class/dpu_rank/" + rank;
    tree.file("/dev/" + rank, "").file(folder + "/nb_ci", "8\n").file(folder + "/nb_dpus_per_ci", "8\n");
    tree.file(folder + "/mram_size", "67108864\n").file(folder + "/fck_frequency", "700\n");
    tree.file(folder + "/clock_division", "2\n").file(folder + "/rank_count", "2\n");
  }
  return tree;
}

TEST(MemoryAccelerators, AllRanksAreOneResource) {
  FixtureTree tree = two_ranks();
  tree.file("/sys/module/dpu/version", "2023.2.0\n");
  const std::vector<Resource> resources = memory_accelerators(tree.files());
  ASSERT_EQ(resources.size(), 1u);
  const Resource& pim = resources[0];
  EXPECT_EQ(pim.kind, ResourceKind::kPim);
  EXPECT_EQ(pim.vendor, "upmem");
  EXPECT_EQ(pim.name, "UPMEM PIM, 1 modules");
  EXPECT_EQ(pim.driver, "dpu 2023.2.0");
  EXPECT_EQ(pim.memory_bytes, uint64_t{128} << 26);
  EXPECT_EQ(pim.attributes.at("banks"), "128");
  EXPECT_EQ(pim.attributes.at("ranks"), "2");
  EXPECT_EQ(pim.attributes.at("bank_memory_bytes"), "67108864");
  EXPECT_EQ(pim.attributes.at("clock_mhz"), "350");
  EXPECT_EQ(pim.attributes.at("path.nodes"), "/dev/dpu_rank0 /dev/dpu_rank1");
  EXPECT_FALSE(pim.simulated);
}

TEST(MemoryAccelerators, NodesAloneAndGarbageSayNoMore) {
  FixtureTree nodes;
  nodes.file("/dev/dpu_rank0", "").file("/dev/dpu_rank1", "").file("/dev/dpu_rank2", "");
  const std::vector<Resource> counted = memory_accelerators(nodes.files());
  ASSERT_EQ(counted.size(), 1u);
  EXPECT_EQ(counted[0].name, "UPMEM PIM, 3 ranks");
  EXPECT_EQ(counted[0].memory_bytes, 0u);
  FixtureTree garbage = two_ranks();
  garbage.file("/sys/class/dpu_rank/dpu_rank0/nb_ci", "-8\n").file("/sys/class/dpu_rank/dpu_rank1/mram_size", "many\n");
  EXPECT_EQ(memory_accelerators(garbage.files())[0].memory_bytes, 0u);
  EXPECT_TRUE(memory_accelerators(FixtureTree().files()).empty());
}

TEST(DeviceTable, EveryEntryHasAVendorNameAndPlace) {
  for (uint32_t vendor = 0; vendor < 0x10000; ++vendor) {
    if (accelerator_vendor(vendor).empty()) continue;
    for (uint32_t device = 0; device < 0x10000; ++device) {
      const KnownDevice* known = find_known_device(vendor, device);
      if (known == nullptr) continue;
      EXPECT_THAT(std::string(known->tags), ::testing::AnyOf(HasSubstr("integrated"), HasSubstr("discrete"))) << known->name;
      EXPECT_FALSE(known->name.empty());
    }
  }
}

}  // namespace
}  // namespace axle
