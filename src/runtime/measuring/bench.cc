// Measures a plan as a user would call it, alone or in turns with the plans of other engines.
#include "axle/bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "axle/tune.h"
#include "base/clock.h"
#include "base/json.h"
#include "runtime/measuring/bind_outputs.h"
#include "runtime/measuring/blocks.h"
#include "runtime/measuring/paired_stats.h"
#include "runtime/measuring/turn.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

constexpr int kWarmUpBlocks = 2;
constexpr int32_t kMostCallers = 256;
constexpr int64_t kShortestDurationNs = 1'000'000;
constexpr int64_t kFewestRounds = 6;          // blocks shrink rather than give fewer
constexpr size_t kMostSamples = 4'000'000;    // calls whose times are kept per contender
constexpr int kRecordedCalls = 5;
constexpr int64_t kWakeNs = 5'000'000;        // untimed calls before a block, for calls shorter than this

// Ours, or a rival: a loaded plan with one binding per caller.
struct Contender {
  std::string engine;               // "" = ours
  Status failure;
  std::optional<Session> session;
  std::vector<Binding> bindings;
  int64_t first_run_ns = 0;
  int64_t call_ns = 0;              // about how long a call takes, from warming up
  std::vector<int64_t> calm_ns, disturbed_ns;  // single calls of undisturbed and disturbed blocks
  std::vector<double> calm_rates, disturbed_rates;
  std::vector<double> ours_ns, theirs_ns;      // rivals: block medians of neighbours
};

LatencyFigures figures_of(std::vector<int64_t> call_ns) {
  LatencyFigures figures;
  if (call_ns.empty()) return figures;
  std::sort(call_ns.begin(), call_ns.end());
  const auto rank = [&](double q) {
    const auto place = static_cast<size_t>(q * static_cast<double>(call_ns.size()) + 0.999999);
    return call_ns[std::min(call_ns.size() - 1, place == 0 ? 0 : place - 1)];
  };
  figures.calls = static_cast<int64_t>(call_ns.size());
  figures.min_ns = call_ns.front();
  figures.p50_ns = rank(0.5);
  figures.p95_ns = rank(0.95);
  figures.p99_ns = rank(0.99);
  figures.mean_ns = std::accumulate(call_ns.begin(), call_ns.end(), 0.0) / static_cast<double>(call_ns.size());
  return figures;
}

