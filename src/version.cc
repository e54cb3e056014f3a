#include "axle/version.h"

#include "axle/engine_abi.h"
#include "axle_revision.h"

namespace axle {

BuildInfo build_info() {
  return {AXLE_VERSION, AXLE_GIT_REVISION, AXLE_ENGINE_ABI_VERSION, AXLE_COMPILER, AXLE_BUILD_TYPE, AXLE_SANITIZERS};
}

}  // namespace axle
