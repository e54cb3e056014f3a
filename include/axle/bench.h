// Bench: how fast a plan runs here: latency distribution, throughput, and paired comparisons with other engines' plans.
// Everything runs through sessions of this runtime; what an engine's own API costs beside that is measured in benchmarks/.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "axle/cancel.h"
#include "axle/export.h"
#include "axle/plan.h"
#include "axle/runtime.h"
#include "axle/session.h"

namespace axle {

struct BenchOptions {
  Policy policy;
  int64_t duration_ns = 5'000'000'000;  // timed calls of all contenders together; planning, loading and warming up come before
  int32_t callers = 1;  // threads that call at once, each with tensors of its own bound in advance
  std::vector<NamedTensor> samples;  // empty = generated from seed (said in the notes)
  std::string samples_note;  // how they came about, for the notes; "" = nothing to say
  uint64_t seed = 0;
  std::vector<std::string> compare;  // engine names: the plan that the same policy makes when it may use only this engine
  bool profile = false;  // afterwards record a few calls of the same plan (BenchReport::recorded)
  CancelToken cancel = CancelToken::none();  // looked at between calls
  ProgressCallback progress;
  std::function<void(const QosViolation&)> on_violation;  // of our own plan, as SessionOptions::on_violation
};

// Of single calls. A percentile is the nearest rank; p95 wants 20 calls and p99 wants 1,000 to mean anything.
struct LatencyFigures {
  int64_t calls = 0;
  int64_t p50_ns = 0, p95_ns = 0, p99_ns = 0, min_ns = 0;
  double mean_ns = 0;
  bool p95_certain() const noexcept { return calls >= 20; }
  bool p99_certain() const noexcept { return calls >= 1000; }
};

// One engine that was asked to be compared with.
struct BenchRival {
  std::string engine;
  Status failure;  // why it could not be planned, loaded or run; the figures then say nothing
  std::string candidate;
  LatencyFigures latency;
  double throughput_per_s = 0;
  double ratio = 0;  // its time over ours: the median over pairs of neighbouring blocks, with its 95 % interval
  double ratio_low = 0, ratio_high = 0;  // 0 = too few pairs to say
  int32_t pairs = 0;
  std::string verdict;  // "slower", "faster", "tie" (interval inside [0.99, 1.01]), "undecided", "failed"
};

struct BenchReport {
  std::optional<Session> session;  // what was measured
  LatencyFigures latency;
  double throughput_per_s = 0;  // completed calls of all callers per second
  int32_t callers = 1;
  int64_t first_run_ns = 0;  // the first call after loading
  int64_t blocks = 0;  // of ours that count
  int64_t disturbed_blocks = 0;  // of ours, left out: the machine was busy elsewhere
  bool noisy_machine = false;  // more blocks were disturbed than not: then none is left out of the distribution
  int64_t elapsed_ns = 0;  // of measuring
  BatchStatistics batching;  // of our calls while measuring
  std::vector<BenchRival> rivals;  // in the order asked for
  std::vector<std::string> notes;
  std::optional<Session> recorded;  // with options.profile: render_profile_json takes it
};

// Plans under options.policy, loads, warms up, then measures in blocks until the duration has passed; contenders take turns
// in ABBA order. Blocks. Codes as Session::create; INVALID_ARGUMENT for a duration or caller count that makes no sense, an
// engine name that is not known, or samples that are not the model's; CANCELLED; a failing call of ours with what the engine
// says. A rival's failure is told in its row.
AXLE_API Result<BenchReport> bench(Runtime& runtime, const Model& model, const BenchOptions& options);

}  // namespace axle
