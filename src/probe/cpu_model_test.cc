#include "probe/cpu_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probe/testing/fixture_tree.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::FixtureTree;
using ::testing::IsEmpty;

std::vector<std::string> isa(std::string_view cpuinfo) { return isa_of(parse_cpuinfo(cpuinfo)); }

TEST(CpuIsa, IsWhatEveryProcessorHas) {
  EXPECT_THAT(isa("processor: 0\nFeatures: asimd sve bf16 i8mm fp\n\nprocessor: 1\nFeatures: asimd i8mm fp\n"),
              ElementsAre("asimd", "i8mm"));
}

TEST(CpuIsa, KeepsOnlyWhatMatters) {
  EXPECT_THAT(isa("processor\t: 0\nflags\t\t: fpu vme avx2 amx_tile amx_bf16 hypervisor\n"),
              ElementsAre("amx_bf16", "amx_tile", "avx2"));
  EXPECT_THAT(isa("processor: 0\n"), IsEmpty());
  EXPECT_THAT(isa(""), IsEmpty());
}

TEST(CpuIsa, ReadsRiscV) {
  EXPECT_THAT(isa("processor: 0\nisa: rv64imafdcv_zicsr_zvfh_zfhmin\n"), ElementsAre("rvv", "zfhmin", "zvfh"));
  EXPECT_THAT(isa("processor: 0\nisa: rv64imafdc_zicsr\n"), IsEmpty());
}

TEST(CpuModel, NamesArmCoresByPart) {
  const std::string n1 = "processor: 0\nCPU implementer: 0x41\nCPU part: 0xd0c\n";
  EXPECT_EQ(cpu_model_of(n1, parse_cpuinfo(n1)), "Neoverse-N1");
  EXPECT_EQ(cpu_vendor_of(n1), "arm");
  const std::string unknown = "processor: 0\nCPU implementer: 0x61\nCPU part: 0x023\n";
  EXPECT_EQ(cpu_model_of(unknown, parse_cpuinfo(unknown)), "0x61 core 0x023");
  EXPECT_EQ(cpu_vendor_of(unknown), "apple");
}

TEST(CpuModel, VendorOfX86) {
  EXPECT_EQ(cpu_vendor_of("vendor_id\t: GenuineIntel\n"), "intel");
  EXPECT_EQ(cpu_vendor_of("vendor_id\t: SomethingElse\n"), "");
}

TEST(VirtualMachine, FromFlagDmiOrDeviceTree) {
  FixtureTree plain;
  EXPECT_FALSE(is_virtual_machine(plain.files(), "flags: avx2\n"));
  EXPECT_TRUE(is_virtual_machine(plain.files(), "flags: avx2 hypervisor\n"));
  FixtureTree graviton;
  graviton.file("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n").file("/sys/class/dmi/id/product_name", "c7g.xlarge\n");
  EXPECT_TRUE(is_virtual_machine(graviton.files(), ""));
  FixtureTree metal;
  metal.file("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n").file("/sys/class/dmi/id/product_name", "c7g.metal\n");
  EXPECT_FALSE(is_virtual_machine(metal.files(), ""));
  FixtureTree tree;
  tree.file("/proc/device-tree/hypervisor/compatible", "linux,kvm");
  EXPECT_TRUE(is_virtual_machine(tree.files(), ""));
}

TEST(Cpuinfo, SkipsBlocksWithoutAProcessor) {
  EXPECT_EQ(parse_cpuinfo("Hardware: x\n\nprocessor: 3\ncpu MHz: 2596.098\n\nprocessor: -4\n\nprocessor: 99999999999\n").size(),
            1u);
  EXPECT_EQ(parse_cpuinfo("processor: 3\ncpu MHz: 2596.098\n")[0].khz, 2596098);
  EXPECT_EQ(parse_cpuinfo("processor: 3\ncpu MHz: nan\n")[0].khz, 0);
}

}  // namespace
}  // namespace axle
