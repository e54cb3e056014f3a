// Isolation: a partition whose engine runs in an axle-worker process.
#pragma once

#include <memory>

#include "axle/runtime.h"
#include "engine/engine.h"

namespace axle {

// `here`, once more, in a process of its own that stays on the partition's core set; ends with the last that was made from it.
// FAILED_PRECONDITION: the engine is no plugin file but part of this process. ABORTED: another library was found there.
// Otherwise as start_worker.
Result<std::shared_ptr<Engine>> isolated_engine(Runtime& runtime, const Engine& here, const Partition& part);

}  // namespace axle
