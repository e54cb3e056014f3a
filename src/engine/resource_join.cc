#include <algorithm>

#include "axle/engine.h"

namespace axle {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

const Resource* joined(const Machine& machine, const Resource& reported) {
  const Resource* first_cpu = nullptr;
  int cpus = 0;
  for (const Resource& resource : machine.resources) {
    if (resource.part >= 0) continue;
    const bool same_pci = !reported.pci_address.empty() && lower(reported.pci_address) == lower(resource.pci_address);
    const bool same_uuid = !reported.uuid.empty() && lower(reported.uuid) == lower(resource.uuid);
    if (same_pci || same_uuid) return &resource;
    if (resource.kind == ResourceKind::kCpu && cpus++ == 0) first_cpu = &resource;
  }
  return reported.kind == ResourceKind::kCpu && !reported.simulated && cpus == 1 ? first_cpu : nullptr;
}

}  // namespace

void join_resources(const Machine& machine, std::vector<EngineResource>& resources) {
  for (EngineResource& item : resources) {
    const Resource* match = joined(machine, item.resource);
    if (match == nullptr) {
      item.resource.id = item.engine_id;
      continue;
    }
    // The engine's own attributes stay; what the machine knows is the truth about the rest.
    std::map<std::string, std::string> attributes = std::move(item.resource.attributes);
    const bool simulated = item.resource.simulated;
    item.resource = *match;
    item.resource.simulated = item.resource.simulated || simulated;
    item.resource.attributes.merge(attributes);
  }
}

}  // namespace axle
