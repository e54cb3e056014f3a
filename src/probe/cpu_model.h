// What a processor is: vendor, model, instruction sets, and whether it is virtual. Source: /proc/cpuinfo, DMI, device tree.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "axle/device.h"
#include "probe/system_files.h"

namespace axle {

// One "processor" block of /proc/cpuinfo.
struct CpuinfoBlock {
  int32_t processor = -1;
  int32_t package = 0;
  int32_t core = -1;
  int64_t khz = 0;  // current frequency, x86 only
  std::string_view text;
};

// Views into `cpuinfo`.
std::vector<CpuinfoBlock> parse_cpuinfo(std::string_view cpuinfo);
// Instruction sets that matter for inference and that every processor has, sorted, by the kernel's names.
std::vector<std::string> isa_of(const std::vector<CpuinfoBlock>& blocks);
std::string cpu_vendor_of(std::string_view cpuinfo);
// "AMD EPYC 9654 96-Core Processor", or "4x Cortex-A55 + 4x Cortex-A76" where the kernel gives numbers only.
std::string cpu_model_of(std::string_view cpuinfo, const std::vector<CpuinfoBlock>& blocks);
bool is_virtual_machine(const SystemFiles& files, std::string_view cpuinfo);

}  // namespace axle
