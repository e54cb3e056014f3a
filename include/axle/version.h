// What this build of axle is.
#pragma once

#include <cstdint>
#include <string>

#include "axle/export.h"

namespace axle {

struct BuildInfo {
  std::string version;       // "0.1.0"
  std::string git_revision;  // short hash, "+" when the tree had changes, "" when built outside a checkout
  uint32_t engine_abi = 0;   // AXLE_ENGINE_ABI_VERSION
  std::string compiler;      // "GNU 12.2.0"
  std::string build_type;    // "Release"
  std::string sanitizers;    // "" or "address,undefined"
};

AXLE_API BuildInfo build_info();

}  // namespace axle
