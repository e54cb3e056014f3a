// The machine's part of compare_facts: identity against identity, field by field. Pure.
#pragma once

#include <string>
#include <vector>

#include "axle/device.h"
#include "axle/drift.h"
#include "axle/plan.h"

namespace axle {

// Whatever makes the fingerprints differ is either a drift or, where no partition of `plan` depends on it, a note.
void compare_machines(const Machine& locked, const Machine& now, const Plan& plan, std::vector<Drift>& drifts,
                      std::vector<std::string>& notes);

}  // namespace axle
