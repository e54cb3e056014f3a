// The little of NVIDIA's management library that is read here. Opened at run time, never linked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "axle/status.h"

namespace axle {

inline constexpr const char* kNvmlLibrary = "libnvidia-ml.so.1";

class Nvml {
 public:
  class Device {
   public:
    // Since the driver was loaded; absent when the device does not count (older than Volta).
    std::optional<int64_t> microjoules() const;

   private:
    friend class Nvml;
    using TotalEnergy = int (*)(void* device, unsigned long long* millijoules);
    Device(TotalEnergy total_energy, void* handle) : total_energy_(total_energy), handle_(handle) {}
    TotalEnergy total_energy_;
    void* handle_;
  };

  // UNAVAILABLE: the library is not there, lacks a function, or does not start (no driver).
  static Result<Nvml> open(const std::string& library = kNvmlLibrary);
  // "0000:52:00.0"; absent when there is none at that address, or it does not count energy.
  std::optional<Device> device(const std::string& pci_address) const;

 private:
  using HandleByPciBusId = int (*)(const char* pci_address, void** device);
  Nvml(HandleByPciBusId handle_of, Device::TotalEnergy total_energy) : handle_of_(handle_of), total_energy_(total_energy) {}
  HandleByPciBusId handle_of_;
  Device::TotalEnergy total_energy_;
};

}  // namespace axle
