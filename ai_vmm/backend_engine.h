// A ComputeBackend as an engine of axle, through the engine ABI like any plugin.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ai_vmm/compute_backend.hpp"
#include "axle/runtime.h"

namespace ai_vmm {

// Initialises the backend and registers it in this process. FAILED_PRECONDITION: initialize() said no, or its device is none
// of `machine`'s; ALREADY_EXISTS, INVALID_ARGUMENT: the name; RESOURCE_EXHAUSTED: no slot is left.
axle::Status register_backend_engine(std::shared_ptr<ComputeBackend> backend, const std::string& name,
                                     const axle::Machine& machine);

// Ids of the simulated devices of backends that this program registered: "pim:9".
std::vector<std::string> simulated_devices();

// So that a backend can be asked for its score: the category of a model that is being deployed, by digest.
void note_category(const std::string& digest, ModelCategory category);
ModelCategory category_of_graph(const std::string& digest, const std::string& path);

}  // namespace ai_vmm
