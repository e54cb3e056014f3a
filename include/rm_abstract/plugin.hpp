// Plugins: what serves resources. A base class to derive from, and the registry that finds, orders and makes them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/export.h"
#include "axle/policy.h"
#include "axle/runtime.h"
#include "axle/status.h"
#include "axle/tensor.h"
#include "rm_abstract/resource.hpp"

namespace rm_abstract {

struct PluginMetadata {
  std::string name;  // unique in a registry
  std::string version;
  std::string vendor;
  std::vector<ResourceType> resource_types;
  int32_t priority = 0;  // a higher one is asked first
  std::string description;
};

// What a plugin is to serve.
struct BackendConfig {
  std::string model;   // path of a model file or folder
  std::string dtype;   // "fp16"; "" = the model's own
  std::string device;  // axle selector; "" = the resource that is given
  int32_t threads = 0; // 0 = axle's choice
  axle::Policy policy; // what stands above lies over it
};

// What prepare_resource gave; its plugin alone knows what it is.
using Prepared = std::shared_ptr<void>;

class AXLE_API Plugin {
 public:
  virtual ~Plugin();
  virtual PluginMetadata metadata() const = 0;
  // Whether what it stands on is here.
  virtual bool is_available() = 0;
  // Called once, before anything but metadata and is_available.
  virtual axle::Status initialize() { return axle::ok_status(); }
  // Those of the resources that it can use; unless overridden, those of its types.
  virtual std::vector<Resource> probe(const std::vector<Resource>& resources);
  // What has to be built before the model runs; nothing, unless overridden.
  virtual std::vector<BuildProfile> required_build_profiles(const BackendConfig& config);
  // What can be done on these resources; nothing is known, unless overridden.
  virtual Capability get_capability(const std::vector<Resource>& resources, const BackendConfig& config,
                                    const std::vector<BuildArtifact>& artifacts);
  // Makes the model ready on a resource.
  virtual axle::Result<Prepared> prepare_resource(const Resource& resource, const BackendConfig& config) = 0;
  // On the first of the resources, unless overridden.
  virtual axle::Result<Prepared> create_session(const std::vector<Resource>& resources, const BackendConfig& config,
                                                const std::vector<BuildArtifact>& artifacts);
  virtual axle::Result<std::vector<axle::NamedTensor>> execute(const Prepared& prepared,
                                                               std::span<const axle::NamedTensor> inputs) = 0;
  // Called once, last.
  virtual void cleanup() {}
};

using PluginFactory = std::function<std::unique_ptr<Plugin>()>;

// Adds a plugin to what every registry discovers from then on; for RM_ABSTRACT_PLUGIN.
AXLE_API bool announce_plugin(PluginFactory make);
#define RM_ABSTRACT_PLUGIN(Type) \
  [[maybe_unused]] static const bool Type##_announced = ::rm_abstract::announce_plugin([] { return std::make_unique<Type>(); })

// Plugins by name, each initialized once, when it is first asked for. Thread-safe.
class AXLE_API PluginRegistry {
 public:
  PluginRegistry() = default;
  PluginRegistry(const PluginRegistry&) = delete;
  PluginRegistry& operator=(const PluginRegistry&) = delete;
  ~PluginRegistry();

  axle::Status add(std::unique_ptr<Plugin> plugin);  // ALREADY_EXISTS
  axle::Status remove(std::string_view name);        // cleaned up where it was initialized; NOT_FOUND
  // Adds axle's engines ("axle": all of them under the planner, and one for each) and what RM_ABSTRACT_PLUGIN announced; the new names.
  std::vector<std::string> discover(const std::shared_ptr<axle::Runtime>& runtime);
  // By priority, then by name.
  std::vector<PluginMetadata> metadata() const;
  // NOT_FOUND; UNAVAILABLE: what it stands on is not here; or as initialize fails. Lives as long as it is registered.
  axle::Result<Plugin*> get(std::string_view name);
  // Names of those that can be used here, in the order of metadata().
  std::vector<std::string> available(std::optional<ResourceType> type = {});
  void cleanup();

 private:
  struct Entry {
    std::unique_ptr<Plugin> plugin;
    bool initialized = false;
  };
  mutable std::recursive_mutex mutex_;
  std::map<std::string, Entry, std::less<>> plugins_;
};

}  // namespace rm_abstract
