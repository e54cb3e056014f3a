// Turn: one block in which several callers run a plan at the same time, each on a binding of its own.
#pragma once

#include <span>
#include <vector>

#include "axle/cancel.h"
#include "axle/session.h"
#include "runtime/measuring/blocks.h"

namespace axle {

struct Turn {
  Block block;             // calls of all callers, merged
  double calls_per_s = 0;  // of all callers together
};

// One caller per binding, the first on this thread; they begin together. The failure of any call ends it.
Result<Turn> take_turn(std::span<Binding> callers, const BlockLimits& limits, const CancelToken& cancel);

// `count` bindings of the session with the samples bound, each with inputs and outputs of its own: callers share no cache lines more
// than they would in a program. Each has run once.
Result<std::vector<Binding>> make_callers(const Session& session, const std::vector<NamedTensor>& samples, int32_t count);

}  // namespace axle
