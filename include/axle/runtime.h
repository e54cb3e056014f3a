// Runtime: what sessions share in a process: the machine, the engine registry, the cache, the evidence store.
// One is enough for most programs (default_runtime). Thread-safe; lives until the last session that uses it is gone.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/cancel.h"
#include "axle/device.h"
#include "axle/engine.h"
#include "axle/evidence.h"
#include "axle/export.h"
#include "axle/model.h"
#include "axle/plan.h"
#include "axle/policy.h"
#include "axle/status.h"
#include "axle/tensor.h"

namespace axle {

class Cache;
class EvidenceStore;

struct RuntimeOptions {
  std::string cache_folder;                 // "" = AXLE_CACHE_DIR, else $XDG_CACHE_HOME/axle, else ~/.cache/axle
  bool use_cache = true;                    // false: nothing is read from or written to disk
  std::vector<std::string> engine_folders;  // searched for plugins before AXLE_ENGINE_PATH and the installed folder
  std::vector<std::string> engines;         // only these are looked at, examples too; empty = all found
  uint64_t worker_memory_bytes = 0;         // what an engine in a process of its own may allocate; 0 = no limit
  int64_t worker_timeout_ns = 0;            // a call that takes it longer ends its process; 0 = no limit
  int64_t converter_timeout_ns = 0;         // what making a variant of a model may take; 0 = 15 minutes
  // Processes of engines that may wait for their next use, for seconds: loading takes one instead of starting it; 0 = none waits.
  size_t idle_workers = 2;
  std::vector<std::string> engine_descriptions;  // files or folders, before AXLE_ENGINE_DESCRIPTIONS and the user's folder
};

// Called on the calling thread of a long operation; `fraction` in [0, 1], negative when unknown.
using ProgressCallback = std::function<void(const std::string& what, double fraction)>;

class AXLE_API Runtime {
 public:
  // Never fails for a missing engine or an unusable cache folder: both are reported by problems().
  static Result<std::shared_ptr<Runtime>> create(RuntimeOptions options = {});
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // Discovered on first use, then kept.
  Result<Machine> machine();
  EngineRegistry& engines();
  // Null when use_cache is off or the folder cannot be used.
  Cache* cache();
  EvidenceStore* evidence();
  // One sentence each: unusable cache folder, unreadable evidence, no axle-worker, ...
  std::vector<std::string> problems() const;
  // What holds for an engine that runs in a process of its own here.
  static std::vector<WorkerSafeguard> worker_safeguards();

  struct State;
  State& state() { return *state_; }

 private:
  explicit Runtime(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The process's own, made on first use from the environment.
AXLE_API Result<std::shared_ptr<Runtime>> default_runtime();

// Ends the process at once: what was printed is flushed and temporary folders are removed, but engines are not unloaded and nothing
// else is torn down, which takes some of them longer than the answer took. For a command that has done its work.
[[noreturn]] AXLE_API void end_process(int exit_code);

// The model at `path`. A file that this runtime has read before and whose stamp still holds is not read again; `verify`
// hashes it all the same. Codes as Model::load.
AXLE_API Result<Model> open_model(Runtime& runtime, const std::string& path, bool verify = false);

// What a plan is made for, beside the model.
struct PlanRequest {
  Policy policy;
  const Machine* machine = nullptr;  // null = this one; else plan for a recorded machine (nothing can be run)
  std::vector<NamedTensor> samples;  // their shapes are what the plan is judged on; empty = shapes of the model
  bool reuse = true;  // false: ask every engine anew instead of using remembered answers
  bool keep_input = false;  // also return the planner's whole input (a lock embeds it)
  bool prepare = false;  // first make the variants that the policy asks for (seconds to minutes, in a process
  // of its own); false: those made before count, others are rejected
  ProgressCallback progress;
  CancelToken cancel = CancelToken::none();  // looked at before each engine is asked
};

struct PlanReport {
  Plan plan;
  std::string input_json;  // canonical; "" unless keep_input
};

// Collects machine, engine answers and evidence, and decides. Runs nothing and measures nothing; with `prepare` a converter of the
// model may run. INVALID_ARGUMENT: calibration data or samples that the policy names do not fit the model.
// FAILED_PRECONDITION: the policy cannot be satisfied here (nothing was substituted); its details carry the decisions.
// CANCELLED, DEADLINE_EXCEEDED: by request.cancel.
AXLE_API Result<PlanReport> make_plan(Runtime& runtime, const Model& model, const PlanRequest& request);

// What one engine says of a model on one resource.
struct EngineOpinion {
  std::string engine;
  std::string resource;
  std::string precision;
  GraphVerdict verdict;
  std::vector<NodeReason> nodes;  // the nodes it refuses, by name
  std::string absent_reason;  // not empty: the engine is not here, the rest says nothing
};
AXLE_API Result<std::vector<EngineOpinion>> engine_opinions(Runtime& runtime, const Model& model);

// What this machine computes and moves at most, by loops of our own on all cores that this process may use.
struct NodeBandwidth {
  int32_t node = 0;  // NUMA node; its cores read memory of its own
  uint64_t megabytes_per_second = 0;
  int32_t threads = 0;
};
struct PeakFigure {
  std::string precision;  // "f32", "f64", "bf16", "int8": those that the processor has instructions for
  std::string instructions;  // that were used: "avx512f"
  uint64_t megaflops = 0;  // 10^6 operations per second of all cores; a multiply-add is two
  int32_t threads = 0;
};
struct MachineFigures {
  std::string machine;  // fingerprint
  int64_t recorded_unix_s = 0;
  std::vector<NodeBandwidth> nodes;
  std::vector<PeakFigure> peaks;
  bool noisy_machine = false;  // other work disturbed it: the figures are too low
  std::vector<std::string> notes;
};
// Measures (a second or two) and keeps the figures in the cache folder, for this machine's fingerprint: estimates on the CPU use them from
// then on in place of a profile's. Blocks. CANCELLED; UNAVAILABLE: threads cannot stay on cores.
AXLE_API Result<MachineFigures> measure_machine(Runtime& runtime, const CancelToken& cancel = CancelToken::none());

// How a recorded measurement stands to what is here now.
enum class EvidenceStanding : uint8_t {
  kCounts,
  kOld,  // more than 90 days old; counts all the same
  kStale,  // made with another version or build of the engine, driver or system: shown, never counted
  kAbsent,  // its engine is not here now: nothing can be said
  kElsewhere,  // of another machine
};
AXLE_API std::string_view evidence_standing_name(EvidenceStanding standing) noexcept;  // "counts", "old", "stale", ...

struct EvidenceAge {
  int64_t age_s = -1;  // -1 = not recorded
  EvidenceStanding standing = EvidenceStanding::kCounts;
  std::string reason;  // why it does not count, or is old; "" when it counts
};
// One per row, in their order. Opens the engines.
AXLE_API Result<std::vector<EvidenceAge>> evidence_ages(Runtime& runtime, std::span<const EvidenceRow> rows);

}  // namespace axle
