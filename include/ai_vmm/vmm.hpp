// VMM: deploys a model on the best of what this machine has.
//
//   ai_vmm::VMM vmm;
//   auto model = vmm.deploy("model.onnx");
//   auto out = model.execute(input);
//
// deploy reads the model, lets axle judge every engine and device under the constraints, measures what was not measured here
// before, compiles through the cache and loads. What cannot be had is an exception with the reason; nothing is substituted
// that the constraints do not allow. See docs/guides/ai-vmm.md.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ai_vmm/compute_backend.hpp"
#include "ai_vmm/memory.hpp"
#include "ai_vmm/model.hpp"
#include "ai_vmm/types.hpp"
#include "axle/qos.h"
#include "axle/runtime.h"

namespace ai_vmm {

struct VMMOptions {
  // Null = the process's own (cache folder and engines from the environment).
  std::shared_ptr<axle::Runtime> runtime;
  // Called while a deployment goes on: what, and how far in [0, 1] (negative = not known).
  std::function<void(const std::string& what, double fraction)> progress;
  // Called when a constraint on latency, throughput, memory or power comes to be violated by a deployed model's own executions: which,
  // by how much, in words (`text`). On a thread of that model; must not destroy its last copy, nor outlive what it captures.
  std::function<void(const axle::QosViolation& violation)> on_violation;
};

class AXLE_API VMM {
 public:
  // Opens nothing yet. RuntimeError when this machine cannot be used at all.
  explicit VMM(VMMOptions options = {});

  // Throws CompilationError, RuntimeError, PerformanceError. Blocks: seconds when it compiles or measures.
  Model deploy(const std::string& model_path, const DeploymentConstraints& constraints = {});
  // `samples` are real inputs: they fix the shapes, and are what is measured and what errors are judged on.
  Model deploy(const std::string& model_path, const DeploymentConstraints& constraints, const TensorMap& samples);

  // This machine's hardware, with the backends (axle: engines) that reach each.
  std::vector<HardwareCapabilities> hardware();

  // The memory that this machine's hardware computes in: the host's first, then each device's own.
  std::vector<MemorySpace> memory_spaces();

  // Makes a backend an engine of this process, under `name` ([a-z][a-z0-9_]*, at most 32). It serves every VMM and axle
  // session from then on. RuntimeError: initialize() failed, the name is taken, the device is none of this machine's and not
  // marked simulated, or more than 16 backends.
  void register_backend(std::shared_ptr<ComputeBackend> backend, const std::string& name);

 private:
  VMMOptions options_;
};

}  // namespace ai_vmm
