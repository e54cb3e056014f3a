#include "probe/pci.h"

#include <fmt/format.h>

#include <algorithm>

namespace axle {
namespace {

constexpr uint64_t kPrefetchable = 0x2000;  // IORESOURCE_PREFETCH
constexpr uint64_t kMemory = 0x200;         // IORESOURCE_MEM

bool is_pci_address(std::string_view name) {
  // dddd:bb:dd.f, with longer domains on some hypervisors
  const size_t dot = name.rfind('.');
  const size_t first = name.find(':');
  return dot != std::string_view::npos && first != std::string_view::npos && first >= 4 && name.size() - first == 8 &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':' || c == '.'; });
}

std::optional<uint32_t> id_number(const SystemFiles& files, const std::string& path, int64_t limit) {
  const std::optional<int64_t> value = files.number(path);
  if (!value || *value < 0 || *value > limit) return std::nullopt;
  return static_cast<uint32_t>(*value);
}

// "resource": one line "start end flags" per region.
uint64_t largest_prefetchable_bar(const SystemFiles& files, const std::string& folder) {
  uint64_t largest = 0;
  const std::string text = files.content(folder + "/resource").value_or("");
  for (const std::string_view line : split_lines(text)) {
    const std::vector<std::string_view> words = split_words(line);
    if (words.size() != 3) continue;
    const int64_t start = parse_number(words[0]).value_or(0);
    const int64_t end = parse_number(words[1]).value_or(0);
    const auto flags = static_cast<uint64_t>(parse_number(words[2]).value_or(0));
    if (end > start && start > 0 && (flags & kPrefetchable) && (flags & kMemory))
      largest = std::max(largest, static_cast<uint64_t>(end - start) + 1);
  }
  return largest;
}

std::optional<PciDevice> read_device(const SystemFiles& files, const std::string& address) {
  PciDevice device;
  device.address = address;
  const std::string folder = device.folder();
  const std::optional<uint32_t> vendor = id_number(files, folder + "/vendor", 0xffff);
  const std::optional<uint32_t> id = id_number(files, folder + "/device", 0xffff);
  const std::optional<uint32_t> class_code = id_number(files, folder + "/class", 0xffffff);
  if (!vendor || !id || !class_code) return std::nullopt;
  device.vendor = *vendor;
  device.device = *id;
  device.class_code = *class_code;
  device.revision = id_number(files, folder + "/revision", 0xff).value_or(0);
  const int64_t node = files.number(folder + "/numa_node").value_or(-1);
  if (node >= 0 && node < 65536) device.numa_node = static_cast<int32_t>(node);
  device.driver = files.link_name(folder + "/driver");
  device.virtual_function = files.exists(folder + "/physfn");
  return device;
}

}  // namespace

std::string PciDevice::id() const { return fmt::format("{:04x}:{:04x}", vendor, device); }

std::vector<PciDevice> read_pci_devices(const SystemFiles& files) {
  std::vector<PciDevice> devices;
  for (const std::string& name : files.list("/sys/bus/pci/devices")) {
    if (!is_pci_address(name)) continue;
    std::optional<PciDevice> device = read_device(files, name);
    if (!device) continue;
    const uint32_t base = device->base_class();
    // Bridges, disks, network cards: their regions and nodes are of no interest.
    if (base != 0x06 && base != 0x01 && base != 0x02) {
      device->largest_bar_bytes = largest_prefetchable_bar(files, device->folder());
      device->nodes = device_nodes(files, device->folder());
    }
    devices.push_back(std::move(*device));
  }
  std::sort(devices.begin(), devices.end(), [](const PciDevice& a, const PciDevice& b) { return a.address < b.address; });
  return devices;
}

std::vector<std::string> device_nodes(const SystemFiles& files, const std::string& folder) {
  constexpr size_t kMaxNodes = 64;
  constexpr std::string_view kNoNodes[] = {"graphics", "sound", "iommu", "power", "msi_irqs", "link"};
  std::vector<std::string> nodes;
  // A class puts its devices in a folder of its name (accel/accel0, drm/renderD128, hailo_chardev/hailo0); the ones with a
  // node in /dev say so in their uevent.
  for (const std::string& class_name : files.folders(folder)) {
    if (std::find(std::begin(kNoNodes), std::end(kNoNodes), class_name) != std::end(kNoNodes)) continue;
    // A bus of its own behind the device, not a class.
    if (class_name.starts_with("virtio")) continue;
    const std::string class_folder = folder + "/" + class_name;
    for (const std::string& name : files.list(class_folder)) {
      const std::string node = value_of(files.content(class_folder + "/" + name + "/uevent").value_or(""), "DEVNAME", '=');
      if (!node.empty() && node.find("..") == std::string::npos && nodes.size() < kMaxNodes)
        nodes.push_back(node.starts_with("/") ? node : "/dev/" + node);
    }
  }
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  return nodes;
}

std::string driver_with_version(const SystemFiles& files, const std::string& driver) {
  if (driver.empty()) return "";
  std::string module = files.link_name("/sys/bus/pci/drivers/" + driver + "/module");
  if (module.empty()) module = driver;
  std::string version = files.line("/sys/module/" + module + "/version").value_or("");
  if (version.empty()) version = files.line("/proc/sys/kernel/osrelease").value_or("");
  return version.empty() ? driver : driver + " " + version;
}

}  // namespace axle
