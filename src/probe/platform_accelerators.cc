// Accelerators that sit on no PCI bus: device-tree nodes, Qualcomm's Hexagon, USB sticks.
#include <fmt/format.h>

#include <map>

#include "probe/accelerators.h"
#include "probe/device_table.h"

namespace axle {
namespace {

struct PlatformDevice {
  std::string name;  // "fdab0000.npu"
  std::string driver;
  std::string compatible;
  const KnownPlatformDevice* known = nullptr;
};

std::vector<PlatformDevice> known_platform_devices(const SystemFiles& files) {
  std::vector<PlatformDevice> devices;
  for (const std::string& name : files.list("/sys/bus/platform/devices")) {
    const std::string uevent = files.content("/sys/bus/platform/devices/" + name + "/uevent").value_or("");
    if (uevent.find("OF_COMPATIBLE_0=") == std::string::npos) continue;
    for (int i = 0; i < 8; ++i) {  // most specific first
      const std::string compatible = value_of(uevent, fmt::format("OF_COMPATIBLE_{}", i), '=');
      const KnownPlatformDevice* known = compatible.empty() ? nullptr : find_known_platform_device(compatible);
      if (known == nullptr) continue;
      devices.push_back({name, value_of(uevent, "DRIVER", '='), compatible, known});
      break;
    }
  }
  return devices;
}

// Nodes of the device, or of the /sys/class/accel and /sys/class/drm entries that belong to its driver.
std::vector<std::string> nodes_of(const SystemFiles& files, const PlatformDevice& device) {
  std::vector<std::string> nodes = device_nodes(files, "/sys/bus/platform/devices/" + device.name);
  if (!nodes.empty() || device.driver.empty()) return nodes;
  for (const char* class_name : {"accel", "drm"}) {
    for (const std::string& entry : files.list(std::string("/sys/class/") + class_name)) {
      const std::string folder = fmt::format("/sys/class/{}/{}", class_name, entry);
      const std::string driver = value_of(files.content(folder + "/device/uevent").value_or(""), "DRIVER", '=');
      const std::string node = value_of(files.content(folder + "/uevent").value_or(""), "DEVNAME", '=');
      if (driver == device.driver && !node.empty() && node.find("..") == std::string::npos) nodes.push_back("/dev/" + node);
    }
  }
  return nodes;
}

Resource to_resource(const SystemFiles& files, const PlatformDevice& device) {
  Resource resource;
  resource.kind = device.known->kind;
  resource.vendor = device.known->vendor;
  resource.name = device.known->name;
  resource.tags = {"integrated"};
  resource.driver = driver_with_version(files, device.driver);
  resource.attributes["compatible"] = device.compatible;
  resource.attributes["device_tree_node"] = device.name;
  const std::vector<std::string> nodes = nodes_of(files, device);
  if (!nodes.empty()) resource.attributes["path.nodes"] = fmt::format("{}", fmt::join(nodes, " "));
  return resource;
}

Resource hexagon(const SystemFiles& files) {
  Resource resource;
  resource.kind = ResourceKind::kNpu;
  resource.vendor = "qualcomm";
  const std::string soc = files.line("/sys/devices/soc0/machine").value_or("");
  resource.name = soc.empty() ? "Qualcomm Hexagon" : fmt::format("Qualcomm Hexagon ({})", soc);
  resource.tags = {"integrated", "hexagon"};
  resource.driver = driver_with_version(files, "fastrpc");
  if (const std::string_view generation = hexagon_generation(soc); !generation.empty())
    resource.attributes["hexagon"] = generation;
  resource.attributes["path.nodes"] = files.exists("/dev/fastrpc-cdsp") ? "/dev/fastrpc-cdsp" : "/dev/fastrpc-cdsp-secure";
  return resource;
}

struct UsbId {
  int64_t vendor, product;
  const char* maker;
  const char* name;
};

constexpr UsbId kUsbIds[] = {{0x1a6e, 0x089a, "google", "Google Coral USB Accelerator"},
                             {0x18d1, 0x9302, "google", "Google Coral USB Accelerator"},
                             {0x03e7, 0x2485, "intel", "Intel Movidius Myriad X"},
                             {0x03e7, 0xf63b, "intel", "Intel Movidius Myriad X"}};

std::optional<int64_t> usb_id(const SystemFiles& files, const std::string& path) {
  const std::optional<std::string> text = files.line(path);  // four hexadecimal digits without 0x
  return text ? parse_number("0x" + *text) : std::nullopt;
}

}  // namespace

std::vector<Resource> platform_accelerators(const SystemFiles& files) {
  std::vector<Resource> resources;
  std::map<std::string_view, std::pair<size_t, int>> by_name;  // devices whose cores are nodes of their own
  for (const PlatformDevice& device : known_platform_devices(files)) {
    if (device.known->cores) {
      const auto [found, fresh] = by_name.try_emplace(device.known->name, resources.size(), 0);
      ++found->second.second;
      if (!fresh) continue;
    }
    resources.push_back(to_resource(files, device));
  }
  for (const auto& [name, place] : by_name) resources[place.first].attributes["cores"] = std::to_string(place.second);
  if (files.exists("/dev/fastrpc-cdsp") || files.exists("/dev/fastrpc-cdsp-secure")) resources.push_back(hexagon(files));
  return resources;
}

std::vector<Resource> usb_accelerators(const SystemFiles& files) {
  std::vector<Resource> resources;
  for (const std::string& name : files.list("/sys/bus/usb/devices")) {
    const std::string folder = "/sys/bus/usb/devices/" + name;
    const std::optional<int64_t> vendor = usb_id(files, folder + "/idVendor");
    const std::optional<int64_t> product = usb_id(files, folder + "/idProduct");
    for (const UsbId& id : kUsbIds) {
      if (vendor != id.vendor || product != id.product) continue;
      Resource resource;
      resource.kind = ResourceKind::kNpu;
      resource.vendor = id.maker;
      resource.name = id.name;
      resource.tags = {"discrete", "usb"};
      resource.uuid = files.line(folder + "/serial").value_or("");
      resource.attributes["usb_id"] = fmt::format("{:04x}:{:04x}", *vendor, *product);
      resource.attributes["path.usb"] = name;
      resources.push_back(std::move(resource));
    }
  }
  return resources;
}

}  // namespace axle
