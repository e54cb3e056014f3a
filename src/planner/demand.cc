#include "planner/demand.h"

#include "policy/policy_values.h"

namespace axle {
namespace {

// "auto" is the word for no demand.
std::vector<std::string> real_targets(const std::vector<std::string>& targets) {
  std::vector<std::string> real;
  for (const std::string& target : targets) {
    if (target == "auto") return {};
    real.push_back(target);
  }
  return real;
}

void relax_engine(Demand& demand, const std::string& engine) {
  demand.engines = {engine};
  demand.allowed_by.emplace_back("fallback.engine");
  demand.engine_relaxed = true;
}

void relax_precision(Demand& demand, const std::string& precision) {
  demand.precisions = {precision};
  demand.allowed_by.emplace_back("fallback.precision");
  demand.precision_relaxed = true;
}

// Any engine that is not denied may serve on a fallback resource, even when one was forced; precision still holds.
void relax_resource(Demand& demand, const std::string& target) {
  demand.targets = {target};
  demand.engines.clear();
  demand.allowed_by.emplace_back("fallback.resource");
  demand.resource_relaxed = true;
}

}  // namespace

std::vector<Demand> demands_of(const Policy& policy) {
  Demand written;
  written.targets = real_targets(policy.execution.targets);
  written.engines = policy.engines.allow;
  written.precisions = normal_precisions(policy.execution.precisions);
  const auto precisions =
      written.precisions.empty() ? std::vector<std::string>() : normal_precisions(policy.fallback.precision);
  const auto engines = written.engines.empty() ? std::vector<std::string>() : policy.fallback.engine;
  const auto resources = written.targets.empty() ? std::vector<std::string>() : policy.fallback.resource;

  std::vector<Demand> demands = {written};
  const auto add = [&](const Demand& demand) {
    demands.push_back(demand);
    for (const std::string& precision : precisions) {
      relax_precision(demands.emplace_back(demand), precision);
    }
  };
  for (const std::string& precision : precisions) relax_precision(demands.emplace_back(written), precision);
  for (const std::string& engine : engines) {
    Demand demand = written;
    relax_engine(demand, engine);
    add(demand);
  }
  for (const std::string& resource : resources) {
    Demand demand = written;
    relax_resource(demand, resource);
    add(demand);
  }
  return demands;
}

}  // namespace axle
