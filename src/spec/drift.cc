#include "axle/drift.h"

#include <fmt/format.h>

namespace axle {

std::string Drift::to_string() const {
  return fmt::format("{}{}{}: {}, locked {}", field, where.empty() ? "" : " of ", where, found, locked);
}

const std::vector<std::string>& drift_fields() {
  static const std::vector<std::string> fields = {
      "capability", "cgroup_limit", "cores", "cpu_features", "cpu_model", "driver", "engine", "engine_version", "library",
      "machine",    "memory",       "model", "os",           "planner",   "plugin", "policy", "resource"};
  return fields;
}

}  // namespace axle
