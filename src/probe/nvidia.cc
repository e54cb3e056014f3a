#include <algorithm>
#include <set>

#include "probe/accelerators.h"

namespace axle {
namespace {

constexpr size_t kMaxVisible = 1024;

std::string driver_version(const SystemFiles& files) {
  if (std::optional<std::string> version = files.line("/sys/module/nvidia/version")) return *version;
  // "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.120  Thu ..."
  const std::string banner = files.line("/proc/driver/nvidia/version").value_or("");
  for (const std::string_view word : split_words(banner)) {
    const bool numeric = std::all_of(word.begin(), word.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
    if (numeric && word.find('.') != std::string_view::npos) return std::string(word);
  }
  return "";
}

std::vector<std::string> split_commas(std::string_view text) {
  std::vector<std::string> parts;
  while (parts.size() < kMaxVisible) {
    const size_t comma = text.find(',');
    parts.push_back(clean_text(text.substr(0, comma)));
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return parts;
}

// A number counts GPUs, "GPU-8932..." is a UUID or a unique beginning of one. Null for anything else, as CUDA sees it.
Resource* find_visible(const std::vector<Resource*>& gpus, const std::string& word) {
  if (const std::optional<int64_t> number = parse_number(word)) {
    return *number >= 0 && static_cast<size_t>(*number) < gpus.size() ? gpus[static_cast<size_t>(*number)] : nullptr;
  }
  Resource* found = nullptr;
  for (Resource* gpu : gpus) {
    if (!word.starts_with("GPU-") || !gpu->uuid.starts_with(word)) continue;
    if (found != nullptr) return nullptr;
    found = gpu;
  }
  return found;
}

}  // namespace

void add_nvidia_details(const SystemFiles& files, Resource& gpu) {
  if (gpu.kind != ResourceKind::kGpu || !gpu.driver.starts_with("nvidia")) return;
  const std::string version = driver_version(files);
  if (!version.empty()) gpu.driver = "nvidia " + version;
  const std::string text = files.content("/proc/driver/nvidia/gpus/" + gpu.pci_address + "/information").value_or("");
  const std::string model = value_of(text, "Model");
  if (!model.empty() && model != "Unknown") gpu.name = model;
  const std::string uuid = value_of(text, "GPU UUID");
  if (uuid.find('?') == std::string::npos) gpu.uuid = uuid;  // "GPU-????????-" until the GPU was first used
  const std::string firmware = value_of(text, "GPU Firmware");
  if (!firmware.empty() && firmware != "N/A") gpu.attributes["firmware"] = firmware;
  const std::optional<int64_t> minor = parse_number(value_of(text, "Device Minor"));
  if (minor && *minor >= 0) gpu.attributes["path.nodes"] = "/dev/nvidia" + std::to_string(*minor);
}

void set_cuda_indices(std::vector<Resource>& resources, const std::optional<std::string>& visible) {
  std::vector<Resource*> gpus;
  for (Resource& resource : resources) {
    if (resource.kind == ResourceKind::kGpu && resource.vendor == "nvidia" && resource.driver.starts_with("nvidia"))
      gpus.push_back(&resource);
  }
  std::vector<Resource*> order = gpus;
  if (visible) {
    order.clear();
    std::set<Resource*> seen;
    for (const std::string& word : split_commas(*visible)) {
      Resource* gpu = find_visible(gpus, word);
      if (gpu == nullptr) break;  // CUDA ignores everything from the first invalid entry on
      if (!seen.insert(gpu).second) {
        order.clear();  // and sees nothing when one GPU is named twice
        break;
      }
      order.push_back(gpu);
    }
  }
  for (size_t i = 0; i < order.size(); ++i) order[i]->attributes["env.cuda_index"] = std::to_string(i);
}

}  // namespace axle
