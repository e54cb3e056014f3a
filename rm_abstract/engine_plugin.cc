#include "engine_plugin.h"

#include <algorithm>
#include <set>
#include <utility>

#include "axle/engine.h"
#include "axle/session.h"
#include "axle/version.h"

namespace rm_abstract {
namespace {

constexpr int32_t kPlannerPriority = 100;
constexpr int32_t kEnginePriority = 50;

template <typename T>
void add_new(std::vector<T>& all, const std::vector<T>& more) {
  for (const T& one : more) {
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(one);
  }
}

std::string selector_of(const Resource& resource) {
  return resource.simulated() ? resource.id + "#" + std::string(axle::kSimulatedTag) : resource.id;
}

std::string version_of(const axle::EngineState& state) {
  return state.info.library ? state.info.library->version : state.info.plugin_version;
}

// `engine` "" = all of them, as the planner decides.
class EnginePlugin final : public Plugin {
 public:
  EnginePlugin(std::shared_ptr<axle::Runtime> runtime, std::string engine)
      : runtime_(std::move(runtime)), engine_(std::move(engine)), states_(states()) {}

  PluginMetadata metadata() const override {
    PluginMetadata own{"axle", axle::build_info().version, "axle",
                       {},     kPlannerPriority,           "axle's planner over every engine that is here"};
    for (const axle::EngineState& state : states_) {
      for (const axle::EngineResource& item : state.resources)
        add_new(own.resource_types, {resource_type_of(item.resource.kind)});
      if (!engine_.empty())
        own = {engine_, version_of(state), state.info.vendor, own.resource_types, kEnginePriority, state.info.description};
    }
    if (!engine_.empty() && states_.empty()) own = {engine_, "", "", {}, kEnginePriority, "not here"};
    return own;
  }

  bool is_available() override { return !states_.empty(); }

  std::vector<Resource> probe(const std::vector<Resource>& resources) override {
    std::vector<Resource> reached;
    for (const Resource& resource : resources) {
      const bool any = std::any_of(states_.begin(), states_.end(),
                                   [&](const axle::EngineState& state) { return state.capabilities.contains(resource.id); });
      if (any) reached.push_back(resource);
    }
    return reached;
  }

  // axle compiles by itself; this says what it will do.
  std::vector<BuildProfile> required_build_profiles(const BackendConfig& config) override {
    std::vector<BuildProfile> profiles;
    for (const axle::EngineState& state : states_) {
      for (const axle::EngineResource& item : state.resources) {
        const auto capability = state.capabilities.find(item.resource.id);
        if (capability == state.capabilities.end() || !capability->second.needs_compile) continue;
        BuildProfile profile{resource_type_of(item.resource.kind), state.name, version_of(state), {}, "engine"};
        if (!config.dtype.empty()) profile.flags["precision"] = config.dtype;
        add_new(profiles, {std::move(profile)});
      }
    }
    return profiles;
  }

  Capability get_capability(const std::vector<Resource>& resources, const BackendConfig&,
                            const std::vector<BuildArtifact>&) override {
    Capability merged;
    bool any = false, all_compile = true;
    for (const Resource& resource : resources) {
      for (const axle::EngineState& state : states_) {
        const auto said = state.capabilities.find(resource.id);
        if (said == state.capabilities.end()) continue;
        const Capability one = Capability::from_axle(said->second);
        add_new(merged.dtype, one.dtype);
        add_new(merged.formats, one.formats);
        any = true;
        all_compile = all_compile && one.requires_precompile;
      }
    }
    merged.requires_precompile = any && all_compile;
    return merged;
  }

  axle::Result<Prepared> prepare_resource(const Resource& resource, const BackendConfig& config) override {
    return open(selector_of(resource), config);
  }

  axle::Result<Prepared> create_session(const std::vector<Resource>& resources, const BackendConfig& config,
                                        const std::vector<BuildArtifact>&) override {
    std::string selectors;
    for (const Resource& resource : resources) selectors += (selectors.empty() ? "" : ",") + selector_of(resource);
    return open(selectors, config);
  }

  axle::Result<std::vector<axle::NamedTensor>> execute(const Prepared& prepared,
                                                       std::span<const axle::NamedTensor> inputs) override {
    if (!prepared) return axle::invalid_argument_error("nothing was prepared");
    return static_cast<const axle::Session*>(prepared.get())->run(inputs);
  }

 private:
  std::vector<axle::EngineState> states() const {
    std::vector<axle::EngineState> here;
    if (!runtime_->machine().ok()) return here;  // joins what engines report with the machine's resources
    for (axle::EngineState& state : runtime_->engines().states()) {
      if (state.present && (engine_.empty() || engine_ == state.name)) here.push_back(std::move(state));
    }
    return here;
  }

  axle::Result<Prepared> open(const std::string& selectors, const BackendConfig& config) const {
    axle::SessionOptions options;
    options.policy = config.policy;
    options.runtime = runtime_;
    const std::string device = config.device.empty() ? selectors : config.device;
    const std::pair<const char*, std::string> flags[] = {
        {"device", device},
        {"engine", engine_},
        {"precision", axle_precision(config.dtype)},
        {"threads", config.threads > 0 ? std::to_string(config.threads) : std::string()}};
    for (const auto& [flag, value] : flags) {
      if (!value.empty()) AXLE_RETURN_IF_ERROR(axle::apply_policy_flag(options.policy, flag, value));
    }
    AXLE_ASSIGN_OR_RETURN(axle::Session session, axle::Session::create(config.model, std::move(options)));
    return Prepared(std::make_shared<axle::Session>(std::move(session)));
  }

  std::shared_ptr<axle::Runtime> runtime_;
  std::string engine_;
  std::vector<axle::EngineState> states_;
};

}  // namespace

std::vector<std::unique_ptr<Plugin>> engine_plugins(const std::shared_ptr<axle::Runtime>& runtime) {
  std::vector<std::unique_ptr<Plugin>> plugins;
  plugins.push_back(std::make_unique<EnginePlugin>(runtime, ""));
  for (const std::string& name : runtime->engines().names()) plugins.push_back(std::make_unique<EnginePlugin>(runtime, name));
  return plugins;
}

}  // namespace rm_abstract
