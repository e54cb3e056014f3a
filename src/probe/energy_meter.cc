#include "probe/energy_meter.h"

#include "base/clock.h"

namespace axle {
namespace {

// A name of RAPL without a part: "package-0", not "package-0/core", which the package holds, nor the same by another door.
bool is_package(const PowerCounter& counter) {
  return counter.source == "rapl" && counter.name.starts_with("package-") &&
         counter.name.find_first_of("/ ") == std::string::npos;
}

}  // namespace

std::optional<EnergyMeter> EnergyMeter::open(SystemFiles files, const Machine& machine, const std::set<std::string>& resources,
                                             const std::string& nvml) {
  EnergyMeter meter(std::move(files));
  std::set<std::string> known;
  for (const std::string& id : resources) {
    const Resource* resource = find_resource(machine, id.substr(0, id.find('/')));
    if (resource == nullptr || resource->simulated) return std::nullopt;
    if (!known.insert(resource->id).second) continue;
    const bool found =
        resource->kind == ResourceKind::kCpu ? meter.add_processor(machine) : meter.add_device(machine, *resource, nvml);
    if (!found) return std::nullopt;
  }
  if (meter.counters_.empty()) return std::nullopt;
  return meter;
}

bool EnergyMeter::add_processor(const Machine& machine) {
  bool any = false;
  for (const PowerCounter& counter : machine.power_counters) {
    if (!is_package(counter)) continue;
    if (!counter.readable) return false;
    const std::string folder = counter.path.substr(0, counter.path.rfind('/'));
    add({Unit::kMicrojoules, counter.path, files_.number(folder + "/max_energy_range_uj").value_or(0), {}},
        "rapl " + counter.name);
    any = true;
  }
  return any;
}

// Energy goes before power, which has to be sampled.
bool EnergyMeter::add_device(const Machine& machine, const Resource& resource, const std::string& nvml) {
  const PowerCounter* power = nullptr;
  for (const PowerCounter& counter : machine.power_counters) {
    if (counter.source != "hwmon" || counter.name != resource.id || !counter.readable) continue;
    if (counter.path.find("/energy") != std::string::npos) {
      add({Unit::kMicrojoules, counter.path, 0, {}}, "hwmon " + resource.id);
      return true;
    }
    power = &counter;
  }
  if (resource.vendor == "nvidia") {
    if (auto opened = Nvml::open(nvml)) {
      if (auto device = opened->device(resource.pci_address)) {
        add({Unit::kNvml, "", 0, *device}, "nvml " + resource.id);
        return true;
      }
    }
  }
  if (power != nullptr)
    add({Unit::kMicrowatts, power->path, 0, {}}, "hwmon " + resource.id + ", power at the ends of each block");
  return power != nullptr;
}

void EnergyMeter::add(Counter counter, const std::string& name) {
  counters_.push_back(std::move(counter));
  source_ += (source_.empty() ? "" : ", ") + name;
}

std::optional<int64_t> EnergyMeter::value_of(const Counter& counter) const {
  if (counter.unit == Unit::kNvml) return counter.device->microjoules();
  return files_.number(counter.path);
}

void EnergyMeter::start() {
  before_.clear();
  for (const Counter& counter : counters_) before_.push_back(value_of(counter));
  started_ns_ = steady_ns();
}

std::optional<int64_t> EnergyMeter::microjoules() const {
  if (before_.size() != counters_.size()) return std::nullopt;
  const int64_t passed_ns = steady_ns() - started_ns_;
  int64_t sum = 0;
  for (size_t i = 0; i < counters_.size(); ++i) {
    const std::optional<int64_t> now = value_of(counters_[i]);
    if (!now || !before_[i]) return std::nullopt;
    if (counters_[i].unit == Unit::kMicrowatts) {
      sum += (*now + *before_[i]) / 2 * (passed_ns / 1'000) / 1'000'000;
      continue;
    }
    int64_t drawn = *now - *before_[i];
    if (drawn < 0) drawn += counters_[i].wraps_at;
    if (drawn < 0) return std::nullopt;  // it was reset
    sum += drawn;
  }
  return sum;
}

}  // namespace axle
