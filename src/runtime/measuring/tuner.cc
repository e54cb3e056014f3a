// Plan -> measure -> evidence -> plan. Candidates come from the planner, numbers from alternating blocks, and what was
// measured is stored before the new plan is made.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "axle/convert.h"
#include "axle/session.h"
#include "axle/tune.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "planner/choose.h"
#include "planner/gates.h"
#include "planner/mixed_plan.h"
#include "planner/planner.h"
#include "runtime/facts/model_facts.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/failures.h"
#include "runtime/measuring/blocks.h"
#include "runtime/measuring/contender.h"
#include "runtime/measuring/peak_memory.h"
#include "runtime/measuring/race.h"
#include "runtime/measuring/streams.h"
#include "runtime/runtime_state.h"
#include "runtime/variants/calibration.h"
#include "runtime/variants/fixed_inputs.h"
#include "runtime/variants/variants.h"
#include "spec/machine_json.h"
#include "tensor/error_metrics.h"

namespace axle {
namespace {

constexpr size_t kFinalists = 4;
constexpr double kHopeless = 5;         // times behind: dropped after one round
constexpr int64_t kScreenBlockNs = 20'000'000;
constexpr int kScreenTries = 3;

std::set<std::string> engines_of(const Plan& plan) {
  std::set<std::string> engines;
  for (const Partition& part : plan.partitions) engines.insert(part.candidate.engine);
  return engines;
}

std::set<std::string> resources_of(const Plan& plan) {
  std::set<std::string> resources;
  for (const Partition& part : plan.partitions) resources.insert(part.candidate.resource);
  return resources;
}

// Speeds hold until the machine starts anew.
std::string boot_id() { return std::string(trim(read_file("/proc/sys/kernel/random/boot_id", 64).value_or("unknown"))); }

CoreSpeeds known_core_speeds(Runtime& runtime) {
  return CoreSpeeds::parse(runtime.state().recall("core-speeds", boot_id()).value_or(""));
}

bool wants_streams(const Policy& policy) {
  return policy.objective == Objective::kThroughput || policy.objective == Objective::kHybrid ||
         policy.constraints.throughput_min_per_s > 0;
}

// Fewer are "not enough evidence" to the planner.
size_t runs_wanted(const Constraints& constraints) {
  if (constraints.latency_p99_ns > 0) return 1000;
  return constraints.latency_p95_ns > 0 ? 200 : 0;
}

class Tuning {
 public:
  Tuning(Runtime& runtime, const Model& model, const TuneOptions& options)
      : runtime_(runtime), model_(model), options_(options), started_ns_(steady_ns()) {}

  Result<TuneReport> run();

 private:
  Status prepare();
  Status measure_reference();
  void judge_error(Contender& contender);
  Result<int64_t> screen_block(Contender& contender);
  void screen_one(Contender& contender);
  void screen();
  void pick_finalists();
  void measure_memory();
  void finals();
  void measure_streams();
  int64_t left_ns() const { return options_.budget_ns - (steady_ns() - started_ns_); }
  bool over() const { return left_ns() <= 0 || options_.cancel.cancelled(); }
  void store();
  TuneReport report() const;
  void show() const {
    if (options_.progress) options_.progress(report());
  }

