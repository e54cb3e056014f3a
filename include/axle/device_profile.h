// Device profiles: what one model of a device can do by its data sheet, every figure with its source. Estimates for hardware
// that is not here, or was never measured, are made from them (docs/formats/device-profile.md).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "axle/device.h"
#include "axle/export.h"
#include "axle/status.h"

namespace axle {

enum class FigureKind : uint8_t { kVendor, kMeasured, kEstimate };
AXLE_API std::string_view figure_kind_name(FigureKind kind) noexcept;  // "vendor", "measured", "estimate"

struct Figure {
  uint64_t value = 0;  // in the unit of its field; 0 = not known
  FigureKind kind = FigureKind::kEstimate;
  std::string source;  // document or page that says so, or how it was estimated
  friend bool operator==(const Figure&, const Figure&) = default;
};

// An engine that is known to drive the device, wherever it is installed.
struct ProfileEngine {
  std::string name;
  std::vector<std::string> precisions;  // in the order it prefers
  std::vector<std::string> formats;     // of models: "onnx", ...
  std::vector<std::string> operators;   // of ai.onnx, where it runs only these; empty = not known
  bool needs_compile = false;
  bool dynamic_shapes = false;
  std::string source;
  friend bool operator==(const ProfileEngine&, const ProfileEngine&) = default;
};

// Memory that computes: banks, each with a processor beside it that sees no other bank. Weights stay there, and whatever else a
// node reads or makes is moved from and to the host. count.value 0 = the device is not made so.
struct BankFigures {
  Figure modules, ranks;                   // how many, as they are built; a rank starts as one
  Figure count;                            // banks that compute
  Figure memory, working_memory;           // bytes of each bank, and of its processor's scratchpad
  Figure bandwidth;                        // of one processor to its bank: 10^6 bytes per second
  Figure frequency;                        // 10^6 per second
  Figure to_banks, broadcast,
      from_banks;  // between host and banks: 10^6 bytes per second that arrive or leave, all banks together
  friend bool operator==(const BankFigures&, const BankFigures&) = default;
};

struct DeviceProfile {
  std::string name;   // "nvidia-h100-sxm"
  std::string title;  // as the vendor writes it
  ResourceKind kind = ResourceKind::kGpu;
  std::string vendor;
  // A resource has this profile when its PCI id or its name is listed, and the processor's name too where some are. A name may
  // end in '*'.
  std::vector<std::string> pci_ids, names, cpu_models;
  std::map<std::string, Figure> peaks;  // by precision: 10^6 operations per second, dense
  Figure memory_bandwidth;              // 10^6 bytes per second
  Figure memory_size;                   // bytes
  Figure link_bandwidth;                // between host and device: 10^6 bytes per second
  Figure power;                         // under full load: milliwatts
  Figure node_launch, call_launch;      // nanoseconds per node, per run
  BankFigures banks = {};
  std::vector<ProfileEngine> engines;
  friend bool operator==(const DeviceProfile&, const DeviceProfile&) = default;
};

struct ResourceProfile {
  std::string resource;  // id on its machine
  DeviceProfile profile;
  friend bool operator==(const ResourceProfile&, const ResourceProfile&) = default;
};

// JSON, strictly read: an unknown key is an error with the nearest known one. Written canonically.
AXLE_API Result<DeviceProfile> parse_device_profile(std::string_view json);
AXLE_API Result<std::string> device_profile_to_json(const DeviceProfile& profile);

// The profiles that come with axle, by name.
AXLE_API const std::vector<DeviceProfile>& known_device_profiles();
// Of the machine's resources, those that have one, in machine order. Parts of a split have the profile of the whole.
AXLE_API std::vector<ResourceProfile> profiles_of(const Machine& machine);

// The machines that come with axle to plan for, by name: composed from public documentation.
AXLE_API std::vector<std::string> known_machines();
// A known machine by its name, or the record in that file. NOT_FOUND names the nearest known machine.
AXLE_API Result<Machine> find_machine(const std::string& name_or_file);

}  // namespace axle
