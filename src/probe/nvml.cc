#include "probe/nvml.h"

#include <fmt/format.h>

#include "base/dynamic_library.h"

namespace axle {

// nvmlReturn_t is 0 for success; nvmlDevice_t is a pointer.
Result<Nvml> Nvml::open(const std::string& library) {
  AXLE_ASSIGN_OR_RETURN(const DynamicLibrary opened, DynamicLibrary::open(library));
  AXLE_ASSIGN_OR_RETURN(const auto start, opened.function<int (*)()>("nvmlInit_v2"));
  AXLE_ASSIGN_OR_RETURN(const auto handle_of, opened.function<HandleByPciBusId>("nvmlDeviceGetHandleByPciBusId_v2"));
  AXLE_ASSIGN_OR_RETURN(const auto total_energy, opened.function<Device::TotalEnergy>("nvmlDeviceGetTotalEnergyConsumption"));
  // Counted by the library: every call needs its end, which a process that goes on measuring never comes to.
  if (const int code = start(); code != 0)
    return unavailable_error(fmt::format("{}: nvmlInit_v2 failed with {}", library, code));
  return Nvml(handle_of, total_energy);
}

std::optional<Nvml::Device> Nvml::device(const std::string& pci_address) const {
  void* handle = nullptr;
  if (handle_of_(pci_address.c_str(), &handle) != 0 || handle == nullptr) return std::nullopt;
  const Device device(total_energy_, handle);
  if (!device.microjoules()) return std::nullopt;
  return device;
}

std::optional<int64_t> Nvml::Device::microjoules() const {
  unsigned long long millijoules = 0;
  if (total_energy_(handle_, &millijoules) != 0) return std::nullopt;
  return static_cast<int64_t>(millijoules) * 1'000;
}

}  // namespace axle
