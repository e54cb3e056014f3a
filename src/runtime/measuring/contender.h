// Contender: one way to run the model in a tuning run: what it is, the loaded session, and what was measured of it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "axle/evidence.h"
#include "axle/session.h"
#include "axle/tune.h"
#include "probe/energy_meter.h"
#include "spec/planner_input.h"

namespace axle {

// Comparisons of fewer pairs say nothing.
inline constexpr size_t kFewestPairs = 4;

struct Timings {
  std::vector<double> block_ns;  // median per round, 0 where it sat out; the same index is the same round for all
  std::vector<int64_t> call_ns;
  std::vector<double> call_pj;  // picojoules of a call, mean of each block; empty = no counters

  std::vector<double> taken() const;  // without the rounds it sat out
};

struct Contender {
  Plan plan;         // loadable: a candidate for the whole model, or a mixed plan
  std::string name;  // in evidence
  std::optional<Session> session;
  std::optional<Binding> binding;     // the samples are bound
  std::optional<EnergyMeter> meter;   // of the resources it runs on, where counters can be read
  Status failure;
  bool dropped = false;               // not among the finalists
  bool sent_home = false;             // left the finals, clearly slower
  size_t judged_from = 0;             // round of the finals since which it is judged: the first, or that of its recall
  std::optional<ErrorFigures> error;
  std::string gate_broken;            // the bound of the policy that the error breaks
  Timings timings;
  Timings disturbed_timings;          // of rounds that do not count
  // By rows computed together at most and number of callers at once: blocks are time per completed request, calls single latencies.
  std::map<std::pair<int32_t, int32_t>, Timings> streams;
  int64_t batch_wait_ns = 0;  // of those whose requests were joined
  int64_t screen_ns = 0;
  int64_t disturbed = 0;
  int64_t first_run_ns = 0;
  uint64_t peak_memory_bytes = 0;  // 0 = not measured

  bool in_play() const { return failure.ok() && gate_broken.empty(); }
  bool measured() const { return failure.ok() && (!timings.call_ns.empty() || screen_ns > 0); }
  double typical_ns() const;
};

// Loads the contender's plan, binds the samples and runs once. What goes wrong is in contender.failure.
void load_contender(Runtime& runtime, const Model& model, const std::vector<NamedTensor>& samples, const CancelToken& cancel,
                    Contender& contender);

// Whether a failure to load says something of the engine, and not of this moment: it cannot compile the model, or does something else
// than the plan says.
bool is_engines_answer(const Status& failure);

// Error of the worst output against the reference's.
ErrorFigures worst_error(const std::vector<NamedTensor>& outputs, const std::vector<NamedTensor>& reference,
                         const std::string& reference_name);

// What is kept of a contender, with the paired ratios to its rivals of the same run.
EvidenceRow evidence_row(const Contender& contender, const std::vector<Contender>& all, const PlannerInput& input);

// What is kept of it with several callers at once: one row for each number of them. `row` is its own.
std::vector<EvidenceRow> stream_rows(const Contender& contender, const EvidenceRow& row);

// The line of the table; `winner` may be null.
TuneRow tune_row(const Contender& contender, const Contender* winner);

}  // namespace axle
