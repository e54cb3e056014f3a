#include "probe/device_table.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace axle {
namespace {

constexpr ResourceKind kGpu = ResourceKind::kGpu;
constexpr ResourceKind kNpu = ResourceKind::kNpu;

// By vendor and device. Ids: the public PCI id registry, Linux drivers' id tables, vendors' manuals.
constexpr KnownDevice kDevices[] = {
    // AMD/ATI GPUs
    {0x1002, 0x1114, kGpu, "AMD Radeon 840M / 860M", "integrated rdna3.5"},
    {0x1002, 0x13c0, kGpu, "AMD Radeon Graphics (Granite Ridge)", "integrated rdna2"},
    {0x1002, 0x150e, kGpu, "AMD Radeon 880M / 890M", "integrated rdna3.5"},
    {0x1002, 0x1586, kGpu, "AMD Radeon 8050S / 8060S", "integrated rdna3.5"},
    {0x1002, 0x15bf, kGpu, "AMD Radeon 760M / 780M", "integrated rdna3"},
    {0x1002, 0x15c8, kGpu, "AMD Radeon 740M", "integrated rdna3"},
    {0x1002, 0x15d8, kGpu, "AMD Radeon Vega (Picasso)", "integrated gcn5"},
    {0x1002, 0x15dd, kGpu, "AMD Radeon Vega (Raven Ridge)", "integrated gcn5"},
    {0x1002, 0x1636, kGpu, "AMD Radeon Graphics (Renoir)", "integrated gcn5"},
    {0x1002, 0x1638, kGpu, "AMD Radeon Graphics (Cezanne)", "integrated gcn5"},
    {0x1002, 0x163f, kGpu, "AMD Custom GPU 0405", "integrated rdna2"},
    {0x1002, 0x164e, kGpu, "AMD Radeon Graphics (Raphael)", "integrated rdna2"},
    {0x1002, 0x1681, kGpu, "AMD Radeon 660M / 680M", "integrated rdna2"},
    {0x1002, 0x1900, kGpu, "AMD Radeon 760M / 780M (Hawk Point)", "integrated rdna3"},
    {0x1002, 0x738c, kGpu, "AMD Instinct MI100", "discrete cdna", 32},
    {0x1002, 0x73bf, kGpu, "AMD Radeon RX 6800 / 6800 XT / 6900 XT", "discrete rdna2", 16},
    {0x1002, 0x7408, kGpu, "AMD Instinct MI250X", "discrete cdna2", 64},
    {0x1002, 0x740c, kGpu, "AMD Instinct MI250X / MI250", "discrete cdna2", 64},
    {0x1002, 0x740f, kGpu, "AMD Instinct MI210", "discrete cdna2", 64},
    {0x1002, 0x744c, kGpu, "AMD Radeon RX 7900 XT / XTX", "discrete rdna3"},
    {0x1002, 0x7480, kGpu, "AMD Radeon RX 7600 / 7700S", "discrete rdna3"},
    {0x1002, 0x74a0, kGpu, "AMD Instinct MI300A", "discrete cdna3", 128},
    {0x1002, 0x74a1, kGpu, "AMD Instinct MI300X", "discrete cdna3", 192},
    {0x1002, 0x74a5, kGpu, "AMD Instinct MI325X", "discrete cdna3", 256},
    {0x1002, 0x75a0, kGpu, "AMD Instinct MI350X", "discrete cdna4", 288},
    {0x1002, 0x75a3, kGpu, "AMD Instinct MI355X", "discrete cdna4", 288},
    // IBM
    {0x1014, 0x06a7, kNpu, "IBM Spyre Accelerator", "discrete", 128},
    // AMD NPUs
    {0x1022, 0x1502, kNpu, "AMD Ryzen AI NPU (XDNA)", "integrated xdna"},
    {0x1022, 0x17f0, kNpu, "AMD Ryzen AI NPU (XDNA 2)", "integrated xdna2"},
    // NVIDIA: data centre and common parts; the rest is named by its driver
    {0x10de, 0x1db1, kGpu, "NVIDIA Tesla V100-SXM2-16GB", "discrete", 16},
    {0x10de, 0x1db4, kGpu, "NVIDIA Tesla V100-PCIE-16GB", "discrete", 16},
    {0x10de, 0x1db5, kGpu, "NVIDIA Tesla V100-SXM2-32GB", "discrete", 32},
    {0x10de, 0x1db6, kGpu, "NVIDIA Tesla V100-PCIE-32GB", "discrete", 32},
    {0x10de, 0x1eb8, kGpu, "NVIDIA Tesla T4", "discrete", 16},
    {0x10de, 0x20b0, kGpu, "NVIDIA A100-SXM4-40GB", "discrete", 40},
    {0x10de, 0x20b2, kGpu, "NVIDIA A100-SXM4-80GB", "discrete", 80},
    {0x10de, 0x20b5, kGpu, "NVIDIA A100 80GB PCIe", "discrete", 80},
    {0x10de, 0x20f1, kGpu, "NVIDIA A100-PCIE-40GB", "discrete", 40},
    {0x10de, 0x2204, kGpu, "NVIDIA GeForce RTX 3090", "discrete", 24},
    {0x10de, 0x2235, kGpu, "NVIDIA A40", "discrete", 48},
    {0x10de, 0x2236, kGpu, "NVIDIA A10", "discrete", 24},
    {0x10de, 0x2237, kGpu, "NVIDIA A10G", "discrete", 24},
    {0x10de, 0x2330, kGpu, "NVIDIA H100 80GB HBM3", "discrete", 80},
    {0x10de, 0x2331, kGpu, "NVIDIA H100 PCIe", "discrete", 80},
    {0x10de, 0x2335, kGpu, "NVIDIA H200", "discrete", 141},
    {0x10de, 0x2684, kGpu, "NVIDIA GeForce RTX 4090", "discrete", 24},
    {0x10de, 0x26b5, kGpu, "NVIDIA L40", "discrete", 48},
    {0x10de, 0x26b9, kGpu, "NVIDIA L40S", "discrete", 48},
    {0x10de, 0x2704, kGpu, "NVIDIA GeForce RTX 4080", "discrete", 16},
    {0x10de, 0x27b8, kGpu, "NVIDIA L4", "discrete", 24},
    {0x10de, 0x2901, kGpu, "NVIDIA B200", "discrete", 180},
    {0x10de, 0x2b85, kGpu, "NVIDIA GeForce RTX 5090", "discrete", 32},
    // Qualcomm
    {0x17cb, 0xa080, kNpu, "Qualcomm Cloud AI 80", "discrete"},
    {0x17cb, 0xa100, kNpu, "Qualcomm Cloud AI 100", "discrete"},
    // Huawei
    {0x19e5, 0xd100, kNpu, "Huawei Ascend 310", "discrete"},
    {0x19e5, 0xd500, kNpu, "Huawei Ascend 310P", "discrete"},
    {0x19e5, 0xd801, kNpu, "Huawei Ascend 910", "discrete"},
    {0x19e5, 0xd802, kNpu, "Huawei Ascend 910B", "discrete"},
    {0x19e5, 0xd803, kNpu, "Huawei Ascend 910C", "discrete"},
    // Google
    {0x1ac1, 0x089a, kNpu, "Google Coral Edge TPU", "discrete edgetpu"},
    {0x1ae0, 0x0027, kNpu, "Google Cloud TPU v2 / v3", "discrete tpu"},
    {0x1ae0, 0x005e, kNpu, "Google Cloud TPU v4", "discrete tpu"},
    {0x1ae0, 0x0062, kNpu, "Google Cloud TPU v5p", "discrete tpu"},
    {0x1ae0, 0x0063, kNpu, "Google Cloud TPU v5e", "discrete tpu"},
    {0x1ae0, 0x006f, kNpu, "Google Cloud TPU v6e", "discrete tpu"},
    {0x1ae0, 0x0076, kNpu, "Google Cloud TPU7x", "discrete tpu"},
    // AWS
    {0x1d0f, 0x7064, kNpu, "AWS Inferentia", "discrete"},
    {0x1d0f, 0x7164, kNpu, "AWS Trainium", "discrete"},
    {0x1d0f, 0x7264, kNpu, "AWS Inferentia2", "discrete"},
    // Rockchip
    {0x1d87, 0x182a, kNpu, "Rockchip RK1828", "discrete"},
    // Habana Labs (Intel)
    {0x1da3, 0x0001, kNpu, "Habana Goya HL-1000", "discrete"},
    {0x1da3, 0x1000, kNpu, "Habana Gaudi HL-2000", "discrete gaudi", 32},
    {0x1da3, 0x1010, kNpu, "Habana Gaudi HL-2000", "discrete gaudi", 32},
    {0x1da3, 0x1020, kNpu, "Intel Gaudi 2", "discrete gaudi2", 96},
    {0x1da3, 0x1060, kNpu, "Intel Gaudi 3", "discrete gaudi3", 128},
    {0x1da3, 0x1063, kNpu, "Intel Gaudi 3 PCIe", "discrete gaudi3", 128},
    // Esperanto
    {0x1e0a, 0xeb01, kNpu, "Esperanto ET-SoC-1", "discrete", 32},
    // Tenstorrent
    {0x1e52, 0x401e, kNpu, "Tenstorrent Wormhole", "discrete"},
    {0x1e52, 0xb140, kNpu, "Tenstorrent Blackhole", "discrete"},
    {0x1e52, 0xfaca, kNpu, "Tenstorrent Grayskull", "discrete"},
    // Hailo
    {0x1e60, 0x2864, kNpu, "Hailo-8", "discrete hailo8"},
    {0x1e60, 0x45c4, kNpu, "Hailo-10H", "discrete hailo10"},
    // FuriosaAI
    {0x1ed2, 0x0000, kNpu, "FuriosaAI Warboy", "discrete", 16},
    {0x1ed2, 0x0001, kNpu, "FuriosaAI RNGD", "discrete", 48},
    // Rebellions
    {0x1eff, 0x1220, kNpu, "Rebellions ATOM+", "discrete atom", 16},
    {0x1eff, 0x2030, kNpu, "Rebellions REBEL-Quad", "discrete rebel", 144},
    // Axelera, DeepX
    {0x1f9d, 0x1100, kNpu, "Axelera Metis", "discrete"},
    {0x1f9d, 0x11aa, kNpu, "Axelera Metis", "discrete"},
    {0x1ff4, 0x0000, kNpu, "DeepX DX-M1", "discrete", 4},
    // Intel
    {0x8086, 0x0bd5, kGpu, "Intel Data Center GPU Max 1550", "discrete xe-hpc", 128},
    {0x8086, 0x0bda, kGpu, "Intel Data Center GPU Max 1100", "discrete xe-hpc", 48},
    {0x8086, 0x4680, kGpu, "Intel UHD Graphics 770", "integrated xe-lp"},
    {0x8086, 0x46a6, kGpu, "Intel Iris Xe Graphics", "integrated xe-lp"},
    {0x8086, 0x56a0, kGpu, "Intel Arc A770", "discrete xe-hpg"},
    {0x8086, 0x56a1, kGpu, "Intel Arc A750", "discrete xe-hpg", 8},
    {0x8086, 0x56a5, kGpu, "Intel Arc A380", "discrete xe-hpg", 6},
    {0x8086, 0x56c0, kGpu, "Intel Data Center GPU Flex 170", "discrete xe-hpg", 16},
    {0x8086, 0x56c1, kGpu, "Intel Data Center GPU Flex 140", "discrete xe-hpg", 6},
    {0x8086, 0x643e, kNpu, "Intel NPU 4 (Lunar Lake)", "integrated npu4"},
    {0x8086, 0x64a0, kGpu, "Intel Arc 130V / 140V", "integrated xe2"},
    {0x8086, 0x7d1d, kNpu, "Intel NPU 3 (Meteor Lake)", "integrated npu3"},
    {0x8086, 0x7d45, kGpu, "Intel Graphics (Meteor Lake-P)", "integrated xe-lpg"},
    {0x8086, 0x7d55, kGpu, "Intel Arc Graphics (Meteor Lake-P)", "integrated xe-lpg"},
    {0x8086, 0x9a49, kGpu, "Intel Iris Xe Graphics", "integrated xe-lp"},
    {0x8086, 0xa780, kGpu, "Intel UHD Graphics 770", "integrated xe-lp"},
    {0x8086, 0xa7a0, kGpu, "Intel Iris Xe Graphics", "integrated xe-lp"},
    {0x8086, 0xad1d, kNpu, "Intel NPU 3 (Arrow Lake)", "integrated npu3"},
    {0x8086, 0xb03e, kNpu, "Intel NPU 5 (Panther Lake)", "integrated npu5"},
    {0x8086, 0xb080, kGpu, "Intel Arc B390 (Panther Lake)", "integrated xe3"},
    {0x8086, 0xd71d, kNpu, "Intel NPU (Nova Lake)", "integrated"},
    {0x8086, 0xe20b, kGpu, "Intel Arc B580", "discrete xe2", 12},
    {0x8086, 0xe20c, kGpu, "Intel Arc B570", "discrete xe2", 10},
    {0x8086, 0xfd3e, kNpu, "Intel NPU 5 (Wildcat Lake)", "integrated npu5"},
};

constexpr KnownDriver kNpuDrivers[] = {
    {"amdxdna", "amd", "AMD NPU"},
    {"apex", "google", "Google Coral Edge TPU"},
    {"drv_pcie_host", "huawei", "Huawei Ascend"},
    {"furiosa_rngd", "furiosa", "FuriosaAI RNGD"},
    {"habanalabs", "intel", "Habana accelerator"},
    {"hailo", "hailo", "Hailo"},
    {"hailo1x", "hailo", "Hailo"},
    {"intel_vpu", "intel", "Intel NPU"},
    {"metis", "axelera", "Axelera Metis"},
    {"neuron", "aws", "AWS Neuron device"},
    {"npu_pdma", "furiosa", "FuriosaAI Warboy"},
    {"qaic", "qualcomm", "Qualcomm Cloud AI"},
    {"rebellions", "rebellions", "Rebellions NPU"},
    {"rbln", "rebellions", "Rebellions NPU"},
    {"tenstorrent", "tenstorrent", "Tenstorrent"},
};

constexpr KnownPlatformDevice kPlatformDevices[] = {
    {"rockchip,rk3588-rknn-core-top", kNpu, "rockchip", "Rockchip RK3588 NPU", true},
    {"rockchip,rk3588-rknn-core", kNpu, "rockchip", "Rockchip RK3588 NPU", true},
    {"rockchip,rk3588-rknpu", kNpu, "rockchip", "Rockchip RK3588 NPU"},
    {"rockchip,rk3576-rknpu", kNpu, "rockchip", "Rockchip RK3576 NPU"},
    {"rockchip,rk3568-rknpu", kNpu, "rockchip", "Rockchip RK3568 NPU"},
    {"rockchip,rknpu", kNpu, "rockchip", "Rockchip NPU"},
    {"nvidia,tegra194-nvdla", kNpu, "nvidia", "NVIDIA DLA (Xavier)"},
    {"nvidia,tegra234-nvdla", kNpu, "nvidia", "NVIDIA DLA (Orin)"},
    {"arm,ethos-u85", kNpu, "arm", "Arm Ethos-U85"},
    {"arm,ethos-u65", kNpu, "arm", "Arm Ethos-U65"},
    {"arm,ethosn", kNpu, "arm", "Arm Ethos-N"},
    {"rockchip,rk3588-mali", kGpu, "arm", "Arm Mali-G610"},
    {"arm,mali-valhall-csf", kGpu, "arm", "Arm Mali (Valhall)"},
    {"arm,mali-*", kGpu, "arm", "Arm Mali"},
    {"nvidia,ga10b", kGpu, "nvidia", "NVIDIA Orin GPU"},
    {"nvidia,gv11b", kGpu, "nvidia", "NVIDIA Xavier GPU"},
    {"qcom,adreno*", kGpu, "qualcomm", "Qualcomm Adreno"},
    {"brcm,2712-v3d", kGpu, "broadcom", "Broadcom VideoCore VII"},
    {"brcm,2711-v3d", kGpu, "broadcom", "Broadcom VideoCore VI"},
};

struct Vendor {
  uint32_t id;
  std::string_view name;
  bool npus_only;
};

constexpr Vendor kVendors[] = {
    {0x1002, "amd", false},      {0x1014, "ibm", false},     {0x1022, "amd", false},          {0x10de, "nvidia", false},
    {0x17cb, "qualcomm", false}, {0x19e5, "huawei", false},  {0x1ac1, "google", false},       {0x1ae0, "google", false},
    {0x1d0f, "aws", false},      {0x1d22, "baidu", true},    {0x1d87, "rockchip", false},     {0x1d94, "hygon", false},
    {0x1d95, "graphcore", true}, {0x1da3, "intel", true},    {0x1de0, "groq", true},          {0x1e0a, "esperanto", true},
    {0x1e36, "enflame", true},   {0x1e38, "blaize", true},   {0x1e52, "tenstorrent", true},   {0x1e60, "hailo", true},
    {0x1e67, "untether", true},  {0x1ed2, "furiosa", true},  {0x1ed5, "moorethreads", false}, {0x1eff, "rebellions", true},
    {0x1f56, "sapeon", true},    {0x1f9d, "axelera", true},  {0x1ff4, "deepx", true},         {0x8086, "intel", false},
    {0x0014, "loongson", false}, {0x1d17, "zhaoxin", false}, {0x0731, "jingjia", false},
};

// Matrox, QEMU, VMware, Bochs, virtio, Red Hat, ASPEED, Silicon Motion, Cirrus, Hyper-V, VirtualBox, XGI, Huawei iBMC.
constexpr std::array<uint32_t, 13> kDisplayOnly = {0x102b, 0x1234, 0x15ad, 0x1b36, 0x1af4, 0x1a03, 0x126f,
                                                   0x1013, 0x1414, 0x80ee, 0x18ca, 0x19e5, 0x5853};

struct Range {
  uint32_t first, last;
  std::string_view architecture;
};

constexpr Range kNvidiaRanges[] = {
    {0x1340, 0x13ff, "maxwell"},   {0x15f0, 0x15ff, "pascal"},    {0x1600, 0x17ff, "maxwell"}, {0x1b00, 0x1d7f, "pascal"},
    {0x1d80, 0x1dff, "volta"},     {0x1e00, 0x1fff, "turing"},    {0x2080, 0x20ff, "ampere"},  {0x2180, 0x21ff, "turing"},
    {0x2200, 0x22ff, "ampere"},    {0x2300, 0x23ff, "hopper"},    {0x2400, 0x25ff, "ampere"},  {0x2600, 0x28ff, "ada"},
    {0x2900, 0x2fff, "blackwell"}, {0x3180, 0x31ff, "blackwell"},
};

template <typename Table, typename Match>
auto find_in(const Table& table, Match match) -> decltype(&table[0]) {
  const auto found = std::find_if(std::begin(table), std::end(table), match);
  return found == std::end(table) ? nullptr : &*found;
}

struct Hexagon {
  std::string_view soc;  // what its name begins with
  std::string_view generation;
};

// Qualcomm's list of supported devices in the QNN SDK, and the SoC tables of ExecuTorch and LiteRT.
constexpr Hexagon kHexagons[] = {{"SM8350", "v68"},  {"SC8280XP", "v68"}, {"SC7280", "v68"},  {"QCM6490", "v68"},
                                 {"QCS6490", "v68"}, {"SA8295", "v68"},   {"SM8450", "v69"},  {"SM8475", "v69"},
                                 {"SM8550", "v73"},  {"QCM8550", "v73"},  {"QCS8550", "v73"}, {"X1E", "v73"},
                                 {"X1P", "v73"},     {"SA8255", "v73"},   {"SA8775", "v73"},  {"QCS9100", "v73"},
                                 {"SM8650", "v75"},  {"SM8750", "v79"},   {"SM8850", "v81"}};

}  // namespace

