// PCI devices as sysfs shows them; no opinion on what they are.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probe/system_files.h"

namespace axle {

struct PciDevice {
  std::string address;  // "0000:c4:00.0", lower case
  uint32_t vendor = 0;
  uint32_t device = 0;
  uint32_t class_code = 0;  // 24 bits: base, sub, interface
  uint32_t revision = 0;
  int32_t numa_node = -1;
  std::string driver;              // "" when none is bound
  uint64_t largest_bar_bytes = 0;  // prefetchable memory only
  bool virtual_function = false;   // of a physical function that this system sees too
  std::vector<std::string> nodes;  // "/dev/accel/accel0", "/dev/dri/renderD128"

  uint32_t base_class() const { return class_code >> 16; }
  // "1022:1502"
  std::string id() const;
  std::string folder() const { return "/sys/bus/pci/devices/" + address; }
};

// Ascending by address. Devices whose ids cannot be read are left out.
std::vector<PciDevice> read_pci_devices(const SystemFiles& files);
// Device nodes that the drivers of the device in this sysfs folder offer, sorted.
std::vector<std::string> device_nodes(const SystemFiles& files, const std::string& folder);
// "amdxdna 6.14.0": the module's version or, for a driver of the kernel itself, the kernel's. "" for no driver.
std::string driver_with_version(const SystemFiles& files, const std::string& driver);

}  // namespace axle
