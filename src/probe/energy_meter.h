// EnergyMeter: what counters say was drawn since a moment: RAPL for processors, hwmon and NVML for devices. Counters count everything
// that draws from them, idle cores and other programs too.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "axle/device.h"
#include "probe/nvml.h"
#include "probe/system_files.h"

namespace axle {

class EnergyMeter {
 public:
  // The counters of these resources: all packages of a processor, of a device those that bear its id. Nothing when one of the resources
  // has none that this process may read: a sum that lacks a part is no figure. `nvml` is opened only for NVIDIA's devices.
  static std::optional<EnergyMeter> open(SystemFiles files, const Machine& machine, const std::set<std::string>& resources,
                                         const std::string& nvml = kNvmlLibrary);

  void start();
  // Since start(); absent when a counter could not be read then or now. RAPL's counters pass their end at most once.
  std::optional<int64_t> microjoules() const;
  // "rapl package-0, hwmon gpu:0"
  const std::string& source() const { return source_; }

 private:
  enum class Unit : uint8_t { kMicrojoules, kMicrowatts, kNvml };
  struct Counter {
    Unit unit = Unit::kMicrojoules;
    std::string path;
    int64_t wraps_at = 0;  // 0 = never
    std::optional<Nvml::Device> device;
  };
  explicit EnergyMeter(SystemFiles files) : files_(std::move(files)) {}
  bool add_processor(const Machine& machine);
  bool add_device(const Machine& machine, const Resource& resource, const std::string& nvml);
  void add(Counter counter, const std::string& name);
  std::optional<int64_t> value_of(const Counter& counter) const;

  SystemFiles files_;
  std::vector<Counter> counters_;
  std::vector<std::optional<int64_t>> before_;
  int64_t started_ns_ = 0;
  std::string source_;
};

}  // namespace axle
