// What is behind Session and Binding.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "axle/session.h"
#include "base/fork_guard.h"
#include "runtime/execution/batcher.h"
#include "runtime/execution/executor.h"
#include "runtime/execution/lanes.h"
#include "runtime/execution/load_switch.h"
#include "runtime/execution/replicas.h"
#include "runtime/execution/request_order.h"
#include "runtime/qos_monitor.h"
#include "runtime/variants/variants.h"
#include "trace/recorder.h"

namespace axle {

inline constexpr size_t kMaxExecutions = 64;  // concurrent run() calls of an unscheduled session; more wait

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

// The executables for one set of sizes, under one load.
struct PreparedShape {
  std::map<std::string, int64_t> axes;
  Load load = Load::kAny;
  std::unique_ptr<Replicas> replicas;
};

// An axis of the model's inputs that executables fix, and every place where it stands.
struct FixedAxis {
  struct Place {
    size_t input;
    size_t axis;
  };
  std::string name;
  std::vector<Place> places;
  static std::vector<FixedAxis> of(const std::vector<IoSpec>& inputs, const std::vector<PreparedShape>& shapes);
};

struct Session::Impl : std::enable_shared_from_this<Session::Impl> {
  std::shared_ptr<Runtime> runtime;
  std::optional<Model> model;
  Plan plan;
  Policy policy;                     // that it runs under, and lock() plans under, with these samples
  std::vector<NamedTensor> samples;
  std::optional<Lock> locked;        // that it was loaded from
  std::map<std::string, OpenVariant> variants;  // copies of the model that partitions run, by digest
  LoadTiming timing;
  std::vector<std::string> effective_json;
  std::shared_ptr<const LoadedPlan> loaded;  // the first replica
  std::unique_ptr<Lanes> lanes;              // null: partitions run on the thread that calls, as do those for a low load
  std::vector<PreparedShape> shapes;         // as the plan has them; one that fixes nothing unless the policy says otherwise
  std::vector<FixedAxis> fixed_axes;         // that some of them fix
  std::unique_ptr<LoadSwitch> load;          // not null: `shapes` are those for a low load, then as many for a high one
  std::unique_ptr<RequestOrder> order;       // null: answers leave when they are done
  std::unique_ptr<WorkerPool> waiting;  // threads that wait for asynchronous runs of a plan that is scheduled or joins requests
  std::vector<OutputRule> rules;  // one per output
  ForkGuard guard;
  std::unique_ptr<TraceRecorder> recorder;  // null = nothing is recorded
  TraceText run_name = 0;
  std::vector<TraceText> partition_names;
  mutable std::atomic<uint32_t> runs{0};

  std::unique_ptr<Batcher> batcher;  // null: each request is computed alone
  bool isolated = false;  // some part runs in a process of its own
  bool direct = true;  // a call is one call of the execution: no lanes, nothing is recorded or watched
  std::unique_ptr<QosMonitor> qos;  // null: the policy bounds nothing. Last: its thread ends before what it may look at

  Status load_plan(const SessionOptions& options);
  // `next` = what is loaded after it, or null.
  Result<std::shared_ptr<const Executable>> load_partition(const Partition& part, const Partition* next,
                                                           const SessionOptions& options);
  // What the partition runs: the model, or a copy of it.
  Result<const Model*> model_of(const Partition& part, const SessionOptions& options);
  // Wires the replicas of the partitions [first, last); `in_lanes`: their partitions run in lanes.
  Result<std::unique_ptr<Replicas>> load_replicas(size_t first, size_t last, bool in_lanes, const SessionOptions& options);
  // The executables for feeds of these shapes, under this load. INVALID_ARGUMENT names what is prepared.
  Result<Replicas*> replicas_for(std::span<const NamedTensor> feeds, bool high_load) const;
  Status prepare();
  // Of a plan that joins requests: checks that the model's rows do not touch each other, then joins. FAILED_PRECONDITION with the numbers
  // where they do.
  Status start_batching(const SessionOptions& options);
  Status prepare_output(Execution& execution, size_t index, const std::vector<const Tensor*>& by_input, Tensor& out) const;
  Result<Tensor> fetch_output(Execution& execution, size_t index) const;
  // `busy_ns`: what the slowest lane spent on it; 0 without lanes.
  Status call(Execution& execution, const CancelToken& cancel, int64_t* busy_ns = nullptr) const;
  // A binding's call, watched where the policy bounds it, and done again where a process ended and the policy lets it.
  Status watched_call(Execution& execution, const CancelToken& cancel) const;
  Status revived_call(Execution& execution, const CancelToken& cancel) const;
  std::vector<Replicas*> all_replicas() const;
  // What the policy bounds of the memory and power of this session, which must outlive them.
  Result<std::vector<QosGauge>> gauges(uint64_t resident_before) const;
  // A call as the caller sees it: watched where the policy bounds it, answered in its turn.
  Result<std::vector<NamedTensor>> run_in_turn(std::span<const NamedTensor> feeds, const RunOptions& options,
                                               RequestOrder::Ticket& ticket) const;
  // Lends an execution and runs it; on another replica where that one is gone and the policy lets the work move.
  Result<std::vector<NamedTensor>> run_lent(std::span<const NamedTensor> feeds, const CancelToken& cancel) const;
  // With others that wait at the same time, or lent alone.
  Result<std::vector<NamedTensor>> run_joined(std::span<const NamedTensor> feeds, const CancelToken& cancel) const;
  Result<std::vector<NamedTensor>> run_once(Execution& execution, std::span<const NamedTensor> feeds, const CancelToken& cancel,
                                            int64_t& busy_ns) const;
};

struct Binding::Impl {
  Impl(std::shared_ptr<Session::Impl> owner, Execution made, std::optional<Execution> for_high_load)
      : session(std::move(owner)), execution(std::move(made)), high(std::move(for_high_load)) {
    inputs.resize(session->loaded->inputs.size());
    outputs.resize(session->loaded->outputs.size());
    joined_outputs.resize(outputs.size());
  }
  Status bind_input(size_t index, const Tensor& tensor);
  Status bind_output(size_t index, Tensor tensor);
  Result<Tensor> output(size_t index);
  Status run(const CancelToken& cancel);
  Status run_joined(const CancelToken& cancel);
  // The rows of a run together with others, where the caller or this binding keeps outputs.
  Status keep_joined(const Batcher::Answer& answer);

  std::shared_ptr<Session::Impl> session;
  Execution execution;
  std::optional<Execution> high;  // beside it, for a high load; bound alike
  bool last_high = false;  // which of the two ran last
  std::vector<Tensor> inputs, outputs;  // kept alive while bound
  bool joined = false;  // the last run was one together with others:
  std::vector<Tensor> joined_outputs;  // its rows of outputs that are not bound
};

// Owned copy of what an engine made; strings included.
Result<Tensor> copy_of(const OutputView& view);
// INVALID_ARGUMENT names the nearest known one.
Result<size_t> index_of(const std::vector<IoSpec>& specs, std::string_view name, const char* what);

}  // namespace axle
