#include "probe/power.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace axle {
namespace {

constexpr size_t kMaxCounters = 1024;

// "intel-rapl:0" is a package, "intel-rapl:0:1" a part of it. AMD's counters bear the same names.
std::string rapl_name(const SystemFiles& files, const std::string& zone) {
  const std::string folder = "/sys/class/powercap/";
  const std::string name = files.line(folder + zone + "/name").value_or(zone);
  const size_t last = zone.rfind(':');
  const bool part = last != std::string::npos && zone.find(':') != last;
  std::string full = part ? rapl_name(files, zone.substr(0, last)) + "/" + name : name;
  return zone.starts_with("intel-rapl-mmio") && !part ? full + " (mmio)" : full;
}

void add_rapl(const SystemFiles& files, std::vector<PowerCounter>& counters) {
  for (const std::string& zone : files.list("/sys/class/powercap")) {
    const std::string path = "/sys/class/powercap/" + zone + "/energy_uj";
    const bool is_zone = zone.find("rapl") != std::string::npos && zone.find(':') != std::string::npos && zone.size() < 64;
    if (!is_zone || !files.exists(path) || counters.size() >= kMaxCounters) continue;
    counters.push_back({.name = rapl_name(files, zone), .source = "rapl", .path = path, .readable = files.readable(path)});
  }
}

std::string owner_of(const SystemFiles& files, const std::string& sensor, const std::vector<Resource>& resources) {
  const std::string address = files.link_name(sensor + "/device");
  for (const Resource& resource : resources) {
    if (!resource.pci_address.empty() && resource.pci_address == address && resource.part < 0) return resource.id;
  }
  return "";
}

bool is_power_file(const std::string& name) {
  const bool energy = name.starts_with("energy") && name.ends_with("_input");
  const bool power = name.starts_with("power") && (name.ends_with("_input") || name.ends_with("_average"));
  return energy || power;
}

void add_hwmon(const SystemFiles& files, const std::vector<Resource>& resources, std::vector<PowerCounter>& counters) {
  for (const std::string& sensor : files.list("/sys/class/hwmon")) {
    const std::string folder = "/sys/class/hwmon/" + sensor;
    const std::string owner = owner_of(files, folder, resources);
    const std::string chip = files.line(folder + "/name").value_or(sensor);
    for (const std::string& file : files.list(folder)) {
      if (!is_power_file(file) || counters.size() >= kMaxCounters) continue;
      const std::string channel = file.substr(0, file.find('_'));
      const std::string label = files.line(folder + "/" + channel + "_label").value_or(channel);
      const std::string path = folder + "/" + file;
      counters.push_back({.name = owner.empty() ? chip + " " + label : owner,
                          .source = "hwmon",
                          .path = path,
                          .readable = files.readable(path)});
    }
  }
}

}  // namespace

std::vector<PowerCounter> read_power_counters(const SystemFiles& files, const std::vector<Resource>& resources) {
  std::vector<PowerCounter> counters;
  add_rapl(files, counters);
  add_hwmon(files, resources, counters);
  std::sort(counters.begin(), counters.end(), [](const PowerCounter& a, const PowerCounter& b) {
    return std::tie(a.source, a.name, a.path) < std::tie(b.source, b.name, b.path);
  });
  return counters;
}

}  // namespace axle
