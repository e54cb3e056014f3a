#include "runtime/loading/compile_targets.h"

#include "engine/engine.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

CapabilityFacts* known_of(EngineFacts& facts, const std::string& resource) {
  for (CapabilityFacts& capability : facts.capabilities) {
    if (capability.resource == resource) return &capability;
  }
  return nullptr;
}

}  // namespace

Status add_compile_targets(Runtime& runtime, const Machine& machine, std::vector<EngineFacts>& engines) {
  for (EngineFacts& facts : engines) {
    if (!facts.present) continue;
    AXLE_ASSIGN_OR_RETURN(const auto engine, runtime.state().engine(facts.info.name, runtime));
    if (engine->targets().empty()) continue;
    for (const Resource& resource : machine.resources) {
      const auto target = engine->target_for(resource);
      if (!target) continue;
      CapabilityFacts* known = known_of(facts, resource.id);
      if (known != nullptr && !known->assumed) continue;
      AXLE_ASSIGN_OR_RETURN(Capability capability, engine->capability(*target));
      if (known != nullptr) {
        // A model of the device answers for it, and may be of any of its generations: what is compiled for is this one.
        known->capability.options = std::move(capability.options);
        known->capability.presets = std::move(capability.presets);
        continue;
      }
      facts.capabilities.push_back({resource.id, *target, false, std::move(capability)});
    }
  }
  return ok_status();
}

}  // namespace axle
