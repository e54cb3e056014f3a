#include <algorithm>

#include "axle/engine.h"
#include "spec/resource.h"

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

// One that only the engine knows of. It keeps the engine's name for it, unless that is the id of something real here.
void stand_alone(const Machine& machine, EngineResource& item) {
  Resource& resource = item.resource;
  resource.id = item.engine_id;
  if (const auto named = parse_selector(item.engine_id); named && named->index) resource.index = *named->index;
  if (!resource.simulated) return;
  resource.tags = {std::string(kSimulatedTag)};
  while (std::any_of(machine.resources.begin(), machine.resources.end(),
                     [&](const Resource& other) { return !other.simulated && other.id == resource.id; }))
    resource.id = resource_id(resource.kind, ++resource.index);
}

}  // namespace

void join_resources(const Machine& machine, std::vector<EngineResource>& resources) {
  for (EngineResource& item : resources) {
    const Resource* match = joined(machine, item.resource);
    if (match == nullptr) {
      stand_alone(machine, item);
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
