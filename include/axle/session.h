// Session: a loaded plan. Immutable and thread-safe: run() may be called from many threads. A Binding holds tensors bound
// in advance and is used by one thread at a time. Of a plan that joins requests, calls that wait at the same time are computed together,
// those of bindings too: one that is cancelled or fails does so alone. A session made before fork() refuses to run in the child
// (FAILED_PRECONDITION).
#pragma once

#include <functional>
#include <future>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/cancel.h"
#include "axle/export.h"
#include "axle/lock.h"
#include "axle/plan.h"
#include "axle/qos.h"
#include "axle/runtime.h"
#include "axle/status.h"
#include "axle/tensor.h"

namespace axle {

struct SessionOptions {
  Policy policy;
  std::vector<NamedTensor> samples;  // shapes to plan for; also what tuning feeds
  std::shared_ptr<Runtime> runtime;  // null = default_runtime()
  CancelToken cancel = CancelToken::none();  // stops planning, compiling and loading
  ProgressCallback progress;
  std::vector<std::string> waive;  // load(lock): drift fields tolerated beside the lock's own [lock] waive
  // Called when a bound of the policy's constraints comes to be violated by the session's own runs, on a thread of the session that
  // starts only with this set. Must not outlive what it captures; the session's last copy waits for a call under way.
  std::function<void(const QosViolation&)> on_violation;
  bool verify = false;  // hash files instead of trusting their stamps
  bool profile = false;  // record a trace of every run (explain renders it: render_profile_json); turns an
  // engine's option `profiling` on, which Session::plan notes
};

struct RunOptions {
  CancelToken cancel = CancelToken::none();
  int64_t timeout_ns = 0;  // 0 = none. DEADLINE_EXCEEDED; the buffers are the caller's again when run returns
};

struct LoadTiming {
  int64_t plan_ns = 0;
  int64_t compile_ns = 0;
  int64_t load_ns = 0;
  std::string cache = "none";  // "hit", "miss", "none"
};

class Binding;

// Of one replica of a scheduled plan (one for every schedule but "replicas"; of "hybrid" those of both loads; of prepared shapes all together), since
// loading.
struct ReplicaStatistics {
  Load load = Load::kAny;
  uint64_t requests = 0;
  uint64_t failures = 0;  // its device or process was gone
  int64_t typical_ns = 0;  // time per request that requests are spread by: planned, or learned with schedule.rebalance
  bool left_out = false;  // after a failure, for now
};

// Of a plan that joins requests (Plan::batching), since loading. All 0 without.
struct BatchStatistics {
  uint64_t requests = 0;  // answered, with others or alone
  uint64_t joined = 0;  // of them, computed together with others
  uint64_t runs = 0;  // of the model
  uint64_t redone = 0;  // computed again alone: the run that they were joined in failed
  int64_t most_rows = 0;  // of one run
};

class AXLE_API Session {
 public:
  // Plans under options.policy and loads. Codes as make_plan and load.
  static Result<Session> create(const Model& model, SessionOptions options = {});
  static Result<Session> create(const std::string& model_path, SessionOptions options = {});
  // Loads exactly this plan; never replans.
  static Result<Session> load(const Model& model, const Plan& plan, SessionOptions options = {});
  // Loads exactly the lock's plan, under its policy, when check_lock finds that it holds here for this model; options.policy,
  // unless it is Policy(), is compared with the lock's. ABORTED names each field that drifted and is not waived. A waived one
  // is in substitutions(), and plan() says what is here instead.
  static Result<Session> load(const Model& model, const Lock& lock, SessionOptions options = {});

  // The lock it was loaded from; else its plan with everything that is known now. ABORTED when what is known now leads to
  // another plan than the one this session runs. Asks engines; blocks.
  Result<Lock> lock() const;

  const std::vector<IoSpec>& inputs() const noexcept;
  const std::vector<IoSpec>& outputs() const noexcept;
  const Plan& plan() const noexcept;
  // Every allowed fallback that was taken; empty otherwise.
  const std::vector<Substitution>& substitutions() const noexcept;
  const LoadTiming& timing() const noexcept;
  // Values really in force per partition, as JSON (precision, threads, cpu_set, options).
  const std::vector<std::string>& effective_json() const noexcept;
  // What the engines have counted since load, per partition: numbers of their own, and of one in a process of its own
  // worker_restarts, worker_copied_bytes and worker_peak_memory_bytes. Empty for an engine that counts nothing.
  std::vector<std::map<std::string, double>> counters() const;

  // Feeds by name, in any order. Outputs are fresh tensors in model order. INVALID_ARGUMENT (wrong name, dtype, rank or
  // size, missing input), CANCELLED, DEADLINE_EXCEEDED, or the engine's own failure. Blocks.
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensor> feeds, const RunOptions& options = {}) const;
  // Same, on a thread of the runtime. The tensors are kept alive until completion. Where answers are in order (schedule.ordered), in that
  // of the calls, run() among them.
  std::future<Result<std::vector<NamedTensor>>> run_async(std::vector<NamedTensor> feeds, RunOptions options = {}) const;
  // Of a plan with replicas, each binding keeps to one of them, round and round. Of a "hybrid" one it switches with the load. Of one with prepared shapes ([shapes]), to the
  // executable for inputs shaped `like` these; without any, to the one for all other shapes (FAILED_PRECONDITION where there is none).
  Result<Binding> make_binding(std::span<const NamedTensor> like = {}) const;
  std::vector<ReplicaStatistics> replicas() const;
  BatchStatistics batching() const;
  // How the runs of this session and its bindings keep the latency and throughput that the policy's constraints bound, over a sliding
  // window. Where the policy bounds neither, nothing is watched and nothing is reported.
  QosReport qos() const;
  // Bounds that came to be violated since `seen`, a vector of the caller's (empty at first) that this brings up to date. Blocks for at
  // most `timeout_ns` until there is one.
  std::vector<QosViolation> wait_violations(std::vector<uint64_t>& seen, int64_t timeout_ns = 0) const;

  struct Impl;
  const Impl& impl() const { return *impl_; }

 private:
  explicit Session(std::shared_ptr<Impl> impl) noexcept;
  std::shared_ptr<Impl> impl_;
};

// Begins to open, on a thread of its own, the engine that ran the model at this path under this policy here last time: most of a start is
// the dynamic linker's, and there is other work to do meanwhile. A hint; the plan alone decides what runs. The result waits for that
// thread when it goes. Session::create(path) does this by itself.
AXLE_API std::shared_ptr<void> open_engine_ahead(std::shared_ptr<Runtime> runtime, const std::string& model_path,
                                                 const Policy& policy);

// Inputs and outputs bound once, run many times; run() neither allocates, locks, logs nor looks up a string, unless the plan joins
// requests.
class AXLE_API Binding {
 public:
  Binding(Binding&&) noexcept;
  Binding& operator=(Binding&&) noexcept;
  ~Binding();

  // Index in inputs() / outputs() of the session. The bytes stay the caller's and are read at each run.
  // INVALID_ARGUMENT on dtype, rank or size.
  Status bind_input(size_t index, const Tensor& tensor);
  Status bind_input(std::string_view name, const Tensor& tensor);
  // The engine writes into `tensor` (exact shape of the result). Not bound: the engine allocates, see output().
  Status bind_output(size_t index, Tensor tensor);
  Status bind_output(std::string_view name, Tensor tensor);

  Status run();
  Status run(const RunOptions& options);

  // The bound tensor, or a view of the engine's memory that is valid until the next run.
  Result<Tensor> output(size_t index) const;

  struct Impl;

 private:
  friend class Session;
  explicit Binding(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace axle