double mean(const std::vector<double>& values) {
  return values.empty() ? 0 : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

// Disturbed blocks count as well.
void count_all(Contender& contender) {
  contender.calm_ns.insert(contender.calm_ns.end(), contender.disturbed_ns.begin(), contender.disturbed_ns.end());
  contender.calm_rates.insert(contender.calm_rates.end(), contender.disturbed_rates.begin(), contender.disturbed_rates.end());
}

BenchRival rival_row(const Contender& rival) {
  BenchRival row;
  row.engine = rival.engine;
  row.failure = rival.failure;
  if (rival.session) row.candidate = rival.session->plan().partitions.front().candidate.format();
  if (!rival.failure.ok()) {
    row.verdict = "failed";
    return row;
  }
  row.latency = figures_of(rival.calm_ns);
  row.throughput_per_s = mean(rival.calm_rates);
  const RatioInterval interval = paired_ratio(rival.ours_ns, rival.theirs_ns);
  row.pairs = interval.pairs;
  row.ratio = interval.pairs > 0 ? interval.ratio : 0;
  row.ratio_low = interval.low;
  row.ratio_high = interval.high;
  switch (compare(interval)) {
    case Comparison::kRivalSlower: row.verdict = "slower"; break;
    case Comparison::kRivalFaster: row.verdict = "faster"; break;
    case Comparison::kTie: row.verdict = "tie"; break;
    case Comparison::kUndecided: row.verdict = "undecided"; break;
  }
  return row;
}

class Benchmark {
 public:
  Benchmark(Runtime& runtime, const Model& model, const BenchOptions& options)
      : runtime_(runtime), model_(model), options_(options) {}

  Result<BenchReport> run();

 private:
  Status prepare();
  Status open(Contender& contender, const Policy& policy);
  Status bind(Contender& contender);
  Status warm_up(Contender& contender);
  BlockLimits limits() const;
  Status measure();
  Status round(bool backwards);
  void keep(Contender& contender, const Turn& turn);
  void add_notes(const BenchReport& report);
  Status record(BenchReport& report);
  BenchReport report();
  std::shared_ptr<Runtime> shared_runtime() const {
    return {&runtime_, [](Runtime*) {}};
  }

  Runtime& runtime_;
  const Model& model_;
  const BenchOptions& options_;
  std::vector<NamedTensor> samples_;
  std::vector<Contender> contenders_;  // ours first
  std::vector<std::string> notes_;
  Sentinel sentinel_;
  int64_t elapsed_ns_ = 0;
  BatchStatistics before_;  // of our session, when measuring began
};

Status Benchmark::prepare() {
  if (options_.duration_ns < kShortestDurationNs) return invalid_argument_error("the duration must be at least 1 ms");
  if (options_.callers < 1 || options_.callers > kMostCallers) {
    return invalid_argument_error(fmt::format("{} callers: 1 to {} are possible", options_.callers, kMostCallers));
  }
  const std::vector<std::string> known = runtime_.engines().names();
  for (const std::string& engine : options_.compare) {
    if (std::find(known.begin(), known.end(), engine) != known.end()) continue;
    const std::string near = nearest_word(engine, known);
    return invalid_argument_error("there is no engine '" + engine + "' to compare with")
        .with_hint(near.empty() ? fmt::format("known are: {}", fmt::join(known, ", ")) : "did you mean '" + near + "'?");
  }
  samples_ = options_.samples;
  if (!options_.samples_note.empty()) notes_.push_back(options_.samples_note);
  if (samples_.empty() && !model_.inputs().empty()) {
    AXLE_ASSIGN_OR_RETURN(GeneratedSamples made,
                          generate_samples(runtime_, model_, {options_.seed, options_.policy, true, options_.cancel}));
    samples_ = std::move(made.tensors);
    notes_.push_back("no samples were given: " + made.note);
  }
  contenders_.emplace_back();
  for (const std::string& engine : options_.compare) {
    const auto same = [&](const Contender& other) { return other.engine == engine; };
    if (std::none_of(contenders_.begin(), contenders_.end(), same)) contenders_.emplace_back().engine = engine;
  }
  return ok_status();
}

Status Benchmark::open(Contender& contender, const Policy& policy) {
  if (options_.progress) options_.progress("loading " + (contender.engine.empty() ? "the plan" : contender.engine), -1);
  SessionOptions session_options;
  session_options.policy = policy;
  session_options.samples = samples_;
  session_options.runtime = shared_runtime();
  session_options.cancel = options_.cancel;
  session_options.progress = options_.progress;
  if (contender.engine.empty()) session_options.on_violation = options_.on_violation;
  AXLE_ASSIGN_OR_RETURN(contender.session, Session::create(model_, std::move(session_options)));
  AXLE_RETURN_IF_ERROR(bind(contender));
  return warm_up(contender);
}

// Every caller gets inputs of its own, so that callers do not share cache lines more than they would in a program.
Status Benchmark::bind(Contender& contender) {
  for (int32_t i = 0; i < options_.callers; ++i) {
    AXLE_ASSIGN_OR_RETURN(Binding binding, contender.session->make_binding(samples_));
    for (const NamedTensor& sample : samples_) {
      Tensor tensor = sample.tensor;
      if (i > 0) {
        AXLE_ASSIGN_OR_RETURN(tensor, tensor.clone());
      }
      AXLE_RETURN_IF_ERROR(binding.bind_input(sample.name, tensor));
    }
    const int64_t started = steady_ns();
    AXLE_RETURN_IF_ERROR(binding.run());
    if (i == 0) contender.first_run_ns = steady_ns() - started;
    AXLE_RETURN_IF_ERROR(bind_fresh_outputs(*contender.session, binding));
    contender.bindings.push_back(std::move(binding));
  }
  return ok_status();
}

Status Benchmark::warm_up(Contender& contender) {
  for (int i = 0; i < kWarmUpBlocks; ++i) {
    AXLE_ASSIGN_OR_RETURN(
        const Turn turn,
        take_turn(contender.bindings, {std::min<int64_t>(50'000'000, options_.duration_ns / 10), 1}, options_.cancel));
    contender.call_ns = turn.block.median_ns;
  }
  return ok_status();
}

// At least 50 ms and 5 calls, less only when the duration would not hold enough rounds.
BlockLimits Benchmark::limits() const {
  int64_t slowest_ns = 1;
  int64_t count = 0;
  for (const Contender& contender : contenders_) {
    if (!contender.failure.ok()) continue;
    slowest_ns = std::max(slowest_ns, contender.call_ns);
    ++count;
  }
  const int64_t share_ns = std::max<int64_t>(1, options_.duration_ns / (kFewestRounds * std::max<int64_t>(1, count)));
  BlockLimits limits;
  limits.min_ns = std::min(limits.min_ns, share_ns);
  limits.min_calls = std::clamp<int64_t>(share_ns / slowest_ns, 1, limits.min_calls);
  return limits;
}

void Benchmark::keep(Contender& contender, const Turn& turn) {
  auto& times = turn.block.disturbed ? contender.disturbed_ns : contender.calm_ns;
  const size_t room = kMostSamples - std::min(kMostSamples, times.size());
  const auto count = static_cast<std::ptrdiff_t>(std::min(room, turn.block.call_ns.size()));
  times.insert(times.end(), turn.block.call_ns.begin(), turn.block.call_ns.begin() + count);
  (turn.block.disturbed ? contender.disturbed_rates : contender.calm_rates).push_back(turn.calls_per_s);
}

// One block of each contender, there or back. A rival's block counts with ours of the same round, when neither was disturbed.
Status Benchmark::round(bool backwards) {
  const BlockLimits block_limits = limits();
  std::vector<std::optional<Block>> blocks(contenders_.size());
  for (size_t place = 0; place < contenders_.size(); ++place) {
    const size_t i = backwards ? contenders_.size() - 1 - place : place;
    Contender& contender = contenders_[i];
    if (!contender.failure.ok()) continue;
    sentinel_.start();
    // Its threads slept while the process was quiet; what it costs to wake them is no part of the block.
    Result<Turn> turn = contender.call_ns < kWakeNs ? take_turn(contender.bindings, {kWakeNs, 1}, options_.cancel) : Turn();
    if (turn) turn = take_turn(contender.bindings, block_limits, options_.cancel);
    if (!turn) {
      if (i == 0 || options_.cancel.cancelled()) return turn.status();
      contender.failure = turn.status();
      continue;
    }
    turn->block.disturbed = sentinel_.disturbed();
    keep(contender, *turn);
    blocks[i] = std::move(turn->block);
  }
  for (size_t i = 1; i < contenders_.size(); ++i) {
    if (!blocks[0] || !blocks[i] || blocks[0]->disturbed || blocks[i]->disturbed) continue;
    contenders_[i].ours_ns.push_back(static_cast<double>(blocks[0]->median_ns));
    contenders_[i].theirs_ns.push_back(static_cast<double>(blocks[i]->median_ns));
  }
  return ok_status();
}

Status Benchmark::measure() {
  const int64_t started = steady_ns();
  before_ = contenders_.front().session->batching();
  for (int64_t i = 0; elapsed_ns_ < options_.duration_ns; ++i) {
    AXLE_RETURN_IF_ERROR(round(i % 2 == 1));
    elapsed_ns_ = steady_ns() - started;
    if (options_.progress) {
      options_.progress("measuring",
                        std::min(1.0, static_cast<double>(elapsed_ns_) / static_cast<double>(options_.duration_ns)));
    }
  }
  return ok_status();
}

// Recording costs time, so it is done on a session of its own and never while measuring.
Status Benchmark::record(BenchReport& report) {
  SessionOptions session_options;
  session_options.runtime = shared_runtime();
  session_options.cancel = options_.cancel;
  session_options.profile = true;
  AXLE_ASSIGN_OR_RETURN(report.recorded, Session::load(model_, report.session->plan(), std::move(session_options)));
  const auto& notes = report.recorded->plan().notes;  // what recording changed stands after the plan's own
  for (size_t i = report.session->plan().notes.size(); i < notes.size(); ++i) report.notes.push_back("the trace: " + notes[i]);
  for (int i = 0; i < kRecordedCalls; ++i) AXLE_RETURN_IF_ERROR(report.recorded->run(samples_).status());
  return ok_status();
}

void Benchmark::add_notes(const BenchReport& report) {
  if (report.noisy_machine) {
    notes_.push_back("most blocks were disturbed by other work on this machine: none is left out of the distribution");
  }
  if (contenders_.front().calm_ns.size() >= kMostSamples) {
    notes_.push_back(fmt::format("the distribution is of the first {} calls", kMostSamples));
  }
  const Candidate& mine = report.session->plan().partitions.front().candidate;
  for (const BenchRival& rival : report.rivals) {
    if (!rival.failure.ok()) continue;
    if (rival.candidate == mine.format()) notes_.push_back(rival.engine + " is what the plan chose: its ratio shows the noise");
    if (const auto other = parse_candidate(rival.candidate); other && other->precision != mine.precision) {
      notes_.push_back(fmt::format("{} computes in {}, the plan in {}", rival.engine, other->precision, mine.precision));
    }
    if (rival.ratio_high <= 0) {
      notes_.push_back(
          fmt::format("{}: {} undisturbed pairs are too few for an interval, measure longer", rival.engine, rival.pairs));
    }
  }
}

BenchReport Benchmark::report() {
  BenchReport report;
  Contender& ours = contenders_.front();
  report.session = ours.session;
  report.callers = options_.callers;
  report.batching = ours.session->batching();
  report.batching.requests -= before_.requests;
  report.batching.joined -= before_.joined;
  report.batching.runs -= before_.runs;
  report.batching.redone -= before_.redone;
  report.first_run_ns = ours.first_run_ns;
  report.elapsed_ns = elapsed_ns_;
  report.blocks = static_cast<int64_t>(ours.calm_rates.size());
  report.disturbed_blocks = static_cast<int64_t>(ours.disturbed_rates.size());
  report.noisy_machine = report.disturbed_blocks > report.blocks;
  for (Contender& contender : contenders_) {
    if (report.noisy_machine || contender.calm_ns.empty()) count_all(contender);
  }
  for (size_t i = 1; i < contenders_.size(); ++i) report.rivals.push_back(rival_row(contenders_[i]));
  report.throughput_per_s = mean(ours.calm_rates);
  report.latency = figures_of(ours.calm_ns);
  add_notes(report);
  report.notes = std::move(notes_);
  return report;
}

Result<BenchReport> Benchmark::run() {
  AXLE_RETURN_IF_ERROR(prepare());
  AXLE_RETURN_IF_ERROR(open(contenders_.front(), options_.policy));
  for (size_t i = 1; i < contenders_.size(); ++i) {
    Contender& rival = contenders_[i];
    Policy policy = options_.policy;
    rival.failure = apply_policy_flag(policy, "engine", rival.engine);
    if (rival.failure.ok()) rival.failure = open(rival, policy);
    AXLE_RETURN_IF_ERROR(options_.cancel.check());
  }
  AXLE_RETURN_IF_ERROR(measure());
  BenchReport result = report();
  if (options_.profile) AXLE_RETURN_IF_ERROR(record(result));
  return result;
}

}  // namespace

Result<BenchReport> bench(Runtime& runtime, const Model& model, const BenchOptions& options) {
  return Benchmark(runtime, model, options).run();
}

}  // namespace axle
