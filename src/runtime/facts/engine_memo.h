// Remembered facts of engines: what an opened engine answered stands while the files it is made of, and everything that
// decides which files those are, are as they were. So a lock is checked without opening vendor libraries.
#pragma once

#include <optional>

#include "axle/runtime.h"
#include "spec/planner_input.h"

namespace axle {

// After an engine was opened. Nothing is kept of an absent or in-process one.
void remember_engine(Runtime& runtime, const EngineState& state, const EngineFacts& facts);

// `state` as EngineRegistry::peek gives it. Nothing when it was never opened on this machine, or something changed since. Both
// files' digests are looked up anew, by trusted stamp or by content.
std::optional<EngineFacts> recall_engine(Runtime& runtime, const EngineState& state, bool verify);

// Of the engine of that name: as it answered when it was opened, else as remembered, else, where `may_open`, by opening it now (and remembering
// it). Nothing for a name that no engine has.
std::optional<EngineFacts> known_engine(Runtime& runtime, const std::string& name, bool may_open, bool verify = false);

}  // namespace axle
