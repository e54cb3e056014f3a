#include "rm_abstract/resource_manager.hpp"

#include <algorithm>
#include <utility>

namespace rm_abstract {

axle::Result<std::unique_ptr<ResourceManager>> ResourceManager::create(std::shared_ptr<axle::Runtime> runtime) {
  if (!runtime) {
    AXLE_ASSIGN_OR_RETURN(runtime, axle::default_runtime());
  }
  AXLE_ASSIGN_OR_RETURN(ResourcePool pool, ResourcePool::discover(*runtime));
  std::unique_ptr<ResourceManager> manager(new ResourceManager(std::move(runtime), std::move(pool)));
  (void)manager->registry_.discover(manager->runtime_);
  return manager;
}

std::vector<std::string> ResourceManager::plugins_for(const Resource& resource) {
  std::vector<std::string> names;
  for (const std::string& name : registry_.available()) {
    const auto plugin = registry_.get(name);
    if (plugin && !(*plugin)->probe({resource}).empty()) names.push_back(name);
  }
  return names;
}

axle::Result<Plugin*> ResourceManager::choose(const Resource& resource, std::string_view plugin) {
  const std::vector<std::string> names = plugins_for(resource);
  if (names.empty()) {
    return axle::failed_precondition_error("no plugin can use " + resource.id).with_hint("axle engines says what is missing");
  }
  if (plugin.empty()) return registry_.get(names.front());
  if (std::find(names.begin(), names.end(), plugin) != names.end()) return registry_.get(plugin);
  std::string known;
  for (const std::string& name : names) known += (known.empty() ? "" : ", ") + name;
  return axle::failed_precondition_error("the plugin '" + std::string(plugin) + "' cannot use " + resource.id)
      .with_hint("those that can: " + known);
}

axle::Result<std::vector<BuildProfile>> ResourceManager::build_profiles(const Resource& resource, const BackendConfig& config,
                                                                        std::string_view plugin) {
  AXLE_ASSIGN_OR_RETURN(Plugin * chosen, choose(resource, plugin));
  std::vector<BuildProfile> profiles = chosen->required_build_profiles(config);
  std::erase_if(profiles, [&](const BuildProfile& profile) { return profile.target_resource_type != resource.type; });
  return profiles;
}

axle::Result<PreparedModel> ResourceManager::create_session(const Resource& resource, const BackendConfig& config,
                                                            std::string_view plugin) {
  AXLE_ASSIGN_OR_RETURN(Plugin * chosen, choose(resource, plugin));
  AXLE_ASSIGN_OR_RETURN(Prepared prepared, chosen->create_session({resource}, config, {}));
  return PreparedModel{chosen, std::move(prepared)};
}

}  // namespace rm_abstract
