// Output tensors for a binding that has run once.
#pragma once

#include "axle/session.h"

namespace axle {

// Binds a fresh tensor to every output, so that the next run writes into memory of ours as a caller with bound tensors has it.
// The binding has run: the same inputs give the same shapes again. Strings, and outputs that are inputs of the model, stay
// unbound. Errors of the engine.
Status bind_fresh_outputs(const Session& session, Binding& binding);

}  // namespace axle
