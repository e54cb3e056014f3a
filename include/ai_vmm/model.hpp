// Model: what VMM::deploy returns, ready to execute. Failures are exceptions (ai_vmm/types.hpp).
#pragma once

#include <any>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "ai_vmm/types.hpp"
#include "axle/plan.h"
#include "axle/qos.h"
#include "axle/session.h"

namespace ai_vmm {

// How executions kept to max_latency_ms so far; all zero when there is no such bound.
struct QosReport {
  double limit_ms = 0;
  int64_t executions = 0;
  int64_t violations = 0;  // executions that took longer
  double worst_ms = 0;
  // The bounds of latency_percentile and min_throughput as axle judges them over a sliding window of executions, and those on memory and
  // power as it reads them (`not_measured` says why where it cannot); empty without.
  std::vector<axle::QosBound> bounds;
  bool violated() const noexcept {  // any of the bounds, now
    for (const axle::QosBound& bound : bounds) {
      if (bound.violated) return true;
    }
    return false;
  }
};

// Where the bytes of a model's executions went.
struct MemoryReport {
  int64_t executions = 0;
  uint64_t zero_copy_bytes = 0;  // inputs that were read where the caller had them
  uint64_t staged_bytes = 0;     // copied between memory spaces, in and between parts, as the plan lists them
  uint64_t process_bytes = 0;    // copied because an engine runs in a process of its own
};

// A deployed model, or inside a ComputeBackend whatever it compiled. A handle: copies share one model. Thread-safe.
class AXLE_API Model {
 public:
  Model() = default;
  // For backends: carries `compiled` from ComputeBackend::compile to ComputeBackend::execute.
  explicit Model(std::any compiled);
  ~Model();
  Model(const Model&) = default;
  Model(Model&&) = default;
  Model& operator=(const Model&) = default;
  Model& operator=(Model&&) = default;
  const std::any& compiled() const noexcept;

  // Blocks. The first is for models of one input and one output; the second takes and gives them by name.
  // RuntimeError for a wrong tensor (axle::StatusCode::kInvalidArgument) and for what the engine says.
  Tensor execute(const Tensor& input) const;
  TensorMap execute(const TensorMap& inputs) const;
  // The same on a thread of its own; get() throws what execute would. As with std::async, the future waits when it is dropped.
  std::future<Tensor> execute_async(Tensor input) const;
  std::future<TensorMap> execute_async(TensorMap inputs) const;

  std::vector<TensorSpec> inputs() const;
  std::vector<TensorSpec> outputs() const;
  ModelCategory category() const;
  std::string category_reason() const;  // the structure that decided it
  std::string candidate() const;        // "openvino@cpu:0/f32/t2/default": engine, resource, precision, threads, preset
  std::string explain() const;          // the plan in words: what runs where, what was turned down and why
  const std::vector<axle::Substitution>& substitutions() const;  // allowed fallbacks that were taken
  QosReport qos() const;
  MemoryReport memory() const;
  // axle's own session, for what this front door leaves out: bindings, profiles, locks.
  const axle::Session& session() const;

  struct Impl;

 private:
  friend class VMM;
  explicit Model(std::shared_ptr<Impl> impl) noexcept;
  Impl& deployed() const;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ai_vmm
