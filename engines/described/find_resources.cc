#include <algorithm>

#include "base/file.h"
#include "base/text.h"
#include "description.h"

namespace axle::described {
namespace {

// "1e52" for a file that holds "0x1e52".
std::string id_in(const std::string& path) {
  const auto text = read_file(path, 64);
  if (!text.ok()) return "";
  const std::string_view id = trim(*text);
  return std::string(id.starts_with("0x") ? id.substr(2) : id);
}

}  // namespace

std::vector<kit::ResourceInfo> find_resources(const Description& description, const std::string& pci_root) {
  if (description.simulated) return {description.resource};
  std::vector<kit::ResourceInfo> found;
  const auto devices = list_dir(pci_root).value_or(std::vector<DirEntry>());
  for (const DirEntry& device : devices) {
    const std::string folder = pci_root + "/" + device.name;
    const std::string vendor = id_in(folder + "/vendor");
    const std::string id = vendor + ":" + id_in(folder + "/device");
    const auto fits = [&](const std::string& wanted) { return wanted == id || wanted == vendor + ":*"; };
    if (std::none_of(description.pci_ids.begin(), description.pci_ids.end(), fits)) continue;
    kit::ResourceInfo resource = description.resource;
    resource.id = description.info.name + ":" + std::to_string(found.size());
    resource.pci_address = device.name;
    found.push_back(std::move(resource));
  }
  kit::ResourceInfo elsewhere = description.resource;
  elsewhere.id = description.info.name + ":" + std::to_string(found.size());
  elsewhere.attributes["compiles_for"] = join(description.pci_ids, " ");
  found.push_back(std::move(elsewhere));
  return found;
}

}  // namespace axle::described
