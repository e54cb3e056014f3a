// Evidence: recorded measurements of a candidate. A row is a value; rows are only ever appended or expired.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "axle/export.h"
#include "axle/status.h"

namespace axle {

// Everything that must be equal for a measurement to count. Machine state is stored beside, never in the key.
struct EvidenceKey {
  std::string model_digest;
  std::string candidate;        // "onnxruntime@cpu:0/f32/t2/default"
  std::string part;             // "" = whole model, else the partition's subgraph digest
  std::string shapes;           // "input:f32[1,3,224,224];..." of every input, in model order
  int32_t concurrency = 1;
  std::string samples_digest;   // of the inputs that were fed; "generated:SEED" when generated
  std::string library_digest;   // engine library and plugin
  std::string machine;          // identity fingerprint
  int32_t batch = 1;            // rows that were computed together at most (Plan::batching); 1 = requests one by one
  int64_t batch_wait_ns = 0;
  friend bool operator==(const EvidenceKey&, const EvidenceKey&) = default;
};

// Error of one output against the reference run.
struct OutputFigures {
  std::string name;
  double max_relative = 0;
  double relative_l2 = 0;
  double cosine = 1;
  double top1_agreement = 1;
  int64_t mismatches = 0;
  friend bool operator==(const OutputFigures&, const OutputFigures&) = default;
};

// Error against the reference run; the worst output counts.
struct ErrorFigures {
  double max_relative = 0;  // max|a-b| / max|b|
  double relative_l2 = 0;
  double cosine = 1;
  double top1_agreement = 1;
  int64_t mismatches = 0;   // of integer or string elements
  std::string reference;    // candidate string of the reference
  std::string worst_output;
  std::vector<OutputFigures> outputs;  // each output, in the model's order; of more than 64 the 64 worst. Empty in older rows
  friend bool operator==(const ErrorFigures&, const ErrorFigures&) = default;
};

enum class EvidenceKind : uint8_t { kMeasured, kFailed };

struct EvidenceRow {
  EvidenceKey key;
  EvidenceKind kind = EvidenceKind::kMeasured;
  bool simulated = false;
  int64_t recorded_unix_s = 0;
  // Block medians in nanoseconds per call, in the order taken; disturbed blocks are left out.
  std::vector<int64_t> block_ns;
  int64_t runs = 0;  // calls behind block_ns
  int64_t p50_ns = 0, p95_ns = 0, p99_ns = 0;  // over single calls; 0 = too few samples
  int64_t load_ns = 0, compile_ns = 0, first_run_ns = 0;
  uint64_t peak_memory_bytes = 0;  // 0 = not measured
  int64_t energy_pj = 0;  // picojoules of one run by counters, whatever else drew from them; 0 = no counter was read
  std::string energy_source;  // those counters: "rapl package-0"
  std::optional<ErrorFigures> error;
  // Paired comparisons made in the same run: rival candidate -> median ratio (rival over this) with its 95 % interval.
  struct Paired {
    std::string rival;
    double ratio = 1, low = 0, high = 0;
    int32_t pairs = 0;
    friend bool operator==(const Paired&, const Paired&) = default;
  };
  std::vector<Paired> paired;
  std::string failure_code;  // kFailed: canonical code name and text
  std::string failure_text;
  std::string state_json;  // machine state at the time, as JSON
  // What it was measured with, so that it can be said later why it no longer counts: an engine's name -> its version, "os",
  // "driver gpu:0" -> the resource's driver. Empty in rows of older versions of axle.
  std::map<std::string, std::string> made_with;
  std::string hardware;  // Machine::hardware_fingerprint(); "" = not recorded
  friend bool operator==(const EvidenceRow&, const EvidenceRow&) = default;
};

}  // namespace axle
