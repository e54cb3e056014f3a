#include "probe/what_if.h"

namespace axle {
namespace {

EngineFacts& engine_named(PlannerInput& input, const std::string& name) {
  for (EngineFacts& engine : input.engines) {
    if (engine.info.name == name) return engine;
  }
  EngineFacts& added = input.engines.emplace_back();
  added.info.name = name;
  return added;
}

CapabilityFacts assumed_capability(const std::string& resource, const ProfileEngine& said) {
  CapabilityFacts facts;
  facts.resource = resource;
  facts.assumed = true;
  facts.capability.formats = said.formats;
  facts.capability.dynamic_shapes = said.dynamic_shapes ? DynamicShapes::kYes : DynamicShapes::kNo;
  facts.capability.needs_compile = said.needs_compile;
  facts.capability.can_compile = said.needs_compile;
  for (const std::string& op : said.operators) facts.capability.ops.push_back({"", op, 1, 0, {}});
  for (const std::string& precision : said.precisions) {
    PrecisionSpec spec;
    spec.name = precision;
    spec.native = true;
    facts.capability.precisions.push_back(spec);
  }
  return facts;
}

}  // namespace

void assume_machine(PlannerInput& input, bool what_if) {
  input.profiles = profiles_of(input.machine);
  input.what_if = what_if;
  if (!input.what_if) return;
  for (const auto& [resource, profile] : input.profiles) {
    for (const ProfileEngine& said : profile.engines) {
      EngineFacts& engine = engine_named(input, said.name);
      if (find_capability(engine, resource) != nullptr) continue;
      if (!engine.present) {
        engine.present = true;
        engine.info.honours_cpu_set = true;  // it runs on no core of the host
        engine.absent_reason.clear();
        engine.library_version = "what-if";
        engine.library_digest.clear();
      }
      engine.capabilities.push_back(assumed_capability(resource, said));
    }
  }
}

}  // namespace axle
