// What is known about accelerators by their ids: kind, vendor, name, tags, memory. A table of facts, no logic of discovery.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "axle/device.h"

namespace axle {

struct KnownDevice {
  uint32_t vendor = 0;
  uint32_t device = 0;
  ResourceKind kind = ResourceKind::kNpu;
  std::string_view name;
  std::string_view tags;    // words; "integrated" or "discrete" always among them
  uint32_t memory_gib = 0;  // soldered memory of the part where the name fixes it; 0 = not fixed
};

struct KnownDriver {
  std::string_view driver;  // as in /sys/bus/pci/drivers
  std::string_view vendor;
  std::string_view name;    // of the device family
};

struct KnownPlatformDevice {
  std::string_view compatible;  // device tree; a trailing '*' matches any rest
  ResourceKind kind = ResourceKind::kNpu;
  std::string_view vendor;
  std::string_view name;
  bool cores = false;  // one node per core of a single device
};

// Null when unknown. All views point to static storage.
const KnownDevice* find_known_device(uint32_t vendor, uint32_t device);
const KnownDriver* find_known_npu_driver(std::string_view driver);
const KnownPlatformDevice* find_known_platform_device(std::string_view compatible);
// "amd", "intel", "nvidia", "hailo", ...; "" when the PCI vendor is none that makes accelerators or GPUs.
std::string_view accelerator_vendor(uint32_t pci_vendor);
// The vendor makes NPUs only: whatever it puts on the bus as an accelerator is one.
bool is_npu_vendor(uint32_t pci_vendor);
// Display controllers that compute nothing: board management, emulated and paravirtual screens.
bool is_display_only(uint32_t pci_vendor);
// Generation of the Hexagon processor in a SoC by the name that Linux gives it: "v73" for "X1E80100"; "" when unknown.
std::string_view hexagon_generation(std::string_view soc);
// "ampere", "hopper", ... from NVIDIA's id ranges; "" when unknown.
std::string_view nvidia_architecture(uint32_t device);

}  // namespace axle
