// A loaded model: verb load, and what it reports as really in force.
#pragma once

#include <memory>

#include "artefact.h"
#include "session.h"

namespace axle::ort {

kit::Loaded load_executable(const std::shared_ptr<const Runtime>& runtime, Providers& providers, const kit::LoadArgs& args);

}  // namespace axle::ort
