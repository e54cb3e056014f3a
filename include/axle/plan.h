// Plan: what will run where, and why not otherwise. Values; made by the planner, executed by a Session, rendered by explain.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/device.h"
#include "axle/evidence.h"
#include "axle/export.h"
#include "axle/policy.h"
#include "axle/status.h"

namespace axle {

// One way to run a graph or a part; format() is its name in evidence, pins, JSON and tables.
struct Candidate {
  std::string engine;
  std::string resource;   // resource id
  std::string precision;  // "f32", "bf16", "int8", ...
  int32_t threads = 1;
  std::string preset = "default";
  std::string variant;    // Variant::name() of the copy of the model that it runs; "" = the model as it is
  // "onnxruntime@cpu:0/f32/t2/default", "openvino@cpu:0/int8~qdq-1a2b3c4d/t2/default"
  AXLE_API std::string format() const;
  friend bool operator==(const Candidate&, const Candidate&) = default;
};
AXLE_API Result<Candidate> parse_candidate(std::string_view text);

// A copy of the model at another precision, made by a converter (docs/guides/lower-precision.md): same inputs and outputs, other
// arithmetic between them. An artefact of the cache; everything but `digest` is what it is found by.
struct Variant {
  std::string kind;                // "qdq": quantised to int8; "f16": floats as f16
  std::string digest;              // of the copy, as a model: "sha256:..."
  std::string converter;           // "onnxruntime 1.31.1, onnx 1.23.2"
  std::string calibration_digest;  // of the data its ranges were read from; "" = none
  std::map<std::string, std::string> options;  // of the conversion, complete
  // "qdq-1a2b3c4d": kind and the first 8 hex digits of the digest.
  AXLE_API std::string name() const;
  friend bool operator==(const Variant&, const Variant&) = default;
};

enum class DecisionVerdict : uint8_t { kChosen, kRejected, kTie, kNotMeasured, kFailed };
AXLE_API std::string_view decision_verdict_name(
    DecisionVerdict verdict) noexcept;  // "chosen", "rejected", "tie", "not_measured", "failed"

struct NodeReason {
  std::string node;
  std::string op;
  std::string code;    // "UNSUPPORTED_OP", "DTYPE", "OPSET", "DYNAMIC_SHAPE", "POLICY", ...
  std::string reason;
  friend bool operator==(const NodeReason&, const NodeReason&) = default;
};

struct EvidenceSummary {
  int64_t p50_ns = 0, p95_ns = 0, p99_ns = 0;
  int64_t runs = 0;
  double interval_low = 0, interval_high = 0;  // of the paired ratio to the chosen one; 0 = none
  std::optional<ErrorFigures> error;
  int64_t recorded_unix_s = 0;
  bool stale = false;  // of other versions, which does not count, or more than 90 days old, which does
  std::string stale_reason;  // "measured with onnxruntime 1.30.0, 1.31.1 is here"; "" unless stale
  friend bool operator==(const EvidenceSummary&, const EvidenceSummary&) = default;
};

// One candidate (or engine, or resource: then the text has fewer fields), taken or not, with the reason.
struct Decision {
  std::string candidate;
  DecisionVerdict verdict = DecisionVerdict::kRejected;
  std::string code;  // gate that spoke: "ABSENT", "FORMAT", "UNSUPPORTED_OP", "POLICY", "ACCURACY", "SLOWER", "TIE", ...
  std::string reason;  // a sentence a user can act on
  int64_t estimate_ns = 0;  // roofline estimate; 0 = none
  std::optional<EvidenceSummary> evidence;
  std::vector<NodeReason> nodes;
  friend bool operator==(const Decision&, const Decision&) = default;
};

struct Transfer {
  int32_t from_partition = -1;  // -1: the caller
  int32_t to_partition = -1;
  std::string tensor;
  uint64_t bytes = 0;  // at the shapes the plan was judged on
  std::string from_space, to_space;
  std::string type;  // "f32[batch,64]", open axes by their symbol; "" = not known
  friend bool operator==(const Transfer&, const Transfer&) = default;
};

// When partitions serve: always, while fewer requests than Plan::switch_at are in flight, or from that many on.
enum class Load : uint8_t { kAny, kLow, kHigh };
AXLE_API std::string_view load_name(Load load) noexcept;  // "any", "low", "high"

struct Partition {
  int32_t id = 0;
  int32_t replica = 0;     // partitions of one replica stand together and compute the whole model
  Load load = Load::kAny;  // those of one load stand together and compute the whole model, the low one first
  Candidate candidate;
  std::string engine_version;
  std::string library_digest;
  ResourceKind resource_kind = ResourceKind::kCpu;
  bool simulated = false;
  std::vector<std::string> nodes;  // empty = the whole model
  std::vector<std::string> inputs, outputs;  // tensor names at the cut; empty = the model's own
  std::map<std::string, std::string> options;  // complete: preset resolved, defaults written out
  std::vector<int32_t> cpu_set;
  bool spin = true;
  bool isolated = false;
  // Open axes of the model that this executable has fixed ("batch" -> 4). Partitions with the same sizes stand together and compute
  // the whole model; a run goes to those whose sizes its inputs have, else to those that fix none.
  std::map<std::string, int64_t> axes;
  int64_t expected_ns = 0;           // 0 = not known: of other sizes than the plan was judged on
  bool expected_from_evidence = false;
  std::optional<Variant> variant;  // that runs instead of the model
  friend bool operator==(const Partition&, const Partition&) = default;
};

struct Substitution {
  std::string wanted;
  std::string got;
  std::string allowed_by;  // policy key: "fallback.resource"
  std::string reason;
  friend bool operator==(const Substitution&, const Substitution&) = default;
};

// How requests that wait at the same time are computed together (schedule.batch): their rows one behind the other in one run.
struct Batching {
  int32_t rows = 1;  // of one run, at most; 1 = each request is computed alone, and nothing else is set
  int64_t wait_ns = 0;  // how long the first of them waits for others
  int32_t runs = 1;  // at a time; requests wait for each other while so many are under way
  std::string axis;  // the first one of every input and output, by its symbol
  bool on() const noexcept { return rows > 1; }
  friend bool operator==(const Batching&, const Batching&) = default;
};

struct Plan {
  std::string model_digest;
  std::string policy_digest;
  std::string machine_fingerprint;
  // "single": partitions run one after the other, on the thread that calls. "pipeline": each on a thread of its core set or
  // device, several requests at a time, in order. "split": the same places and threads, cut so that one request is answered
  // soonest and each part fits the memory where it runs. "replicas": the model several times over, each on one resource or cut as
  // `each` says.
  // "hybrid": "single" under a low load, and under a high one "single" or, where several replicas serve it, "replicas".
  std::string schedule = "single";
  std::string each;  // of "replicas" with several partitions each: "pipeline" or "split"; else ""
  int32_t switch_at = 0;  // of "hybrid": requests in flight from which the load is high, at least 2
  Batching batching;
  std::vector<Partition> partitions;  // in execution order, at least one
  std::vector<Transfer> transfers;
  std::string judged_shapes;  // same text form as EvidenceKey::shapes
  std::vector<Decision> decisions;  // every candidate that was looked at, best first
  std::vector<Substitution> substitutions;
  std::vector<std::string> notes;  // near ties, estimates, generated samples, stale evidence: one sentence each
  int64_t expected_ns = 0;  // of "hybrid": under a low load

  // "sha256:..." over what is executed: not over decisions, notes and expectations.
  AXLE_API std::string digest() const;
  // What the plan was judged by: evidence, not estimates. Of several prepared shapes the first was judged.
  AXLE_API bool measured() const;
  friend bool operator==(const Plan&, const Plan&) = default;
};

// Canonical JSON of a plan with its decisions (docs/formats/plan.md), and back.
AXLE_API Result<std::string> plan_to_json(const Plan& plan);
AXLE_API Result<Plan> parse_plan(std::string_view json);

}  // namespace axle