const KnownDevice* find_known_device(uint32_t vendor, uint32_t device) {
  return find_in(kDevices, [&](const KnownDevice& d) { return d.vendor == vendor && d.device == device; });
}

const KnownDriver* find_known_npu_driver(std::string_view driver) {
  return find_in(kNpuDrivers, [&](const KnownDriver& d) { return d.driver == driver; });
}

const KnownPlatformDevice* find_known_platform_device(std::string_view compatible) {
  return find_in(kPlatformDevices, [&](const KnownPlatformDevice& d) {
    if (d.compatible.ends_with('*')) return compatible.starts_with(d.compatible.substr(0, d.compatible.size() - 1));
    return d.compatible == compatible;
  });
}

std::string_view accelerator_vendor(uint32_t pci_vendor) {
  const Vendor* vendor = find_in(kVendors, [&](const Vendor& v) { return v.id == pci_vendor; });
  return vendor ? vendor->name : std::string_view();
}

bool is_npu_vendor(uint32_t pci_vendor) {
  return find_in(kVendors, [&](const Vendor& v) { return v.id == pci_vendor && v.npus_only; }) != nullptr;
}

bool is_display_only(uint32_t pci_vendor) {
  return std::find(kDisplayOnly.begin(), kDisplayOnly.end(), pci_vendor) != kDisplayOnly.end();
}

std::string_view hexagon_generation(std::string_view soc) {
  const Hexagon* known = find_in(kHexagons, [&](const Hexagon& h) { return soc.starts_with(h.soc); });
  return known ? known->generation : std::string_view();
}

std::string_view nvidia_architecture(uint32_t device) {
  const Range* range = find_in(kNvidiaRanges, [&](const Range& r) { return device >= r.first && device <= r.last; });
  return range ? range->architecture : std::string_view();
}

}  // namespace axle
