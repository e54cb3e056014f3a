#include "engine/shared_resources.h"

#include <algorithm>

namespace axle {
namespace {

constexpr const char* kOr = " or ";

void add_word(std::string& words, const std::string& word) {
  if (word.empty() || words == word || words.ends_with(kOr + word) || words.starts_with(word + kOr)) return;
  words += (words.empty() ? "" : kOr) + word;
}

// Whatever goes there goes to one of the two: what they agree in is kept, and no more memory is promised than each has.
void merge(const Resource& other, Resource& into) {
  add_word(into.name, other.name);
  if (into.vendor != other.vendor) into.vendor.clear();
  if (into.driver != other.driver) into.driver.clear();
  if (into.uuid != other.uuid) into.uuid.clear();
  if (into.pci_address != other.pci_address) into.pci_address.clear();
  if (other.memory_bytes > 0 && (into.memory_bytes == 0 || other.memory_bytes < into.memory_bytes))
    into.memory_bytes = other.memory_bytes;
  for (const std::string& tag : other.tags) {
    if (std::ranges::find(into.tags, tag) == into.tags.end()) into.tags.push_back(tag);
  }
  std::erase_if(into.attributes, [&](const auto& attribute) {
    const auto same = other.attributes.find(attribute.first);
    return same == other.attributes.end() || same->second != attribute.second;
  });
  into.simulated = into.simulated && other.simulated;
}

}  // namespace

std::vector<Resource> resources_of_engines(const Machine& machine, const std::vector<EngineState>& engines) {
  std::vector<Resource> resources;
  for (const EngineState& engine : engines) {
    for (const EngineResource& reached : engine.resources) {
      const Resource& resource = reached.resource;
      if (!engine.present || find_resource(machine, resource.id) != nullptr) continue;
      const auto known = std::ranges::find(resources, resource.id, &Resource::id);
      if (known == resources.end())
        resources.push_back(resource);
      else
        merge(resource, *known);
    }
  }
  return resources;
}

}  // namespace axle
