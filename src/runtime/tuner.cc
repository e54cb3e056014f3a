// Plan -> measure -> evidence -> plan. Candidates come from the planner, numbers from alternating blocks, and what was
// measured is stored before the new plan is made.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "axle/session.h"
#include "axle/tune.h"
#include "planner/planner.h"
#include "runtime/blocks.h"
#include "runtime/paired_stats.h"
#include "runtime/planner_inputs.h"
#include "runtime/runtime_state.h"
#include "spec/machine_json.h"
#include "tensor/error_metrics.h"

namespace axle {
namespace {

constexpr size_t kFinalists = 4;
constexpr double kHopeless = 5;         // times behind: dropped after one round
constexpr int kMostRounds = 200;
constexpr int64_t kScreenBlockNs = 20'000'000;
constexpr size_t kFewestCallsForP99 = 1000;

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct Contender {
  Partition part;
  std::string name;
  std::optional<Session> session;
  std::optional<Binding> binding;
  Status failure;
  bool dropped = false;
  std::optional<ErrorFigures> error;
  std::vector<double> block_ns;       // one per counted round, aligned over all contenders still in
  std::vector<int64_t> call_ns;
  int64_t screen_ns = 0;
  int64_t disturbed = 0;
  int64_t first_run_ns = 0;

  bool measured() const { return failure.ok() && (!block_ns.empty() || screen_ns > 0); }
  double typical_ns() const { return block_ns.empty() ? static_cast<double>(screen_ns) : median(block_ns); }
};

class Tuning {
 public:
  Tuning(Runtime& runtime, const Model& model, const TuneOptions& options)
      : runtime_(runtime), model_(model), options_(options), started_ns_(now_ns()) {}

  Result<TuneReport> run();

 private:
  Status prepare();
  void load(Contender& contender);
  Status measure_reference();
  void judge_errors();
  void screen();
  void finals();
  bool round(std::vector<Contender*>& racing);
  bool decided() const;
  int64_t left_ns() const { return options_.budget_ns - (now_ns() - started_ns_); }
  bool over() const { return left_ns() <= 0 || options_.cancel.cancelled(); }
  std::vector<Contender*> racing();
  const Contender* best() const;
  EvidenceRow row_of(const Contender& contender) const;
  void store();
  TuneRow table_row(const Contender& contender, const Contender* winner) const;
  TuneReport report() const;
  void show() const {
    if (options_.progress) options_.progress(report());
  }

