// Compile: the artefacts of a plan into the cache, and nothing else: no part is loaded. Also for a machine that is not here, by
// engines whose compilers make code for its devices.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "axle/cache.h"
#include "axle/cancel.h"
#include "axle/device.h"
#include "axle/export.h"
#include "axle/model.h"
#include "axle/plan.h"
#include "axle/runtime.h"
#include "axle/status.h"

namespace axle {

struct CompileOptions {
  const Machine* machine = nullptr;  // that the plan was made for (PlanRequest::machine); null = this one
  CancelToken cancel = CancelToken::none();  // ends the vendor's processes; nothing of the artefact under way is left
  ProgressCallback progress;
  bool verify = false;  // hash files instead of trusting their stamps
};

// What became of one partition. Partitions that run the same artefact share its key.
struct CompiledPart {
  std::string candidate;
  std::string key_digest;  // of the entry in the cache; "" = the engine keeps no artefact of this
  std::string cache = "none";  // "hit", "miss" (compiled now), "none"
  uint64_t size_bytes = 0;
  int64_t compile_ns = 0;
};

// One per partition, in their order. Blocks. What the compiler printed is kept, also of one that fails (axle/build_log.h).
// FAILED_PRECONDITION: for another machine by an engine that compiles only where it runs, or without a cache to put it; UNAVAILABLE, UNIMPLEMENTED, RESOURCE_EXHAUSTED, ... as the compiler fails; CANCELLED.
AXLE_API Result<std::vector<CompiledPart>> compile_plan(Runtime& runtime, const Model& model, const Plan& plan,
                                                        const CompileOptions& options = {});

// What the caller has decided, where no planner is wanted.
struct EngineChoice {
  std::string engine;
  std::string resource;  // "" = the engine's first, else the first that it compiles for
  std::string precision = "f32";
  int32_t threads = 1;
  std::map<std::string, std::string> options;  // over the engine's defaults
};

// The plan of one partition that runs the whole model so; for compile_plan and Session::load. Nothing else is looked at, which its notes
// say. UNAVAILABLE: the engine is not here; UNIMPLEMENTED: it has no such precision or does not run the model; NOT_FOUND, INVALID_ARGUMENT:
// no such engine, resource or option.
AXLE_API Result<Plan> plan_on_engine(Runtime& runtime, const Model& model, const EngineChoice& choice);

// Writes the files of an artefact, each verified, under their own names into `folder`, which is made: what the engine's compiler left, with
// its log. Gives their names. NOT_FOUND, DATA_LOSS; INVALID_ARGUMENT: a name that is no plain file name.
AXLE_API Result<std::vector<std::string>> write_artefact_files(const Cache& cache, const std::string& key_digest,
                                                               const std::string& folder);

}  // namespace axle
