// What is behind Session and Binding.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "axle/session.h"
#include "base/fork_guard.h"
#include "runtime/executor.h"
#include "trace/recorder.h"

namespace axle {

inline constexpr int kMaxExecutions = 64;  // concurrent run() calls of one session; more wait

// How the shape of an output follows from the feeds; not known when an axis is the engine's alone.
struct OutputRule {
  struct Axis {
    int64_t size = -1;   // fixed, or
    int32_t input = -1;  // the size of this axis of this input
    int32_t axis = -1;
  };
  bool known = false;
  std::vector<Axis> axes;
  static OutputRule of(const std::vector<IoSpec>& inputs, const IoSpec& output);
};

class ExecutionLease;

struct Session::Impl : std::enable_shared_from_this<Session::Impl> {
  std::shared_ptr<Runtime> runtime;
  std::optional<Model> model;
  Plan plan;
  Policy policy;                     // what lock() plans under, and with which samples
  std::vector<NamedTensor> samples;
  std::optional<Lock> locked;        // that it was loaded from
  LoadTiming timing;
  std::vector<std::string> effective_json;
  std::shared_ptr<const LoadedPlan> loaded;
  std::vector<OutputRule> rules;   // one per output
  ForkGuard guard;
  std::unique_ptr<TraceRecorder> recorder;  // null = nothing is recorded
  TraceText run_name = 0;
  std::vector<TraceText> partition_names;
  mutable std::atomic<uint32_t> runs{0};

  mutable std::mutex mutex;
  mutable std::condition_variable free_again;
  mutable std::vector<std::unique_ptr<Execution>> idle;
  mutable int made = 0;

  Status prepare();
  Result<ExecutionLease> lease() const;
  Status prepare_output(Execution& execution, size_t index, const std::vector<const Tensor*>& by_input, Tensor& out) const;
  Result<Tensor> fetch_output(Execution& execution, size_t index) const;
  Status call(Execution& execution, const CancelToken& cancel) const;
  Result<std::vector<NamedTensor>> run_once(Execution& execution, std::span<const NamedTensor> feeds,
                                            const CancelToken& cancel) const;
};

// An execution that goes back to its session at the end.
class ExecutionLease {
 public:
  ExecutionLease(std::shared_ptr<const Session::Impl> session, std::unique_ptr<Execution> execution) noexcept
      : session_(std::move(session)), execution_(std::move(execution)) {}
  ExecutionLease(ExecutionLease&&) noexcept = default;
  ExecutionLease& operator=(ExecutionLease&&) = delete;
  ~ExecutionLease();
  Execution* get() const noexcept { return execution_.get(); }

 private:
  std::shared_ptr<const Session::Impl> session_;
  std::unique_ptr<Execution> execution_;
};

struct Binding::Impl {
  Impl(std::shared_ptr<Session::Impl> owner, Execution made) : session(std::move(owner)), execution(std::move(made)) {
    inputs.resize(session->loaded->inputs.size());
    outputs.resize(session->loaded->outputs.size());
  }
  Status bind_input(size_t index, const Tensor& tensor);
  Status bind_output(size_t index, Tensor tensor);
  Result<Tensor> output(size_t index);

  std::shared_ptr<Session::Impl> session;
  Execution execution;
  std::vector<Tensor> inputs, outputs;  // kept alive while bound
};

// Owned copy of what an engine made; strings included.
Result<Tensor> copy_of(const OutputView& view);
// INVALID_ARGUMENT names the nearest known one.
Result<size_t> index_of(const std::vector<IoSpec>& specs, std::string_view name, const char* what);

}  // namespace axle
