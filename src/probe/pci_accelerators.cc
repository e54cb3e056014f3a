#include <fmt/format.h>

#include <algorithm>

#include "probe/accelerators.h"
#include "probe/device_table.h"

namespace axle {
namespace {

constexpr uint32_t kAti = 0x1002;
constexpr uint32_t kAmd = 0x1022;
constexpr uint32_t kNvidia = 0x10de;
constexpr uint32_t kIntel = 0x8086;
constexpr uint32_t kDisplayClass = 0x03;
constexpr uint32_t kAcceleratorClass = 0x12;
constexpr uint64_t kGib = uint64_t{1} << 30;
constexpr uint64_t kMostMemory = uint64_t{1} << 50;

bool has_accel_node(const PciDevice& device) {
  return std::any_of(device.nodes.begin(), device.nodes.end(),
                     [](const std::string& node) { return node.starts_with("/dev/accel/"); });
}

// What cannot be recognised as something that computes is left out: a compression engine is an "accelerator" to PCI too.
std::optional<ResourceKind> kind_of(const PciDevice& device) {
  if (const KnownDevice* known = find_known_device(device.vendor, device.device)) return known->kind;
  if (find_known_npu_driver(device.driver) || has_accel_node(device)) return ResourceKind::kNpu;
  if (accelerator_vendor(device.vendor).empty()) return std::nullopt;
  if (device.base_class() == kDisplayClass && !is_display_only(device.vendor)) return ResourceKind::kGpu;
  if (device.base_class() != kAcceleratorClass) return std::nullopt;
  if (device.vendor == kAti) return ResourceKind::kGpu;  // Instinct boards without a display
  if (is_npu_vendor(device.vendor)) return ResourceKind::kNpu;
  return std::nullopt;
}

// An APU's GPU shares its slot with functions of the CPU (PSP, USB, audio coprocessor) that carry AMD's CPU vendor id.
bool shares_slot_with_amd_cpu(const PciDevice& device, const std::vector<PciDevice>& all) {
  const std::string slot = device.address.substr(0, device.address.rfind('.') + 1);
  return std::any_of(all.begin(), all.end(),
                     [&](const PciDevice& other) { return other.vendor == kAmd && other.address.starts_with(slot); });
}

bool on_first_bus(const PciDevice& device) {
  return device.address.find(":00:") != std::string::npos && device.address.starts_with("0000:");
}

std::vector<std::string> tags_of(const PciDevice& device, const KnownDevice* known, ResourceKind kind,
                                 const std::vector<PciDevice>& all) {
  std::vector<std::string> tags;
  if (known) {
    for (const std::string_view tag : split_words(known->tags)) tags.emplace_back(tag);
  } else {
    bool integrated = false;
    if (device.vendor == kIntel) integrated = on_first_bus(device);
    if (device.vendor == kAti || device.vendor == kAmd) integrated = shares_slot_with_amd_cpu(device, all);
    tags.emplace_back(integrated ? "integrated" : "discrete");
  }
  const std::string_view architecture =
      device.vendor == kNvidia && kind == ResourceKind::kGpu ? nvidia_architecture(device.device) : "";
  if (!architecture.empty()) tags.emplace_back(architecture);
  return tags;
}

std::string name_of(const SystemFiles& files, const PciDevice& device, const KnownDevice* known, ResourceKind kind) {
  std::string product = files.line(device.folder() + "/product_name").value_or("");
  if (!product.empty() && kind == ResourceKind::kGpu) return product;
  if (known) return std::string(known->name);
  if (const KnownDriver* driver = find_known_npu_driver(device.driver))
    return fmt::format("{} [{}]", driver->name, device.id());
  const std::string_view vendor = accelerator_vendor(device.vendor);
  return fmt::format("{} {} [{}]", vendor.empty() ? "unknown" : vendor, kind == ResourceKind::kGpu ? "GPU" : "NPU",
                     device.id());
}

std::string vendor_of(const PciDevice& device) {
  if (const KnownDriver* driver = find_known_npu_driver(device.driver)) return std::string(driver->vendor);
  return std::string(accelerator_vendor(device.vendor));
}

uint64_t byte_count(const SystemFiles& files, const std::string& path) {
  const int64_t value = files.number(path).value_or(0);
  return value > 0 && static_cast<uint64_t>(value) < kMostMemory ? static_cast<uint64_t>(value) : 0;
}

uint64_t intel_memory(const SystemFiles& files, const PciDevice& device) {
  uint64_t total = 0;
  for (int tile = 0; tile < 8; ++tile) {
    const std::string folder = fmt::format("{}/tile{}", device.folder(), tile);
    const uint64_t bytes = byte_count(files, folder + "/memory/physical_vram_size_bytes");
    total += bytes ? bytes : byte_count(files, folder + "/physical_vram_size_bytes");
  }
  return total ? total : byte_count(files, device.folder() + "/lmem_total_bytes");
}

void set_memory(const SystemFiles& files, const PciDevice& device, const KnownDevice* known, bool integrated,
                Resource& resource) {
  const auto take = [&](uint64_t bytes, const char* source) {
    if (bytes == 0 || resource.memory_bytes != 0) return;
    resource.memory_bytes = bytes;
    resource.attributes["memory_source"] = source;
  };
  const uint64_t vram = byte_count(files, device.folder() + "/mem_info_vram_total");
  if (vram && integrated) {
    // An APU's driver hands out the carve-out and a share of system memory alike.
    const uint64_t shared = byte_count(files, device.folder() + "/mem_info_gtt_total");
    resource.attributes["memory_carveout_bytes"] = std::to_string(vram);
    resource.attributes["memory_shared_bytes"] = std::to_string(shared);
    take(vram + shared, "driver");
  }
  take(vram, "driver");
  if (device.vendor == kIntel) take(intel_memory(files, device), "driver");
  if (known) take(known->memory_gib * kGib, "table");
  // NVIDIA's aperture may be larger than the memory behind it, so it says nothing there.
  const bool bar_counts =
      resource.kind == ResourceKind::kGpu && !integrated && device.vendor != kNvidia && device.largest_bar_bytes >= kGib;
  if (bar_counts) take(device.largest_bar_bytes, "bar");
}

void set_attributes(const SystemFiles& files, const PciDevice& device, Resource& resource) {
  resource.attributes["pci_id"] = device.id();
  resource.attributes["pci_revision"] = fmt::format("{:02x}", device.revision);
  if (device.numa_node >= 0) resource.attributes["numa_node"] = std::to_string(device.numa_node);
  if (!device.nodes.empty()) resource.attributes["path.nodes"] = fmt::format("{}", fmt::join(device.nodes, " "));
  const std::pair<const char*, const char*> files_of_drivers[] = {
      {"fw_version", "firmware"}, {"vbnv", "model_string"}, {"vbios_version", "vbios"}};
  for (const auto& [file, attribute] : files_of_drivers) {
    if (std::optional<std::string> text = files.line(device.folder() + "/" + file)) resource.attributes[attribute] = *text;
  }
}

Resource to_resource(const SystemFiles& files, const PciDevice& device, ResourceKind kind, const std::vector<PciDevice>& all) {
  const KnownDevice* known = find_known_device(device.vendor, device.device);
  Resource resource;
  resource.kind = kind;
  resource.vendor = vendor_of(device);
  resource.name = name_of(files, device, known, kind);
  resource.pci_address = device.address;
  resource.driver = driver_with_version(files, device.driver);
  resource.tags = tags_of(device, known, kind, all);
  resource.uuid = files.line(device.folder() + "/unique_id").value_or("");
  const bool integrated = std::find(resource.tags.begin(), resource.tags.end(), "integrated") != resource.tags.end();
  set_memory(files, device, known, integrated, resource);
  set_attributes(files, device, resource);
  if (resource.vendor == "nvidia") add_nvidia_details(files, resource);
  return resource;
}

}  // namespace

std::vector<Resource> pci_accelerators(const SystemFiles& files, const std::vector<PciDevice>& devices) {
  constexpr size_t kMaxAccelerators = 1024;
  std::vector<Resource> resources;
  for (const PciDevice& device : devices) {
    const std::optional<ResourceKind> kind = device.virtual_function ? std::nullopt : kind_of(device);
    if (kind && resources.size() < kMaxAccelerators) resources.push_back(to_resource(files, device, *kind, devices));
  }
  return resources;
}

}  // namespace axle
