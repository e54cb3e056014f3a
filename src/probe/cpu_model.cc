#include "probe/cpu_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <utility>

namespace axle {
namespace {

using Name = std::pair<std::string_view, std::string_view>;

constexpr std::array kX86Vendors = {Name{"AuthenticAMD", "amd"}, Name{"GenuineIntel", "intel"}, Name{"HygonGenuine", "hygon"},
                                    Name{"CentaurHauls", "zhaoxin"}, Name{"Shanghai", "zhaoxin"}};

// "CPU implementer" of MIDR_EL1.
constexpr std::array kArmImplementers = {Name{"0x41", "arm"},      Name{"0x42", "broadcom"},  Name{"0x43", "cavium"},
                                         Name{"0x46", "fujitsu"},  Name{"0x48", "hisilicon"}, Name{"0x4e", "nvidia"},
                                         Name{"0x51", "qualcomm"}, Name{"0x53", "samsung"},   Name{"0x56", "marvell"},
                                         Name{"0x61", "apple"},    Name{"0x6d", "microsoft"}, Name{"0xc0", "ampere"}};

// "CPU part" of Arm Ltd.'s own cores.
constexpr std::array kArmParts = {
    Name{"0xd03", "Cortex-A53"},  Name{"0xd04", "Cortex-A35"},   Name{"0xd05", "Cortex-A55"},   Name{"0xd07", "Cortex-A57"},
    Name{"0xd08", "Cortex-A72"},  Name{"0xd09", "Cortex-A73"},   Name{"0xd0a", "Cortex-A75"},   Name{"0xd0b", "Cortex-A76"},
    Name{"0xd0c", "Neoverse-N1"}, Name{"0xd0d", "Cortex-A77"},   Name{"0xd0e", "Cortex-A76AE"}, Name{"0xd40", "Neoverse-V1"},
    Name{"0xd41", "Cortex-A78"},  Name{"0xd42", "Cortex-A78AE"}, Name{"0xd44", "Cortex-X1"},    Name{"0xd46", "Cortex-A510"},
    Name{"0xd47", "Cortex-A710"}, Name{"0xd48", "Cortex-X2"},    Name{"0xd49", "Neoverse-N2"},  Name{"0xd4a", "Neoverse-E1"},
    Name{"0xd4b", "Cortex-A78C"}, Name{"0xd4c", "Cortex-X1C"},   Name{"0xd4d", "Cortex-A715"},  Name{"0xd4e", "Cortex-X3"},
    Name{"0xd4f", "Neoverse-V2"}, Name{"0xd80", "Cortex-A520"},  Name{"0xd81", "Cortex-A720"},  Name{"0xd82", "Cortex-X4"},
    Name{"0xd84", "Neoverse-V3"}, Name{"0xd8e", "Neoverse-N3"}};

const std::set<std::string_view>& isa_that_matters() {
  static const std::set<std::string_view> names = {
      // x86
      "ssse3", "sse4_1", "sse4_2", "popcnt", "avx", "f16c", "fma", "avx2", "bmi2", "avx_vnni", "avx_vnni_int8",
      "avx_vnni_int16", "avx_ifma", "avx_ne_convert", "avx10_1", "avx10_2", "avx512f", "avx512cd", "avx512bw", "avx512dq",
      "avx512vl", "avx512ifma", "avx512vbmi", "avx512_vbmi2", "avx512_vnni", "avx512_bitalg", "avx512_vpopcntdq", "avx512_bf16",
      "avx512_fp16", "avx512_vp2intersect", "amx_tile", "amx_int8", "amx_bf16", "amx_fp16", "amx_complex", "gfni", "vaes",
      "vpclmulqdq", "sha_ni",
      // aarch64
      "asimd", "asimdhp", "asimddp", "asimdfhm", "fphp", "fcma", "atomics", "sve", "sve2", "sve2p1", "i8mm", "bf16", "svei8mm",
      "svebf16", "svef32mm", "sme", "sme2", "smei8i32", "smef16f32", "smeb16f32",
      // loongarch64
      "lsx", "lasx"};
  return names;
}

template <size_t N>
std::string_view lookup(const std::array<Name, N>& table, std::string_view key) {
  for (const auto& [name, value] : table) {
    if (name == key) return value;
  }
  return "";
}

// "rv64imafdcv_zicsr_zvfh" -> v and every z* extension about vectors and half floats.
void add_riscv(std::string_view isa, std::set<std::string>& out) {
  size_t at = 0;
  bool first = true;
  while (at <= isa.size() && !isa.empty()) {
    const size_t end = std::min(isa.find('_', at), isa.size());
    const std::string_view word = isa.substr(at, end - at);
    if (first && word.size() > 4 && word.substr(4).find('v') != std::string_view::npos) out.insert("rvv");
    if (!first && (word.starts_with("zv") || word.starts_with("zfh"))) out.insert(clean_text(word));
    first = false;
    at = end + 1;
  }
}

std::set<std::string> isa_of_block(std::string_view block) {
  std::set<std::string> isa;
  for (const std::string_view line : split_lines(block)) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const std::string key = clean_text(line.substr(0, colon));
    if (key == "isa") add_riscv(split_words(line.substr(colon + 1)).empty() ? "" : split_words(line.substr(colon + 1))[0], isa);
    if (key != "flags" && key != "Features") continue;
    for (const std::string_view word : split_words(line.substr(colon + 1))) {
      if (isa_that_matters().contains(word)) isa.emplace(word);
    }
  }
  return isa;
}

CpuinfoBlock read_block(std::string_view text) {
  CpuinfoBlock block;
  block.text = text;
  const auto small = [&](const char* key, int32_t absent) {
    const int64_t value = parse_number(value_of(text, key)).value_or(absent);
    return value >= 0 && value < 1 << 20 ? static_cast<int32_t>(value) : absent;
  };
  block.processor = small("processor", -1);
  block.package = small("physical id", 0);
  block.core = small("core id", -1);
  const std::string mhz = value_of(text, "cpu MHz");
  const size_t dot = mhz.find('.');
  const int64_t whole = parse_number(std::string_view(mhz).substr(0, dot)).value_or(0);
  if (whole > 0 && whole < 100000) block.khz = whole * 1000;
  if (block.khz > 0 && dot != std::string::npos)
    block.khz += parse_number((mhz.substr(dot + 1) + "000").substr(0, 3)).value_or(0);
  return block;
}

std::string arm_part_name(std::string_view block) {
  const std::string implementer = value_of(block, "CPU implementer");
  const std::string part = value_of(block, "CPU part");
  if (part.empty()) return "";
  const std::string_view name = implementer == "0x41" ? lookup(kArmParts, part) : std::string_view();
  if (!name.empty()) return std::string(name);
  return fmt::format("{} core {}", implementer.empty() ? "unknown" : implementer, part);
}

bool dmi_says_virtual(const SystemFiles& files) {
  const std::string vendor = files.line("/sys/class/dmi/id/sys_vendor").value_or("");
  const std::string product = files.line("/sys/class/dmi/id/product_name").value_or("");
  for (const std::string_view name : {"QEMU", "VMware, Inc.", "innotek GmbH", "Xen", "Parallels", "Google"}) {
    if (vendor.starts_with(name)) return name != "Google" || product.starts_with("Google Compute Engine");
  }
  if (vendor == "Amazon EC2") return product.find(".metal") == std::string::npos;
  return product == "Virtual Machine" || product.starts_with("KVM") || product.starts_with("Standard PC");
}

}  // namespace