  Runtime& runtime_;
  const Model& model_;
  const TuneOptions& options_;
  int64_t started_ns_;
  PlannerInput input_;
  std::vector<NamedTensor> samples_;
  std::vector<Contender> contenders_;
  std::string reference_;
  std::vector<NamedTensor> reference_outputs_;
  Sentinel sentinel_{known_core_speeds(runtime_)};
  std::vector<std::string> notes_;
  bool noisy_ = false;
  std::string chosen_;                    // by the plan, once there is one
};

Status Tuning::prepare() {
  // What the policy names is what errors are judged on.
  AXLE_ASSIGN_OR_RETURN(samples_, policy_samples(options_.policy, model_));
  if (samples_.empty()) samples_ = options_.samples;
  if (!options_.samples_note.empty()) notes_.push_back(options_.samples_note);
  const bool generated = samples_.empty();
  bool assumed = false;  // planning without any samples assumes the same shapes
  if (generated) {
    AXLE_ASSIGN_OR_RETURN(GeneratedSamples made,
                          generate_samples(runtime_, model_, {options_.seed, options_.policy, true, options_.cancel}));
    samples_ = std::move(made.tensors);
    assumed = made.usual;
    notes_.push_back("no samples were given: " + made.note);
  }
  PlanRequest request;
  request.policy = options_.policy;
  request.cancel = options_.cancel;
  if (!assumed) request.samples = samples_;
  AXLE_RETURN_IF_ERROR(prepare_useful_variants(runtime_, model_, request));
  started_ns_ = steady_ns();  // the budget is for measuring
  AXLE_ASSIGN_OR_RETURN(input_, collect_planner_input(runtime_, model_, request));
  if (generated) input_.samples_digest = "generated:" + std::to_string(options_.seed);
  for (const VariantFacts& variant : input_.variants) {
    if (const std::string& said = variant.prepared() ? variant.note : variant.reason; !said.empty()) notes_.push_back(said);
  }
  AXLE_ASSIGN_OR_RETURN(std::vector<Plan> plans, measurable_plans(input_));
  for (Plan& plan : plans) {
    Contender contender;
    contender.name = plan_name(plan.partitions);
    contender.plan = std::move(plan);
    contenders_.push_back(std::move(contender));
  }
  // Every engine's default comes before anybody's presets: a short budget must at least compare engines.
  std::stable_sort(contenders_.begin(), contenders_.end(), [](const Contender& a, const Contender& b) {
    const auto is_default = [](const Contender& c) {
      return c.plan.partitions.front().candidate.preset.starts_with("default");
    };
    return is_default(a) && !is_default(b);
  });
  if (contenders_.empty()) {
    // The planner knows why: its refusal is the message.
    AXLE_RETURN_IF_ERROR(make_plan(input_).status());
    return failed_precondition_error("no candidate can be measured for this model under this policy");
  }
  return ok_status();
}

Status Tuning::measure_reference() {
  auto part = reference_partition(input_);
  if (!part) {
    notes_.push_back("errors are not judged: " + part.error().message());
    return ok_status();
  }
  Contender reference;
  reference.name = part->candidate.format();
  reference.plan.model_digest = model_.digest();
  reference.plan.partitions = {std::move(*part)};
  load_contender(runtime_, model_, samples_, options_.cancel, reference);
  if (!reference.failure.ok()) {
    notes_.push_back("errors are not judged: " + reference.failure.message());
    return ok_status();
  }
  AXLE_ASSIGN_OR_RETURN(reference_outputs_, reference.session->run(samples_));
  reference_ = reference.name;
  return ok_status();
}

// What breaks the policy's bound is not timed: the error is the evidence that rejects it.
void Tuning::judge_error(Contender& contender) {
  if (reference_outputs_.empty()) return;
  const auto outputs = contender.session->run(samples_);
  if (!outputs) {
    contender.failure = outputs.error();
    return;
  }
  contender.error = worst_error(*outputs, reference_outputs_, reference_);
  contender.gate_broken = broken_bounds(bound_of(options_.policy), *contender.error);
}

// A block during which the machine was busy elsewhere is taken again, twice at most; the best one counts.
Result<int64_t> Tuning::screen_block(Contender& contender) {
  const BlockLimits limits{std::min<int64_t>(kScreenBlockNs, options_.budget_ns / 50), 3};
  int64_t best_ns = 0;
  for (int i = 0; i < kScreenTries; ++i) {
    sentinel_.start();
    AXLE_ASSIGN_OR_RETURN(const Block block, run_block([&] { return contender.binding->run(); }, limits));
    best_ns = best_ns == 0 ? block.median_ns : std::min(best_ns, block.median_ns);
    if (!sentinel_.disturbed()) break;
    ++contender.disturbed;
  }
  return best_ns;
}

void Tuning::screen_one(Contender& contender) {
  const auto ns = screen_block(contender);
  if (!ns)
    contender.failure = ns.error();
  else
    contender.screen_ns = contender.screen_ns == 0 ? *ns : std::min(contender.screen_ns, *ns);
}

// Short blocks that find the finalists and drop what is far behind. What comes near the best is looked at twice: one look
// may be the machine's fault.
void Tuning::screen() {
  const int64_t budget = options_.budget_ns / 2;
  const auto spent = [&] { return steady_ns() - started_ns_ > budget || options_.cancel.cancelled(); };
  int64_t best_ns = 0;
  for (Contender& contender : contenders_) {
    // One is measured at least: a budget spent on loading alone would have bought nothing.
    if (spent() && (best_ns != 0 || options_.cancel.cancelled())) break;
    load_contender(runtime_, model_, samples_, options_.cancel, contender);
    contender.meter = EnergyMeter::open(SystemFiles(), input_.machine, resources_of(contender.plan));
    if (contender.failure.ok()) judge_error(contender);
    if (!contender.in_play()) continue;
    contender.failure = run_block([&] { return contender.binding->run(); }, {0, 3}).status();
    if (contender.failure.ok()) screen_one(contender);
    if (contender.measured()) best_ns = best_ns == 0 ? contender.screen_ns : std::min(best_ns, contender.screen_ns);
    show();
  }
  for (auto contender = contenders_.rbegin(); contender != contenders_.rend() && !spent(); ++contender) {
    if (contender->measured() && contender->screen_ns < 2 * best_ns) screen_one(*contender);
  }
  pick_finalists();
}

void Tuning::pick_finalists() {
  std::vector<Contender*> order = racing(contenders_);
  std::stable_sort(order.begin(), order.end(),
                   [](const Contender* a, const Contender* b) { return a->screen_ns < b->screen_ns; });
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const bool hopeless =
        static_cast<double>(order[rank]->screen_ns) > kHopeless * static_cast<double>(order.front()->screen_ns);
    const auto same_engine = [&](const Contender* other) { return engines_of(other->plan) == engines_of(order[rank]->plan); };
    const bool best_of_engine =
        std::find_if(order.begin(), order.end(), same_engine) == order.begin() + static_cast<std::ptrdiff_t>(rank);
    order[rank]->dropped = hopeless || (rank >= kFinalists && !best_of_engine);
  }
  // A preset is worth taking only if it beats the same without it: that has to race too.
  for (Contender* contender : order) {
    const auto beside = [&](const Contender* other) {
      return !other->dropped && contender->plan.partitions.size() == 1 && other->plan.partitions.size() == 1 &&
             is_default_of(contender->plan.partitions.front().candidate, other->plan.partitions.front().candidate);
    };
    if (contender->dropped && std::any_of(order.begin(), order.end(), beside)) contender->dropped = false;
  }
}

// Each in a process of its own, so that nothing else is counted. The finalists, within a part of the budget; where the policy judges
// memory, everyone who ran, since the slowest may need the least.
void Tuning::measure_memory() {
  const Policy& policy = options_.policy;
  const bool judged = policy.objective == Objective::kMemory || policy.constraints.memory_bytes > 0;
  const int64_t enough_ns = judged ? 0 : left_ns() - options_.budget_ns / 5;
  std::set<std::string> failures;
  int missed = 0;
  for (Contender& contender : contenders_) {
    if (!contender.measured() || (contender.dropped && !judged)) continue;
    if (over() || left_ns() < enough_ns) {
      ++missed;
      continue;
    }
    auto peak = measure_peak_memory(runtime_, model_, contender.plan, samples_, options_.cancel);
    if (peak)
      contender.peak_memory_bytes = *peak;
    else
      failures.insert(peak.error().message());
    show();
  }
  if (missed > 0 && judged)
    notes_.push_back(fmt::format("the memory of {} candidates was not measured: the budget ended before", missed));
  for (const std::string& why : failures) notes_.push_back("memory was not measured: " + why);
}

// What throughput is judged by: several callers at once.
void Tuning::measure_streams() {
  if (!wants_streams(options_.policy)) return;
  for (Contender& contender : contenders_) contender.batch_wait_ns = options_.policy.schedule.batch_wait_ns;
  StreamRace race(
      contenders_, samples_, stream_counts(input_.machine.allowed_cores()),
      [this](const Contender& contender) {
        return open_streams(runtime_, model_, input_, contender, samples_, options_.cancel);
      },
      sentinel_, {[this] { return left_ns(); }, [this] { return over(); }, [this] { show(); }}, options_.cancel);
  race.run();
  noisy_ = noisy_ || race.noisy();
  for (const std::string& failure : race.failures()) notes_.push_back("not measured with several callers: " + failure);
  const bool any = std::any_of(contenders_.begin(), contenders_.end(), [](const Contender& c) { return !c.streams.empty(); });
  if (!any) notes_.push_back("throughput was not measured with several callers: the budget ended before");
}

void Tuning::finals() {
  const int64_t kept_ns = wants_streams(options_.policy) ? options_.budget_ns / 5 * 2 : 0;
  Race race(contenders_, sentinel_,
            {[this, kept_ns] { return left_ns() - kept_ns; }, [this, kept_ns] { return over() || left_ns() <= kept_ns; },
             [this] { show(); }, runs_wanted(options_.policy.constraints)});
  race.run();
  noisy_ = race.noisy();
  if (race.settled())
    notes_.push_back("the machine was busy elsewhere in every block: these figures are from disturbed blocks");
}

void Tuning::store() {
  std::vector<EvidenceRow> rows;
  for (const Contender& contender : contenders_) {
    // An engine that ran into a limit of its own is an answer; the caller's limit is none.
    const bool own_limit = contender.failure.code() == StatusCode::kDeadlineExceeded && !options_.cancel.cancelled();
    const bool passing = is_of_the_moment(contender.failure.code()) && !own_limit;
    if ((contender.measured() || contender.error || !contender.failure.ok()) && !passing)
      rows.push_back(evidence_row(contender, contenders_, input_));
    else
      continue;
    const std::vector<EvidenceRow> streams = stream_rows(contender, rows.back());
    rows.insert(rows.end(), streams.begin(), streams.end());
  }
  EvidenceStore* store = runtime_.evidence();
  if (store == nullptr) {
    notes_.push_back("the evidence is not kept: there is no cache folder");
    return;
  }
  if (const Status status = store->append(rows); !status.ok())
    notes_.push_back("the evidence is not kept: " + status.message());
}

TuneReport Tuning::report() const {
  TuneReport report;
  report.notes = notes_;
  report.reference = reference_;
  report.noisy_machine = noisy_;
  report.elapsed_ns = steady_ns() - started_ns_;
  const Contender* winner = fastest(contenders_);
  for (const Contender& contender : contenders_) {
    if (contender.name == chosen_ && contender.measured() && !contender.dropped) winner = &contender;
  }
  for (const Contender& contender : contenders_) report.rows.push_back(tune_row(contender, winner));
  // Who raced comes first, then who was looked at, then the rest.
  const auto place = [](const TuneRow& row) {
    return std::tuple(row.verdict != "winner", row.p50_ns == 0, row.verdict == "dropped", row.ratio > 0 ? row.ratio : 1e300);
  };
  std::stable_sort(report.rows.begin(), report.rows.end(),
                   [&](const TuneRow& a, const TuneRow& b) { return place(a) < place(b); });
  return report;
}

Result<TuneReport> Tuning::run() {
  AXLE_RETURN_IF_ERROR(prepare());
  AXLE_RETURN_IF_ERROR(measure_reference());
  screen();
  measure_memory();
  finals();
  measure_streams();
  runtime_.state().remember("core-speeds", boot_id(), sentinel_.speeds().text());
  store();
  if (options_.cancel.cancelled()) return options_.cancel.check();
  PlanRequest request;
  request.policy = options_.policy;
  request.samples = options_.samples;
  AXLE_ASSIGN_OR_RETURN(PlanReport planned, make_plan(runtime_, model_, request));
  // Of near ties the plan takes the simpler one: the table tells the same story.
  if (planned.plan.schedule != "replicas") chosen_ = plan_name(planned.plan.partitions);
  TuneReport result = report();
  result.plan = std::move(planned.plan);
  return result;
}

}  // namespace

Result<TuneReport> tune(Runtime& runtime, const Model& model, const TuneOptions& options) {
  if (options.budget_ns <= 0) return invalid_argument_error("the tuning budget must be more than nothing");
  if (needs_conversion(model.format())) {
    AXLE_ASSIGN_OR_RETURN(
        const Model onnx,
        convert_model(runtime, model, {.samples = options.samples, .progress = {}, .cancel = options.cancel}));
    TuneOptions on_onnx = options;
    on_onnx.samples = without_fixed_inputs(onnx, options.samples);
    return Tuning(runtime, onnx, on_onnx).run();
  }
  return Tuning(runtime, model, options).run();
}

}  // namespace axle
