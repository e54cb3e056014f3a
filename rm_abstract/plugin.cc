#include "rm_abstract/plugin.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "engine_plugin.h"

namespace rm_abstract {
namespace {

struct Announced {
  std::mutex mutex;
  std::vector<PluginFactory> factories;
};

Announced& announced() {
  static Announced all;
  return all;
}

bool serves(const PluginMetadata& metadata, ResourceType type) {
  return std::find(metadata.resource_types.begin(), metadata.resource_types.end(), type) != metadata.resource_types.end();
}

}  // namespace

bool announce_plugin(PluginFactory make) {
  Announced& all = announced();
  const std::lock_guard lock(all.mutex);
  all.factories.push_back(std::move(make));
  return true;
}

Plugin::~Plugin() = default;

std::vector<Resource> Plugin::probe(const std::vector<Resource>& resources) {
  std::vector<Resource> usable;
  const PluginMetadata own = metadata();
  for (const Resource& resource : resources) {
    if (serves(own, resource.type)) usable.push_back(resource);
  }
  return usable;
}

std::vector<BuildProfile> Plugin::required_build_profiles(const BackendConfig&) { return {}; }

Capability Plugin::get_capability(const std::vector<Resource>&, const BackendConfig&, const std::vector<BuildArtifact>&) {
  return {};
}

axle::Result<Prepared> Plugin::create_session(const std::vector<Resource>& resources, const BackendConfig& config,
                                              const std::vector<BuildArtifact>&) {
  if (resources.empty()) return axle::failed_precondition_error("the plugin '" + metadata().name + "' was given no resource");
  return prepare_resource(resources.front(), config);
}

PluginRegistry::~PluginRegistry() { cleanup(); }

axle::Status PluginRegistry::add(std::unique_ptr<Plugin> plugin) {
  const std::lock_guard lock(mutex_);
  std::string name = plugin->metadata().name;
  if (plugins_.contains(name)) return axle::already_exists_error("a plugin '" + name + "' is registered already");
  plugins_.emplace(std::move(name), Entry{std::move(plugin)});
  return axle::ok_status();
}

axle::Status PluginRegistry::remove(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = plugins_.find(name);
  if (found == plugins_.end()) return axle::not_found_error("there is no plugin '" + std::string(name) + "'");
  if (found->second.initialized) found->second.plugin->cleanup();
  plugins_.erase(found);
  return axle::ok_status();
}

std::vector<std::string> PluginRegistry::discover(const std::shared_ptr<axle::Runtime>& runtime) {
  std::vector<std::unique_ptr<Plugin>> found = engine_plugins(runtime);
  {
    Announced& all = announced();
    const std::lock_guard lock(all.mutex);
    for (const PluginFactory& make : all.factories) found.push_back(make());
  }
  std::vector<std::string> added;
  for (std::unique_ptr<Plugin>& plugin : found) {
    std::string name = plugin->metadata().name;
    if (add(std::move(plugin)).ok()) added.push_back(std::move(name));
  }
  return added;
}

std::vector<PluginMetadata> PluginRegistry::metadata() const {
  const std::lock_guard lock(mutex_);
  std::vector<PluginMetadata> all;
  for (const auto& [name, entry] : plugins_) all.push_back(entry.plugin->metadata());
  std::sort(all.begin(), all.end(), [](const PluginMetadata& a, const PluginMetadata& b) {
    return std::tie(b.priority, a.name) < std::tie(a.priority, b.name);
  });
  return all;
}

axle::Result<Plugin*> PluginRegistry::get(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const auto found = plugins_.find(name);
  if (found == plugins_.end()) {
    std::string known;
    for (const auto& [other, entry] : plugins_) known += (known.empty() ? "" : ", ") + other;
    return axle::not_found_error("there is no plugin '" + std::string(name) + "'").with_hint("there are: " + known);
  }
  Entry& entry = found->second;
  if (entry.initialized) return entry.plugin.get();
  if (!entry.plugin->is_available())
    return axle::unavailable_error("what the plugin '" + found->first + "' stands on is not here").with_hint("axle doctor");
  AXLE_RETURN_IF_ERROR(entry.plugin->initialize());
  entry.initialized = true;
  return entry.plugin.get();
}

std::vector<std::string> PluginRegistry::available(std::optional<ResourceType> type) {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const PluginMetadata& one : metadata()) {
    if ((!type || serves(one, *type)) && plugins_.find(one.name)->second.plugin->is_available()) names.push_back(one.name);
  }
  return names;
}

void PluginRegistry::cleanup() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, entry] : plugins_) {
    if (std::exchange(entry.initialized, false)) entry.plugin->cleanup();
  }
}

}  // namespace rm_abstract
