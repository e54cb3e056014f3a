#include "ai_vmm/compute_backend.hpp"

#include "axle/status.h"

namespace ai_vmm {

ComputeBackend::~ComputeBackend() = default;

// NOLINTNEXTLINE(performance-unnecessary-value-param): a Model is a handle that implementations may keep
std::future<TensorMap> ComputeBackend::execute_all(Model, const TensorMap&) {
  throw RuntimeError(axle::unimplemented_error("this backend sets multiple_tensors and does not override execute_all"));
}

std::string ComputeBackend::refusal(const GraphNode&) { return ""; }

}  // namespace ai_vmm
