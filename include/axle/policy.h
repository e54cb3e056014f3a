// Policy: what the user wants, as data. Read from TOML (docs/formats/policy.md), flags or code; a value.
// The whole grammar is parsed and checked; what this version does not execute is refused by name when a plan is made.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/export.h"
#include "axle/status.h"

namespace axle {

// kHybrid: latency while few requests are in flight, throughput while many are.
enum class Objective : uint8_t { kLatency, kThroughput, kEnergy, kCost, kMemory, kHybrid };
enum class Isolation : uint8_t { kAuto, kNone, kProcess };
enum class ScheduleKind : uint8_t { kAuto, kSingle, kReplicas, kPipeline, kSplit };
enum class Mixing : uint8_t { kNever, kNeeded, kAllowed };
enum class EvidenceUse : uint8_t { kUse, kRequire, kIgnore };

AXLE_API std::string_view objective_name(Objective objective) noexcept;  // "latency", ...
AXLE_API std::optional<Objective> parse_objective(std::string_view name) noexcept;

struct Constraints {
  // Bounds latency_p50, latency_p95, latency_p99, latency_mean. Nanoseconds; 0 = none.
  int64_t latency_p50_ns = 0;
  int64_t latency_p95_ns = 0;
  int64_t latency_p99_ns = 0;
  uint64_t memory_bytes = 0;
  double power_watts = 0;
  double throughput_min_per_s = 0;
  int64_t latency_mean_ns = 0;
  friend bool operator==(const Constraints&, const Constraints&) = default;
};

struct AccuracyGate {
  // Absent bound = not judged by it. All absent: fp32 only.
  std::optional<double> max_relative_error;
  std::optional<double> relative_l2_max;
  std::optional<double> cosine_min;
  std::optional<double> top1_agreement_min;
  std::string samples;      // .npz; "" = generated, and said so
  std::string calibration;  // .npz; "" = the samples
  bool present() const noexcept { return max_relative_error || relative_l2_max || cosine_min || top1_agreement_min; }
  friend bool operator==(const AccuracyGate&, const AccuracyGate&) = default;
};

struct ExecutionPolicy {
  std::vector<std::string> targets;    // selectors; empty = any. Several = a multi-device schedule is allowed
  std::vector<std::string> precisions; // one = forced, several = gated in order of preference; empty = the model's own
  bool static_shape = false;
  int32_t threads = 0;                 // 0 = planner's choice
  Isolation isolation = Isolation::kAuto;
  friend bool operator==(const ExecutionPolicy&, const ExecutionPolicy&) = default;
};

// Each list names what may stand in; what is not named may not.
struct Fallback {
  std::vector<std::string> resource;
  std::vector<std::string> engine;
  std::vector<std::string> precision;
  std::vector<std::string> kernel;
  friend bool operator==(const Fallback&, const Fallback&) = default;
};

struct KernelChoice {
  std::string force;                // "" = not forced
  std::vector<std::string> prefer;
  std::vector<std::string> forbid;
  friend bool operator==(const KernelChoice&, const KernelChoice&) = default;
};

// KernelPolicy: op word ("matmul", "conv", "attention", or an op type) -> choice.
using KernelPolicy = std::map<std::string, KernelChoice>;

struct ResourceRules {
  std::vector<std::string> allow;   // selectors; empty = all
  std::vector<std::string> deny;
  bool allow_simulated = false;
  std::map<std::string, std::vector<std::vector<int32_t>>> split;  // "cpu:0" -> core sets
  friend bool operator==(const ResourceRules&, const ResourceRules&) = default;
};

struct EngineRules {
  std::vector<std::string> allow;   // empty = all; one name set by --engine = forced
  std::vector<std::string> deny;
  std::vector<std::string> prefer;
  // Per engine: options the engine declares, as text, and its isolation.
  std::map<std::string, std::map<std::string, std::string>> options;
  std::map<std::string, Isolation> isolation;
  friend bool operator==(const EngineRules&, const EngineRules&) = default;
};

inline constexpr int32_t kAutoBatch = 0;  // ScheduleRules::batch

struct ScheduleRules {
  ScheduleKind kind = ScheduleKind::kAuto;
  Mixing mixing = Mixing::kNeeded;
  bool rebalance = false;
  std::optional<bool> ordered;  // answers leave in the order of the calls; absent: those of a pipeline do
  // What each of several replicas is (kSingle: the whole model on one resource; kPipeline, kSplit: cut over a group of them), and
  // the groups, as selectors; none = pairs of resources in their order.
  ScheduleKind each = ScheduleKind::kSingle;
  std::vector<std::vector<std::string>> groups;
  // Requests that wait at the same time are computed together, so many rows (the size of their first axis) at most. 1 = each alone;
  // kAutoBatch = as many as were measured to serve more requests under the objective throughput.
  int32_t batch = 1;
  int64_t batch_wait_ns = 0;  // how long the first of them waits for others; 0 = joined is only what waits anyway
  friend bool operator==(const ScheduleRules&, const ScheduleRules&) = default;
};

struct PinTarget {  // empty field = not part of the demand
  std::string engine;
  std::string resource;
  std::string precision;
  std::string kernel;
  friend bool operator==(const PinTarget&, const PinTarget&) = default;
};

struct Pin {
  std::vector<std::string> nodes;  // globs
  std::vector<std::string> op_types;
  std::vector<std::string> between;  // two tensor names
  std::optional<PinTarget> require;
  std::optional<PinTarget> prefer;
  std::optional<PinTarget> forbid;
  friend bool operator==(const Pin&, const Pin&) = default;
};

struct TuningRules {
  int64_t budget_ns = 0;  // 0 = do not measure
  EvidenceUse evidence = EvidenceUse::kUse;
  friend bool operator==(const TuningRules&, const TuningRules&) = default;
};

struct Policy {
  Objective objective = Objective::kLatency;
  Constraints constraints;
  AccuracyGate accuracy;
  ExecutionPolicy execution;
  Fallback fallback;
  KernelPolicy kernels;
  ResourceRules resources;
  EngineRules engines;
  ScheduleRules schedule;
  std::map<std::string, std::vector<int64_t>> shapes;  // named axis -> sizes to prepare
  std::vector<Pin> pins;
  TuningRules tuning;
  std::map<std::string, double> prices;  // selector -> per hour
  std::vector<std::string> lock_waive;
  friend bool operator==(const Policy&, const Policy&) = default;
};

// TOML text or file. INVALID_ARGUMENT with file:line:column, and the nearest known key for an unknown one.
AXLE_API Result<Policy> parse_policy(std::string_view toml, const std::string& origin = "policy");
AXLE_API Result<Policy> load_policy(const std::string& path);
// TOML that parses back to an equal policy; only what differs from the defaults is written.
AXLE_API std::string format_policy(const Policy& policy);
// Consistency that needs no model or machine: bad selectors, unknown precisions, contradictions (a denied forced engine).
AXLE_API Status check_policy(const Policy& policy);
// Lays one choice flag over a policy: "device", "engine", "precision", "threads", "objective", "allow-fallback", "kernel"
// (OP=NAME) or "tuning-budget", with or without "--". Lists are separated by commas. The flag replaces what the policy says.
// INVALID_ARGUMENT names the flag and what it takes; the policy is then as it was.
AXLE_API Status apply_policy_flag(Policy& policy, std::string_view flag, std::string_view value);
// "sha256:..." over the canonical form.
AXLE_API std::string policy_digest(const Policy& policy);

}  // namespace axle
