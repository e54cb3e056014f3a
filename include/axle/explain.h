// Explain: free functions that render plans, decisions, profiles and reports as text, JSON or HTML. They decide nothing.
// Text is UTF-8 and ends with a newline; JSON is one canonical document without one (RFC 8785).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "axle/bench.h"
#include "axle/cache.h"
#include "axle/compile.h"
#include "axle/device.h"
#include "axle/device_profile.h"
#include "axle/engine.h"
#include "axle/export.h"
#include "axle/lock_check.h"
#include "axle/model.h"
#include "axle/plan.h"
#include "axle/plan_diff.h"
#include "axle/policy.h"
#include "axle/runtime.h"
#include "axle/session.h"
#include "axle/status.h"
#include "axle/tune.h"

namespace axle {

struct TextStyle {
  bool color = false;
  int32_t width = 100;   // columns; long cells are wrapped
  bool verbose = false;  // every candidate and node reason, not only the nearest ones
};

// Three lines at most: what failed and on what; why; what to do next.
AXLE_API std::string render_error_text(const Status& status);
// {"error": {"code", "message", "hint", "details"}}
AXLE_API std::string render_error_json(const Status& status);

// One output file of a run.
struct OutputFile {
  std::string name;
  DataType dtype = DataType::kUndefined;
  Shape shape;
  std::string file;   // "" when not written
};

// Time of a recorded run in one node or kernel, by the name that the engine gave it.
struct KernelTime {
  std::string name;
  int32_t partition = -1;  // -1 = of none
  int64_t time_ns = 0;     // of all its calls
  int64_t calls = 0;
  friend bool operator==(const KernelTime&, const KernelTime&) = default;
};
// Of the session's last recorded run, the longest first; empty where no run was recorded or the engines told of no kernels.
// FAILED_PRECONDITION unless the session was made with profile = true.
AXLE_API Result<std::vector<KernelTime>> kernel_times(const Session& session);
// The longest ones and what they take of all kernels together, engine by engine: 12 of them, all when verbose.
AXLE_API std::string render_kernels_text(const std::vector<KernelTime>& times, const Plan& plan, const TextStyle& style);

// Everything the `run` and `plan` documents say (docs/formats/run-document.md). Null parts are left out.
struct RunDocument {
  const Model* model = nullptr;
  const Policy* policy = nullptr;
  const Machine* machine = nullptr;
  const Plan* plan = nullptr;
  const LoadTiming* timing = nullptr;
  std::vector<std::string> effective_json;  // per partition
  std::vector<std::map<std::string, double>> counters;  // per partition: Session::counters
  std::vector<CompiledPart> compiled;  // per partition, where artefacts were what was asked for
  int64_t first_run_ns = 0;
  int64_t run_ns = 0;
  std::vector<OutputFile> outputs;
  QosReport qos;  // Session::qos; left out when the policy bounds nothing
  std::vector<KernelTime> kernels;  // kernel_times, where the run was recorded
};
AXLE_API Result<std::string> render_run_json(const RunDocument& document);
// The plan in words: what runs where, why, what was turned down.
AXLE_API std::string render_plan_text(const RunDocument& document, const TextStyle& style);
// What the page shows beside the document. Empty parts are left out.
struct PlanPage {
  std::string input_json;  // PlanReport::input_json or Lock::input_json: the graph with each engine's answers, the
  // roofline and memory
  const Session* recorded = nullptr;  // made with profile = true: the timeline of its last run
};
// The same and more as one page of HTML: one file, nothing fetched from elsewhere, one script that it names by hash.
// INVALID_ARGUMENT without a plan, or when the input cannot be read; FAILED_PRECONDITION when the session records nothing.
AXLE_API Result<std::string> render_plan_html(const RunDocument& document, const PlanPage& page = {});
// One line: "ultraface on openvino@cpu:0/f32/t2 in 3.4 ms; 7 other candidates, nearest 1.12x slower".
AXLE_API std::string render_plan_line(const RunDocument& document);

// Whether a lock holds: each field that drifted with both values, old evidence, what does not matter
// (docs/formats/lock-check-document.md). `path` is how the lock is named.
AXLE_API std::string render_lock_check_text(const LockCheck& check, const std::string& path, const TextStyle& style);
AXLE_API Result<std::string> render_lock_check_json(const LockCheck& check, const Lock& lock, const std::string& path);
// Two plans in words (docs/formats/plan-diff-document.md): what they were made for, what runs, why.
AXLE_API std::string render_plan_diff_text(const PlanDiff& diff, const TextStyle& style);
AXLE_API Result<std::string> render_plan_diff_json(const PlanDiff& diff);

// Resources with the engines that reach them (docs/formats/devices-document.md).
AXLE_API std::string render_devices_text(const Machine& machine, const std::vector<EngineState>& engines,
                                         const TextStyle& style);
AXLE_API Result<std::string> render_devices_json(const Machine& machine, const std::vector<EngineState>& engines);

AXLE_API std::string render_machine_figures_text(const MachineFigures& figures, const TextStyle& style);
AXLE_API Result<std::string> render_machine_figures_json(const MachineFigures& figures);

// Device profiles with their figures, and the machines that can be planned for by name.
AXLE_API std::string render_profiles_text(const std::vector<DeviceProfile>& profiles, const std::vector<std::string>& machines,
                                          const TextStyle& style = {});
AXLE_API Result<std::string> render_profiles_json(const std::vector<DeviceProfile>& profiles,
                                                  const std::vector<std::string>& machines);
// Engines, present or not, with the reason and the install command (docs/formats/engines-document.md).
AXLE_API std::string render_engines_text(const std::vector<EngineState>& engines, const TextStyle& style);
AXLE_API Result<std::string> render_engines_json(const std::vector<EngineState>& engines);
AXLE_API std::string render_tune_text(const TuneReport& report, const TextStyle& style);
AXLE_API Result<std::string> render_tune_json(const TuneReport& report);
AXLE_API std::string render_bench_text(const BenchReport& report, const TextStyle& style);
// The run document with what was measured (docs/formats/bench-document.md).
AXLE_API Result<std::string> render_bench_json(const RunDocument& document, const BenchReport& report);

// What `axle deploy` did and left behind (docs/formats/deploy-document.md).
struct DeployDocument {
  RunDocument run;  // model, policy, machine, plan and timing; first_run_ns and run_ns of the proof
  const TuneReport* tuned = nullptr;  // null: nothing was measured, see `selection`
  std::string selection;  // how it was decided: "measured", "evidence" (from before), "estimate" (measuring was off)
  std::string model_file, lock_file, inputs_file;  // as the calls name them; inputs_file "" = none were given
  std::string folder;  // "" = only the lock was written
};
// Ends with how to call it from the command line, C++ and Python.
AXLE_API std::string render_deploy_text(const DeployDocument& document, const TextStyle& style);
AXLE_API Result<std::string> render_deploy_json(const DeployDocument& document);
// A model with what each engine says of it (docs/formats/inspect-document.md).
AXLE_API std::string render_model_text(const Model& model, const std::vector<EngineOpinion>& opinions, const TextStyle& style);
AXLE_API Result<std::string> render_model_json(const Model& model, const std::vector<EngineOpinion>& opinions);

struct DoctorReport {
  const Machine* machine = nullptr;
  std::vector<EngineState> engines;
  std::vector<std::string> problems;
  std::vector<WorkerSafeguard> safeguards;  // of engines in processes of their own
  bool healthy = false;  // the main job can run
};
AXLE_API std::string render_doctor_text(const DoctorReport& report, const TextStyle& style);
AXLE_API Result<std::string> render_doctor_json(const DoctorReport& report);

// What the session recorded so far as a Perfetto / Chrome trace. FAILED_PRECONDITION unless it was made with profile = true.
AXLE_API Result<std::string> render_profile_json(const Session& session);

// `ages`: one per row (evidence_ages).
AXLE_API std::string render_evidence_text(const std::vector<EvidenceRow>& rows, const std::vector<EvidenceAge>& ages,
                                          const TextStyle& style);
// The rows as an export holds them, and how each stands to what is here (docs/formats/cache-document.md).
AXLE_API Result<std::string> render_evidence_json(const std::vector<EvidenceRow>& rows, const std::vector<EvidenceAge>& ages);

AXLE_API std::string render_cache_text(const std::vector<CacheEntry>& entries, const TextStyle& style);
AXLE_API Result<std::string> render_cache_json(const std::vector<CacheEntry>& entries);
AXLE_API std::string render_cache_stats_text(const std::string& folder, const CacheStats& stats);
AXLE_API Result<std::string> render_cache_stats_json(const std::string& folder, const CacheStats& stats);
AXLE_API std::string render_cache_verify_text(const CacheVerifyReport& report);
AXLE_API Result<std::string> render_cache_verify_json(const CacheVerifyReport& report);
AXLE_API std::string render_cache_gc_text(const CacheGcReport& report);
AXLE_API Result<std::string> render_cache_gc_json(const CacheGcReport& report);
AXLE_API std::string render_cache_transfer_text(const CacheTransferReport& report, bool exported);
AXLE_API Result<std::string> render_cache_transfer_json(const CacheTransferReport& report);

// `text` as a JSON string, quotes included; broken UTF-8 is replaced.
AXLE_API std::string quoted_json(std::string_view text);
// "2GiB", "512MiB", "4096". INVALID_ARGUMENT names the units.
AXLE_API Result<uint64_t> parse_size(std::string_view text);

// Text of a duration or a size with a sensible unit: "3.42 ms", "12.1 MiB".
AXLE_API std::string format_duration(int64_t duration_ns);
// "20ms", "1.5s", "2m"; a unit is required. INVALID_ARGUMENT names the units.
AXLE_API Result<int64_t> parse_duration(std::string_view text);
AXLE_API std::string format_size(uint64_t size_bytes);

}  // namespace axle