std::vector<CpuinfoBlock> parse_cpuinfo(std::string_view cpuinfo) {
  constexpr size_t kMaxBlocks = 8192;
  std::vector<CpuinfoBlock> blocks;
  size_t at = 0;
  while (at < cpuinfo.size() && blocks.size() < kMaxBlocks) {
    const size_t end = std::min(cpuinfo.find("\n\n", at), cpuinfo.size());
    CpuinfoBlock block = read_block(cpuinfo.substr(at, end - at));
    if (block.processor >= 0) blocks.push_back(block);
    at = end + 2;
  }
  return blocks;
}

std::vector<std::string> isa_of(const std::vector<CpuinfoBlock>& blocks) {
  std::set<std::string> common;
  std::string_view last;
  for (size_t i = 0; i < blocks.size(); ++i) {
    const size_t flags = std::min(blocks[i].text.find("\nflags"), blocks[i].text.find("\nFeatures"));
    const std::string_view line = flags == std::string_view::npos
                                      ? blocks[i].text
                                      : blocks[i].text.substr(flags, blocks[i].text.find('\n', flags + 1) - flags);
    if (i > 0 && line == last) continue;  // the usual case: all processors alike
    last = line;
    const std::set<std::string> isa = isa_of_block(blocks[i].text);
    if (i == 0) common = isa;
    std::erase_if(common, [&](const std::string& name) { return !isa.contains(name); });
  }
  return {common.begin(), common.end()};
}

std::string cpu_vendor_of(std::string_view cpuinfo) {
  const std::string x86 = value_of(cpuinfo, "vendor_id");
  if (!x86.empty()) return std::string(lookup(kX86Vendors, x86));
  const std::string implementer = value_of(cpuinfo, "CPU implementer");
  return std::string(lookup(kArmImplementers, implementer));
}

std::string cpu_model_of(std::string_view cpuinfo, const std::vector<CpuinfoBlock>& blocks) {
  std::string name = value_of(cpuinfo, "model name");
  const bool has_parts = !value_of(cpuinfo, "CPU part").empty();
  if (!name.empty() && !has_parts) return name;
  std::vector<std::pair<std::string, int>> parts;
  for (const CpuinfoBlock& block : blocks) {
    const std::string part = arm_part_name(block.text);
    if (part.empty()) continue;
    const auto found = std::find_if(parts.begin(), parts.end(), [&](const auto& p) { return p.first == part; });
    if (found == parts.end())
      parts.emplace_back(part, 1);
    else
      ++found->second;
  }
  if (parts.empty()) return name.empty() ? value_of(cpuinfo, "uarch") : name;
  if (parts.size() == 1) return parts[0].first;
  std::string text;
  for (const auto& [part, count] : parts) text += fmt::format("{}{}x {}", text.empty() ? "" : " + ", count, part);
  return clean_text(text);
}

bool is_virtual_machine(const SystemFiles& files, std::string_view cpuinfo) {
  for (const std::string_view line : split_lines(cpuinfo)) {
    if (!line.starts_with("flags")) continue;
    const std::vector<std::string_view> words = split_words(line);
    if (std::find(words.begin(), words.end(), "hypervisor") != words.end()) return true;
    break;
  }
  if (files.exists("/sys/hypervisor/type") || files.exists("/proc/device-tree/hypervisor/compatible")) return true;
  return dmi_says_virtual(files);
}

}  // namespace axle
