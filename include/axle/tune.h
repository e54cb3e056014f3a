// Tuning: measures candidates of a model here and stores the evidence, so that plans decide on it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
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
  std::string samples_note;           // how they came about, for the notes; "" = nothing to say
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
  int32_t batch = 1;               // rows computed together at most in that measurement
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

// Generated inputs at sizes that the model runs on, for who has no others. Where a run at the usual sizes fails, or gives an output
// without elements, unknown axes are made larger step by step, up to 16000; the first size that works is remembered with the model,
// and plans made without samples assume it. Axes that the policy's [shapes] prepares have their first size.
struct SampleOptions {
  uint64_t seed = 0;
  Policy policy;         // where it may run; what it says of accuracy, constraints and tuning is left aside
  bool may_run = true;   // false: at the remembered size, else the usual one
  CancelToken cancel = CancelToken::none();
};
struct GeneratedSamples {
  std::vector<NamedTensor> tensors;
  std::string note;      // "inputs were generated, unknown axes set to 1 or 576: smaller ones do not run"
  bool usual = true;     // the sizes that generate_inputs takes by itself
};
// The failure of the run at the usual sizes, naming an unknown axis, when no size works. Otherwise as generate_inputs. Blocks.
AXLE_API Result<GeneratedSamples> generate_samples(Runtime& runtime, const Model& model, const SampleOptions& options = {});
// Whether an output has no elements though every input has some: right for what finds nothing, but no run to measure.
AXLE_API bool gives_nothing(std::span<const NamedTensor> inputs, std::span<const NamedTensor> outputs);

}  // namespace axle