  Runtime& runtime_;
  const Model& model_;
  const TuneOptions& options_;
  const int64_t started_ns_;
  PlannerInput input_;
  std::vector<NamedTensor> samples_;
  std::vector<Contender> contenders_;
  std::string reference_;
  std::vector<NamedTensor> reference_outputs_;
  Sentinel sentinel_;
  std::vector<std::string> notes_;
  bool noisy_ = false;
};

Status Tuning::prepare() {
  samples_ = options_.samples;
  if (samples_.empty()) {
    GenerateOptions generate;
    generate.seed = options_.seed;
    AXLE_ASSIGN_OR_RETURN(samples_, generate_inputs(model_, generate));
    notes_.push_back("no samples were given: inputs were generated, unknown axes set to 1 or 16");
  }
  PlanRequest request;
  request.policy = options_.policy;
  request.samples = samples_;
  AXLE_ASSIGN_OR_RETURN(input_, collect_planner_input(runtime_, model_, request));
  AXLE_ASSIGN_OR_RETURN(const std::vector<Partition> parts, measurable_partitions(input_));
  for (const Partition& part : parts) {
    Contender contender;
    contender.part = part;
    contender.name = part.candidate.format();
    contenders_.push_back(std::move(contender));
  }
  // Every engine's default comes before anybody's presets: a short budget must at least compare engines.
  std::stable_sort(contenders_.begin(), contenders_.end(), [](const Contender& a, const Contender& b) {
    return a.part.candidate.preset == "default" && b.part.candidate.preset != "default";
  });
  if (contenders_.empty()) {
    // The planner knows why: its refusal is the message.
    AXLE_RETURN_IF_ERROR(make_plan(input_).status());
    return failed_precondition_error("no candidate can be measured for this model under this policy");
  }
  return ok_status();
}

void Tuning::load(Contender& contender) {
  Plan plan;
  plan.model_digest = model_.digest();
  plan.partitions.push_back(contender.part);
  SessionOptions session_options;
  session_options.runtime = std::shared_ptr<Runtime>(&runtime_, [](Runtime*) {});
  session_options.cancel = options_.cancel;
  auto session = Session::load(model_, plan, std::move(session_options));
  if (!session) {
    contender.failure = session.error();
    return;
  }
  contender.session = std::move(*session);
  auto binding = contender.session->make_binding();
  if (!binding) {
    contender.failure = binding.error();
    return;
  }
  contender.binding = std::move(*binding);
  for (const NamedTensor& sample : samples_) {
    if (contender.failure.ok()) contender.failure = contender.binding->bind_input(sample.name, sample.tensor);
  }
  const int64_t started = now_ns();
  if (contender.failure.ok()) contender.failure = contender.binding->run();
  contender.first_run_ns = now_ns() - started;
}

Status Tuning::measure_reference() {
  auto part = reference_partition(input_);
  if (!part) {
    notes_.push_back("errors are not judged: " + part.error().message());
    return ok_status();
  }
  Contender reference;
  reference.part = std::move(*part);
  reference.name = reference.part.candidate.format();
  load(reference);
  if (!reference.failure.ok()) {
    notes_.push_back("errors are not judged: " + reference.failure.message());
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(reference_outputs_, reference.session->run(samples_));
  reference_ = reference.name;
  return ok_status();
}

void Tuning::judge_errors() {
  if (reference_outputs_.empty()) return;
  for (Contender& contender : contenders_) {
    if (!contender.failure.ok() || !contender.session || contender.error) continue;
    const auto outputs = contender.session->run(samples_);
    if (!outputs) {
      contender.failure = outputs.error();
      continue;
    }
    ErrorFigures worst;
    worst.reference = reference_;
    double seen = -1;
    for (size_t i = 0; i < outputs->size() && i < reference_outputs_.size(); ++i) {
      const auto error = compare_outputs((*outputs)[i].tensor, reference_outputs_[i].tensor);
      if (!error) continue;
      // JSON has no infinity: the largest finite number stands for "not comparable".
      const double relative = std::isfinite(error->max_relative) ? error->max_relative : 1e300;
      if (relative > seen) {
        seen = relative;
        worst.worst_output = (*outputs)[i].name;
      }
      worst.max_relative = std::max(worst.max_relative, relative);
      worst.relative_l2 = std::max(worst.relative_l2, std::isfinite(error->relative_l2) ? error->relative_l2 : 1e300);
      worst.cosine = std::min(worst.cosine, std::isfinite(error->cosine) ? error->cosine : -1.0);
      worst.top1_agreement = std::min(worst.top1_agreement, error->top1_agreement);
      worst.mismatches += error->mismatches;
    }
    contender.error = worst;
  }
}

// One short block each: finds the finalists and drops what is far behind.
void Tuning::screen() {
  const int64_t budget = options_.budget_ns / 2;
  for (Contender& contender : contenders_) {
    if (now_ns() - started_ns_ > budget || options_.cancel.cancelled()) break;
    load(contender);
    if (!contender.failure.ok()) continue;
    const auto call = [&] { return contender.binding->run(); };
    BlockLimits limits{std::min<int64_t>(kScreenBlockNs, options_.budget_ns / 50), 3};
    auto warm = run_block(call, limits);
    auto block = warm ? run_block(call, limits) : std::move(warm);
    if (!block) {
      contender.failure = block.error();
      continue;
    }
    contender.screen_ns = block->median_ns;
    show();
  }
  std::vector<Contender*> order;
  for (Contender& contender : contenders_) {
    if (contender.measured()) order.push_back(&contender);
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const Contender* a, const Contender* b) { return a->screen_ns < b->screen_ns; });
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const bool hopeless =
        static_cast<double>(order[rank]->screen_ns) > kHopeless * static_cast<double>(order.front()->screen_ns);
    const auto same_engine = [&](const Contender* other) {
      return other->part.candidate.engine == order[rank]->part.candidate.engine;
    };
    const bool best_of_engine =
        std::find_if(order.begin(), order.end(), same_engine) == order.begin() + static_cast<std::ptrdiff_t>(rank);
    order[rank]->dropped = hopeless || (rank >= kFinalists && !best_of_engine);
  }
}

std::vector<Contender*> Tuning::racing() {
  std::vector<Contender*> list;
  for (Contender& contender : contenders_) {
    if (contender.measured() && !contender.dropped) list.push_back(&contender);
  }
  return list;
}

// One block of every contender, there or back. A disturbed block makes the whole round uncounted, so that pairs stay pairs.
bool Tuning::round(std::vector<Contender*>& racing) {
  std::vector<Block> blocks;
  bool disturbed = false;
  const int64_t share = std::max<int64_t>(1'000'000, left_ns() / static_cast<int64_t>(4 * racing.size()));
  for (Contender* contender : racing) {
    sentinel_.start();
    auto block = run_block([&] { return contender->binding->run(); }, {std::min<int64_t>(50'000'000, share), 5});
    if (!block) {
      contender->failure = block.error();
      return false;
    }
    block->disturbed = sentinel_.disturbed();
    contender->disturbed += block->disturbed ? 1 : 0;
    disturbed = disturbed || block->disturbed;
    blocks.push_back(std::move(*block));
  }
  if (disturbed) return false;
  for (size_t i = 0; i < racing.size(); ++i) {
    racing[i]->block_ns.push_back(static_cast<double>(blocks[i].median_ns));
    racing[i]->call_ns.insert(racing[i]->call_ns.end(), blocks[i].call_ns.begin(), blocks[i].call_ns.end());
  }
  return true;
}

const Contender* Tuning::best() const {
  const Contender* best = nullptr;
  for (const Contender& contender : contenders_) {
    if (!contender.measured() || contender.dropped) continue;
    if (best == nullptr || contender.typical_ns() < best->typical_ns()) best = &contender;
  }
  return best;
}

// Nothing left to learn: every rival is slower for sure or a tie.
bool Tuning::decided() const {
  const Contender* winner = best();
  if (winner == nullptr || winner->block_ns.size() < 8) return false;
  for (const Contender& rival : contenders_) {
    if (&rival == winner || !rival.measured() || rival.dropped) continue;
    if (compare(paired_ratio(winner->block_ns, rival.block_ns)) == Comparison::kUndecided) return false;
  }
  return true;
}

void Tuning::finals() {
  std::vector<Contender*> order = racing();
  int counted = 0;
  int uncounted = 0;
  for (int i = 0; i < kMostRounds && !order.empty() && !over(); ++i) {
    if (round(order))
      ++counted;
    else
      ++uncounted;
    std::reverse(order.begin(), order.end());
    std::erase_if(order, [](const Contender* c) { return !c->failure.ok(); });
    show();
    if (decided()) break;
  }
  noisy_ = uncounted > counted;
}

EvidenceRow Tuning::row_of(const Contender& contender) const {
  EvidenceRow row;
  row.key.model_digest = model_.digest();
  row.key.candidate = contender.name;
  row.key.shapes = input_.shapes;
  row.key.samples_digest = input_.samples_digest;
  row.key.library_digest = contender.part.library_digest;
  row.key.machine = input_.machine.fingerprint();
  row.simulated = contender.part.simulated;
  row.recorded_unix_s = unix_seconds();
  if (!contender.failure.ok()) {
    row.kind = EvidenceKind::kFailed;
    row.failure_code = std::string(status_code_name(contender.failure.code()));
    row.failure_text = contender.failure.message();
    return row;
  }
  for (const double block : contender.block_ns) row.block_ns.push_back(static_cast<int64_t>(block));
  row.runs = static_cast<int64_t>(contender.call_ns.size());
  row.p50_ns = static_cast<int64_t>(contender.typical_ns());
  if (contender.call_ns.size() >= 20) row.p95_ns = quantile(contender.call_ns, 0.95);
  if (contender.call_ns.size() >= kFewestCallsForP99) row.p99_ns = quantile(contender.call_ns, 0.99);
  row.first_run_ns = contender.first_run_ns;
  if (contender.session) {
    row.load_ns = contender.session->timing().load_ns;
    row.compile_ns = contender.session->timing().compile_ns;
  }
  row.error = contender.error;
  for (const Contender& rival : contenders_) {
    if (&rival == &contender || rival.block_ns.size() < 4 || contender.block_ns.size() < 4) continue;
    const RatioInterval interval = paired_ratio(contender.block_ns, rival.block_ns);
    if (interval.high > 0) row.paired.push_back({rival.name, interval.ratio, interval.low, interval.high, interval.pairs});
  }
  const auto state = canonical_json(machine_to_json_value(input_.machine)["state"]);
  if (state) row.state_json = *state;
  return row;
}

void Tuning::store() {
  std::vector<EvidenceRow> rows;
  for (const Contender& contender : contenders_) {
    const bool cancelled = contender.failure.code() == StatusCode::kCancelled;
    if ((contender.measured() || !contender.failure.ok()) && !cancelled) rows.push_back(row_of(contender));
  }
  EvidenceStore* store = runtime_.evidence();
  if (store == nullptr) {
    notes_.push_back("the evidence is not kept: there is no cache folder");
    return;
  }
  if (const Status status = store->append(rows); !status.ok())
    notes_.push_back("the evidence is not kept: " + status.message());
}

TuneRow Tuning::table_row(const Contender& contender, const Contender* winner) const {
  TuneRow row;
  row.candidate = contender.name;
  row.blocks = static_cast<int64_t>(contender.block_ns.size());
  row.disturbed_blocks = contender.disturbed;
  row.error = contender.error;
  if (!contender.failure.ok()) {
    row.verdict = "failed";
    row.reason = contender.failure.message();
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
    row.verdict = "dropped";
    row.reason = fmt::format("{:.2f}x behind in the first round", row.ratio);
    return row;
  }
  const RatioInterval interval = paired_ratio(winner->block_ns, contender.block_ns);
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
    default: row.verdict = "slower"; row.reason = fmt::format("{:.2f}x the winner's time", interval.ratio);
  }
  return row;
}

