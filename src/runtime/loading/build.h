// Build: turns one partition of a plan into a loaded executable, through the artefact cache where the engine has artefacts.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "axle/cancel.h"
#include "axle/runtime.h"
#include "axle/session.h"
#include "engine/executable.h"

namespace axle {

struct BuildOptions {
  CancelToken cancel = CancelToken::none();
  ProgressCallback progress;
  bool verify = false;
  bool profile = false;  // load so that runs can be recorded node by node
  const Partition* next =
      nullptr;  // build_partition: what is loaded after this; a process of its own is started for it meanwhile
  const Machine* machine = nullptr;  // build_artefact: the one to compile for; null = this one
};

// An engine that needs to be loaded for that declares a boolean option of this name.
inline constexpr std::string_view kProfilingOption = "profiling";

struct BuiltPartition {
  std::shared_ptr<const Executable> executable;
  std::string cache = "none";   // "hit", "miss", "none"
  int64_t compile_ns = 0;
  int64_t load_ns = 0;
  bool in_floats = false;  // a part planned in int8 holds nothing that has a form in integers
  bool profiling_turned_on = false;  // kProfilingOption is on although the plan leaves it off
};

// Loads exactly what `part` says and checks it: an engine that reports another precision, thread count, core set, or nodes
// moved elsewhere fails (FAILED_PRECONDITION). With options.profile the engine's profiling option is on, whatever the plan says.
// ABORTED: the engine's library is not the one the plan was made with.
Result<BuiltPartition> build_partition(Runtime& runtime, const Model& model, const Partition& part,
                                       const BuildOptions& options);

struct BuiltArtefact {
  std::string cache = "none";  // "hit", "miss" (it was compiled now), "none": the engine keeps none of this
  std::string key_digest;      // "" = none
  uint64_t size_bytes = 0;
  int64_t compile_ns = 0;
};

// Compiles and stores only. FAILED_PRECONDITION: for options.machine, another than this one, and the engine compiles only where it runs.
Result<BuiltArtefact> build_artefact(Runtime& runtime, const Model& model, const Partition& part, const BuildOptions& options);

}  // namespace axle
