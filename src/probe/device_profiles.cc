// Which profile a resource has, and the machines that come with axle.
#include "axle/device_profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/logging.h"
#include "base/text.h"
#include "probe/built_in.h"

namespace axle {
namespace {

bool is_named(const std::vector<std::string>& patterns, std::string_view name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (!pattern.ends_with('*')) return name == pattern;
    return name.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1));
  });
}

bool fits(const DeviceProfile& profile, const Machine& machine, const Resource& resource) {
  if (profile.kind != resource.kind || resource.simulated) return false;
  const auto id = resource.attributes.find("pci_id");
  const bool by_id = id != resource.attributes.end() &&
                     std::find(profile.pci_ids.begin(), profile.pci_ids.end(), id->second) != profile.pci_ids.end();
  if (!by_id && !is_named(profile.names, resource.name)) return false;
  return profile.cpu_models.empty() || is_named(profile.cpu_models, machine.cpu_model);
}

}  // namespace

const std::vector<DeviceProfile>& known_device_profiles() {
  static const std::vector<DeviceProfile> profiles = [] {
    std::vector<DeviceProfile> read;
    for (const BuiltInDocument& document : built_in_device_profiles()) {
      Result<DeviceProfile> profile = parse_device_profile(document.text);
      if (profile.has_value())
        read.push_back(std::move(profile).value());
      else  // a test reads them all
        AXLE_LOG(kError, "probe", "profile {} is left out: {}", document.name, profile.error().to_string());
    }
    return read;
  }();
  return profiles;
}

std::vector<ResourceProfile> profiles_of(const Machine& machine) {
  std::vector<ResourceProfile> found;
  for (const Resource& resource : machine.resources) {
    if (resource.part >= 0) continue;
    const auto& known = known_device_profiles();
    const auto profile =
        std::find_if(known.begin(), known.end(), [&](const DeviceProfile& one) { return fits(one, machine, resource); });
    if (profile != known.end()) found.push_back({resource.id, *profile});
  }
  return found;
}

std::vector<std::string> known_machines() {
  std::vector<std::string> names;
  for (const BuiltInDocument& document : built_in_machines()) names.emplace_back(document.name);
  return names;
}

Result<Machine> find_machine(const std::string& name_or_file) {
  for (const BuiltInDocument& document : built_in_machines()) {
    if (document.name == name_or_file) return parse_machine(document.text);
  }
  std::error_code ignored;
  if (std::filesystem::exists(name_or_file, ignored) || name_or_file.find('/') != std::string::npos ||
      name_or_file.ends_with(".json"))
    return load_machine(name_or_file);
  const std::string nearest = nearest_word(name_or_file, known_machines());
  return not_found_error(fmt::format("there is no machine \"{}\": neither a file nor one that comes with axle", name_or_file))
      .with_hint(nearest.empty() ? fmt::format("one of {}; or a file of `axle devices --record`", join(known_machines(), ", "))
                                 : fmt::format("did you mean {}?", nearest));
}

}  // namespace axle
