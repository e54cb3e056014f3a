// A loaded compiled graph: verb load, and what it reports as really in force.
#pragma once

#include "qnn_artefact.h"

namespace axle::qnn {

// From an artefact, or from one that is made for this load alone.
kit::Loaded load_executable(const Library& library, const std::optional<Version>& backend, const kit::LoadArgs& args);

}  // namespace axle::qnn
