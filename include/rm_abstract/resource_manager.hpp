// ResourceManager: the pool of resources and the registry of plugins, together.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/export.h"
#include "axle/runtime.h"
#include "rm_abstract/plugin.hpp"
#include "rm_abstract/resource.hpp"

namespace rm_abstract {

// A model that a plugin has made ready; not longer than the manager lives.
struct PreparedModel {
  Plugin* plugin = nullptr;
  Prepared prepared;
  axle::Result<std::vector<axle::NamedTensor>> execute(std::span<const axle::NamedTensor> inputs) const {
    return plugin->execute(prepared, inputs);
  }
};

class AXLE_API ResourceManager {
 public:
  // This machine's resources and the plugins that are discovered; `runtime` null = the process's own.
  static axle::Result<std::unique_ptr<ResourceManager>> create(std::shared_ptr<axle::Runtime> runtime = nullptr);

  ResourcePool& pool() noexcept { return pool_; }
  PluginRegistry& registry() noexcept { return registry_; }
  // Names of the plugins that can use a resource here, best first.
  std::vector<std::string> plugins_for(const Resource& resource);
  // The one that is named, else the one of highest priority. FAILED_PRECONDITION: none can use it, or that one cannot.
  axle::Result<Plugin*> choose(const Resource& resource, std::string_view plugin = "");
  // What has to be built for a resource before the model runs.
  axle::Result<std::vector<BuildProfile>> build_profiles(const Resource& resource, const BackendConfig& config,
                                                         std::string_view plugin = "");
  axle::Result<PreparedModel> create_session(const Resource& resource, const BackendConfig& config,
                                             std::string_view plugin = "");

 private:
  ResourceManager(std::shared_ptr<axle::Runtime> runtime, ResourcePool pool)
      : runtime_(std::move(runtime)), pool_(std::move(pool)) {}

  std::shared_ptr<axle::Runtime> runtime_;
  ResourcePool pool_;
  PluginRegistry registry_;
};

}  // namespace rm_abstract
