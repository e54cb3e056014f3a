// Tuning: measures candidates of a model here and stores the evidence, so that plans decide on it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "axle/cancel.h"
#include "axle/evidence.h"
#include "axle/export.h"
#include "axle/plan.h"
#include "axle/runtime.h"

namespace axle {

struct TuneOptions {
  Policy policy;                      // candidates that it rejects are not measured
  int64_t budget_ns = 30'000'000'000;
  std::vector<NamedTensor> samples;   // empty = generated from seed (said in the notes)
  uint64_t seed = 0;
  CancelToken cancel = CancelToken::none();
  // Live table: called after each round with what is known so far.
  std::function<void(const struct TuneReport&)> progress;
};

struct TuneRow {
  std::string candidate;
  std::string verdict;    // "winner", "tie", "undecided", "slower", "dropped", "failed", "gated"
  std::string reason;
  int64_t p50_ns = 0;
  int64_t blocks = 0;
  int64_t disturbed_blocks = 0;
  double ratio = 0;       // its time over the winner's, with the 95 % interval of the paired ratio
  double ratio_low = 0, ratio_high = 0;
  std::optional<ErrorFigures> error;
  uint64_t peak_memory_bytes = 0;  // of a process that ran nothing else; 0 = not measured
  double throughput_per_s = 0;     // most requests per second with several callers, and with how many; 0 = not measured
  int32_t callers = 0;
};

struct TuneReport {
  std::vector<TuneRow> rows;          // best first
  std::vector<std::string> notes;
  int64_t elapsed_ns = 0;
  std::string reference;              // candidate that errors are measured against
  bool noisy_machine = false;
  Plan plan;                          // made with the new evidence
};

AXLE_API Result<TuneReport> tune(Runtime& runtime, const Model& model, const TuneOptions& options);

// Inputs for a model: random values that respect what its graph does with them: index bounds (Gather, OneHot), masks,
// lengths, shape operands, constants they are compared with. Same seed, same bytes. UNIMPLEMENTED for a format whose
// inputs are not known.
struct GenerateOptions {
  uint64_t seed = 0;
  int64_t axis_size = 1;         // unknown leading axes: batch
  int64_t inner_axis_size = 16;  // every other unknown axis: sequence, length, ...
  std::map<std::string, int64_t> axes;  // symbol -> size; wins over both
};
AXLE_API Result<std::vector<NamedTensor>> generate_inputs(const Model& model, const GenerateOptions& options = {});

}  // namespace axle
