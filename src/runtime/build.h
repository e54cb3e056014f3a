// Build: turns one partition of a plan into a loaded executable, through the artefact cache where the engine has artefacts.
#pragma once

#include <memory>
#include <string>

#include "axle/cancel.h"
#include "axle/runtime.h"
#include "axle/session.h"
#include "engine/executable.h"

namespace axle {

struct BuildOptions {
  CancelToken cancel = CancelToken::none();
  ProgressCallback progress;
  bool verify = false;
};

struct BuiltPartition {
  std::shared_ptr<const Executable> executable;
  std::string cache = "none";   // "hit", "miss", "none"
  int64_t compile_ns = 0;
  int64_t load_ns = 0;
};

// Loads exactly what `part` says and checks it: an engine that reports another precision, thread count, core set, or nodes
// moved elsewhere fails (FAILED_PRECONDITION). ABORTED: the engine's library is not the one the plan was made with.
Result<BuiltPartition> build_partition(Runtime& runtime, const Model& model, const Partition& part,
                                       const BuildOptions& options);

// Compiles and stores only; OK when the engine has no artefacts. `hit` tells whether it was there already.
Result<bool> build_artefact(Runtime& runtime, const Model& model, const Partition& part, const BuildOptions& options);

}  // namespace axle
