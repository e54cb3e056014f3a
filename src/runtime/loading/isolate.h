// Isolation: a partition whose engine runs in an axle-worker process.
#pragma once

#include <memory>
#include <string>

#include "axle/plan.h"
#include "axle/runtime.h"
#include "engine/engine.h"

namespace axle {

// `here`, once more, in a process of its own that stays on the partition's core set; ends with the last that was made from it. One that
// waits idle is taken. Else, of an engine that answers in a process of its own: that process, where nothing but the part's model was
// asked about there. Else one is started.
// FAILED_PRECONDITION: the engine is no plugin file but part of this process. ABORTED: another library was found there.
// Otherwise as start_worker.
Result<std::shared_ptr<Engine>> isolated_engine(Runtime& runtime, std::shared_ptr<Engine> here, const Partition& part);

// Starts one for `part` in the background, unless one waits for it already. Nothing for a part that runs in this process; a failure is told
// to who loads the part.
void prepare_isolated_engine(Runtime& runtime, const Partition& part);

// Back to those that wait: nothing was loaded on it, and nobody but the caller holds it.
void return_isolated_engine(Runtime& runtime, const Partition& part, std::shared_ptr<Engine> engine);

// Before an engine is asked about a model, or a copy or part of it.
void note_question(Runtime& runtime, const std::string& engine, const std::string& model_digest);

// Ends those that wait, and those that have answered about the plan: its parts start processes of their own.
void end_idle_engines(Runtime& runtime, const Plan& plan);

}  // namespace axle
