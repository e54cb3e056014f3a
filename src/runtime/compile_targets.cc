#include "runtime/compile_targets.h"

#include "engine/engine.h"
#include "runtime/runtime_state.h"

namespace axle {

Status add_compile_targets(Runtime& runtime, const Machine& machine, std::vector<EngineFacts>& engines) {
  for (EngineFacts& facts : engines) {
    if (!facts.present) continue;
    AXLE_ASSIGN_OR_RETURN(const auto engine, runtime.state().engine(facts.info.name, runtime));
    if (engine->targets().empty()) continue;
    for (const Resource& resource : machine.resources) {
      const auto target = engine->target_for(resource);
      if (!target || find_capability(facts, resource.id) != nullptr) continue;
      AXLE_ASSIGN_OR_RETURN(Capability capability, engine->capability(*target));
      facts.capabilities.push_back({resource.id, *target, false, std::move(capability)});
    }
  }
  return ok_status();
}

}  // namespace axle