TuneReport Tuning::report() const {
  TuneReport report;
  report.notes = notes_;
  report.reference = reference_;
  report.noisy_machine = noisy_;
  report.elapsed_ns = now_ns() - started_ns_;
  const Contender* winner = best();
  for (const Contender& contender : contenders_) report.rows.push_back(table_row(contender, winner));
  std::stable_sort(report.rows.begin(), report.rows.end(), [](const TuneRow& a, const TuneRow& b) {
    return (a.p50_ns > 0 ? a.p50_ns : INT64_MAX) < (b.p50_ns > 0 ? b.p50_ns : INT64_MAX);
  });
  return report;
}

Result<TuneReport> Tuning::run() {
  AXLE_RETURN_IF_ERROR(prepare());
  AXLE_RETURN_IF_ERROR(measure_reference());
  screen();
  judge_errors();
  finals();
  store();
  if (options_.cancel.cancelled()) return options_.cancel.check();
  TuneReport result = report();
  PlanRequest request;
  request.policy = options_.policy;
  request.samples = samples_;
  AXLE_ASSIGN_OR_RETURN(PlanReport planned, make_plan(runtime_, model_, request));
  result.plan = std::move(planned.plan);
  return result;
}

}  // namespace

Result<TuneReport> tune(Runtime& runtime, const Model& model, const TuneOptions& options) {
  if (options.budget_ns <= 0) return invalid_argument_error("the tuning budget must be more than nothing");
  return Tuning(runtime, model, options).run();
}

}  // namespace axle
