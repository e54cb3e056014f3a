#include "runtime/measuring/contender.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <iterator>
#include <tuple>

#include "base/clock.h"
#include "base/json.h"
#include "planner/context.h"
#include "planner/mixed_plan.h"
#include "runtime/measuring/bind_outputs.h"
#include "runtime/measuring/paired_stats.h"
#include "spec/evidence_age.h"
#include "spec/machine_json.h"
#include "tensor/error_metrics.h"

namespace axle {
namespace {

constexpr size_t kFewestCallsForP95 = 20;
constexpr size_t kFewestCallsForP99 = 1000;
constexpr size_t kMostOutputFigures = 64;

bool is_simulated(const Contender& contender) {
  const auto& parts = contender.plan.partitions;
  return std::any_of(parts.begin(), parts.end(), [](const Partition& part) { return part.simulated; });
}

// Blocks, runs and the percentiles that there are runs enough for.
void fill_timings(const Timings& timings, EvidenceRow& row) {
  for (const double block : timings.taken()) row.block_ns.push_back(static_cast<int64_t>(block));
  row.runs = static_cast<int64_t>(timings.call_ns.size());
  if (timings.call_ns.size() >= kFewestCallsForP95) row.p95_ns = quantile(timings.call_ns, 0.95);
  if (timings.call_ns.size() >= kFewestCallsForP99) row.p99_ns = quantile(timings.call_ns, 0.99);
}

// JSON has no infinity: the largest finite number stands for "not comparable".
double finite_or(double value, double otherwise) { return std::isfinite(value) ? value : otherwise; }

// The worst of many outputs, in the model's order.
void keep_worst(std::vector<OutputFigures>& outputs) {
  if (outputs.size() <= kMostOutputFigures) return;
  std::vector<double> errors;
  for (const OutputFigures& output : outputs) errors.push_back(output.max_relative);
  std::nth_element(errors.begin(), errors.begin() + kMostOutputFigures - 1, errors.end(), std::greater<>());
  const double bound = errors[kMostOutputFigures - 1];
  size_t kept = 0;
  std::erase_if(outputs,
                [&](const OutputFigures& output) { return output.max_relative < bound || ++kept > kMostOutputFigures; });
}

}  // namespace

std::vector<double> Timings::taken() const {
  std::vector<double> list;
  std::copy_if(block_ns.begin(), block_ns.end(), std::back_inserter(list), [](double ns) { return ns > 0; });
  return list;
}

double Contender::typical_ns() const {
  const std::vector<double> blocks = timings.taken();
  return blocks.empty() ? static_cast<double>(screen_ns) : median(blocks);
}

void load_contender(Runtime& runtime, const Model& model, const std::vector<NamedTensor>& samples, const CancelToken& cancel,
                    Contender& contender) {
  SessionOptions options;
  options.runtime = std::shared_ptr<Runtime>(&runtime, [](Runtime*) {});
  options.cancel = cancel;
  auto session = Session::load(model, contender.plan, std::move(options));
  if (!session) {
    contender.failure = session.error();
    return;
  }
  contender.session = std::move(*session);
  auto binding = contender.session->make_binding(samples);
  if (!binding) {
    contender.failure = binding.error();
    return;
  }
  contender.binding = std::move(*binding);
  for (const NamedTensor& sample : samples) {
    if (contender.failure.ok()) contender.failure = contender.binding->bind_input(sample.name, sample.tensor);
  }
  const int64_t started = steady_ns();
  if (contender.failure.ok()) contender.failure = contender.binding->run();
  contender.first_run_ns = steady_ns() - started;
  if (contender.failure.ok()) contender.failure = bind_fresh_outputs(*contender.session, *contender.binding);
}

namespace {

// Null: nothing was given for it. By place only where names tell nothing: no output bears this name, and no reference that one's.
const Tensor* matching(const std::vector<NamedTensor>& outputs, const std::vector<NamedTensor>& reference, size_t index) {
  const auto named = std::ranges::find(outputs, reference[index].name, &NamedTensor::name);
  if (named != outputs.end()) return &named->tensor;
  if (index >= outputs.size() || outputs.size() != reference.size()) return nullptr;
  const bool taken = std::ranges::find(reference, outputs[index].name, &NamedTensor::name) != reference.end();
  return taken ? nullptr : &outputs[index].tensor;
}

}  // namespace

ErrorFigures worst_error(const std::vector<NamedTensor>& outputs, const std::vector<NamedTensor>& reference,
                         const std::string& reference_name) {
  constexpr double kNotComparable = 1e300;
  ErrorFigures worst;
  worst.reference = reference_name;
  double seen = -1;
  for (size_t i = 0; i < reference.size(); ++i) {
    const Tensor* const given = matching(outputs, reference, i);
    const auto error = given != nullptr ? compare_outputs(*given, reference[i].tensor)
                                        : Result<OutputError>(not_found_error("no output of that name was given"));
    OutputFigures& output = worst.outputs.emplace_back();
    output.name = reference[i].name;
    output.max_relative = error ? finite_or(error->max_relative, kNotComparable) : kNotComparable;
    output.relative_l2 = error ? finite_or(error->relative_l2, kNotComparable) : kNotComparable;
    output.cosine = error ? finite_or(error->cosine, -1.0) : -1.0;
    output.top1_agreement = error ? error->top1_agreement : 0.0;
    output.mismatches = error ? error->mismatches : 0;
    if (output.max_relative > seen) {
      seen = output.max_relative;
      worst.worst_output = output.name;
    }
    worst.max_relative = std::max(worst.max_relative, output.max_relative);
    worst.relative_l2 = std::max(worst.relative_l2, output.relative_l2);
    worst.cosine = std::min(worst.cosine, output.cosine);
    worst.top1_agreement = std::min(worst.top1_agreement, output.top1_agreement);
    worst.mismatches += output.mismatches;
  }
  keep_worst(worst.outputs);
  return worst;
}

bool is_engines_answer(const Status& failure) {
  switch (failure.code()) {
    case StatusCode::kFailedPrecondition:
    case StatusCode::kUnimplemented:
    case StatusCode::kInvalidArgument: return failure.family() == ErrorFamily::kCompilation;
    default: return false;
  }
}

EvidenceRow evidence_row(const Contender& contender, const std::vector<Contender>& all, const PlannerInput& input) {
  EvidenceRow row;
  row.key.model_digest = input.model.digest;
  row.key.candidate = contender.name;
  row.key.shapes = input.shapes;
  row.key.samples_digest = input.samples_digest;
  row.key.library_digest = plan_library_digest(contender.plan.partitions);
  row.key.machine = input.machine.fingerprint();
  row.simulated = is_simulated(contender);
  row.recorded_unix_s = unix_seconds();
  std::vector<EvidenceSource> sources;
  for (const Partition& part : contender.plan.partitions)
    sources.push_back({part.candidate.engine, part.engine_version, part.candidate.resource});
  row.made_with = made_with(input.machine, sources);
  if (const auto split = split_machine(input); split) row.made_with.merge(core_sets_of(*split, row.key.candidate));
  row.hardware = input.machine.hardware_fingerprint();
  if (!contender.failure.ok()) {
    row.kind = EvidenceKind::kFailed;
    row.failure_code = std::string(status_code_name(contender.failure.code()));
    row.failure_text = contender.failure.message();
    return row;
  }
  fill_timings(contender.timings, row);
  if (contender.measured()) row.p50_ns = static_cast<int64_t>(contender.typical_ns());
  row.first_run_ns = contender.first_run_ns;
  row.peak_memory_bytes = contender.peak_memory_bytes;
  if (const double drawn = median(contender.timings.call_pj); contender.meter && drawn >= 1) {
    row.energy_pj = static_cast<int64_t>(std::min(drawn, 1e18));
    row.energy_source = contender.meter->source();
  }
  if (contender.session) {
    row.load_ns = contender.session->timing().load_ns;
    row.compile_ns = contender.session->timing().compile_ns;
  }
  row.error = contender.error;
  for (const Contender& rival : all) {
    if (&rival == &contender || is_simulated(rival) != row.simulated) continue;
    const RatioInterval interval = paired_ratio(contender.timings.block_ns, rival.timings.block_ns);
    if (interval.high > 0) row.paired.push_back({rival.name, interval.ratio, interval.low, interval.high, interval.pairs});
  }
  const auto state = canonical_json(machine_to_json_value(input.machine)["state"]);
  if (state) row.state_json = *state;
  return row;
}

std::vector<EvidenceRow> stream_rows(const Contender& contender, const EvidenceRow& row) {
  std::vector<EvidenceRow> rows;
  for (const auto& [key, timings] : contender.streams) {
    const auto& [batch, callers] = key;
    EvidenceRow& stream = rows.emplace_back();
    stream.key = row.key;
    stream.key.concurrency = callers;
    stream.key.batch = batch;
    stream.key.batch_wait_ns = batch > 1 ? contender.batch_wait_ns : 0;
    stream.simulated = row.simulated;
    stream.recorded_unix_s = row.recorded_unix_s;
    stream.made_with = row.made_with;
    stream.hardware = row.hardware;
    stream.state_json = row.state_json;
    fill_timings(timings, stream);
    stream.p50_ns = quantile(timings.call_ns, 0.5);
  }
  return rows;
}

TuneRow tune_row(const Contender& contender, const Contender* winner) {
  TuneRow row;
  row.candidate = contender.name;
  row.blocks = static_cast<int64_t>(contender.timings.taken().size());
  row.disturbed_blocks = contender.disturbed;
  row.error = contender.error;
  row.peak_memory_bytes = contender.peak_memory_bytes;
  for (const auto& [key, timings] : contender.streams) {
    const double per_s = 1e9 / std::max(median(timings.block_ns), 1.0);
    if (per_s <= row.throughput_per_s) continue;
    row.throughput_per_s = per_s;
    std::tie(row.batch, row.callers) = key;
  }
  if (!contender.failure.ok()) {
    row.verdict = "failed";
    row.reason = contender.failure.message();
    return row;
  }
  if (!contender.gate_broken.empty()) {
    row.verdict = "gated";
    row.reason = contender.gate_broken;
    return row;
  }
  if (!contender.measured()) {
    row.verdict = "not_measured";
    row.reason = "the budget ended before its turn";
    return row;
  }
  row.p50_ns = static_cast<int64_t>(contender.typical_ns());
  if (&contender == winner) {
    row.verdict = "winner";
    row.ratio = 1;
    return row;
  }
  row.ratio = winner == nullptr ? 0 : contender.typical_ns() / winner->typical_ns();
  if (contender.dropped) {
    // Times of the first look compare with each other only.
    if (winner != nullptr && winner->screen_ns > 0) {
      row.ratio = static_cast<double>(contender.screen_ns) / static_cast<double>(winner->screen_ns);
    }
    row.verdict = "dropped";
    row.reason = fmt::format("{:.2f}x the winner's time in a first look", row.ratio);
    return row;
  }
  const RatioInterval interval = paired_ratio(winner->timings.block_ns, contender.timings.block_ns);
  if (interval.pairs < static_cast<int32_t>(kFewestPairs)) {
    row.verdict = "undecided";
    row.reason = fmt::format("only {} undisturbed blocks: measure longer to tell", interval.pairs);
    return row;
  }
  row.ratio = interval.ratio;
  row.ratio_low = interval.low;
  row.ratio_high = interval.high;
  switch (compare(interval)) {
    case Comparison::kTie:
      row.verdict = "tie";
      row.reason = "as fast within 1 %";
      break;
    case Comparison::kUndecided:
      row.verdict = "undecided";
      row.reason = "the interval holds 1: measure longer to tell";
      break;
    default:
      // Faster, but by less than what a preset must gain over the default to be taken.
      row.verdict = interval.ratio < 1 ? "tie" : "slower";
      row.reason = fmt::format("{:.2f}x the winner's time{}", interval.ratio,
                               interval.ratio < 1 ? ": too little for its preset to be taken" : "");
  }
  return row;
}

}  // namespace axle
