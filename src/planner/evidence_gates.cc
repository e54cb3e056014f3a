// Gates on whole candidates: pins, threads, negative evidence, accuracy, constraints.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.h"
#include "planner/gates.h"
#include "planner/objective.h"
#include "planner/precision.h"
#include "policy/policy_values.h"

namespace axle {
namespace {

Rejection unmeasured(std::string code, std::string reason) {
  return {std::move(code), std::move(reason), {}, DecisionVerdict::kNotMeasured, true};
}

// ---- pins on the whole model

// " for 3 of 7 nodes", or "" for a pin on all of them.
std::string reach_text(const PlanningContext& context, const SelectedPin& pin) {
  return pin.whole ? "" : fmt::format(" for {} of {} nodes", pin.nodes.size(), context.input.model.nodes.size());
}

// A mixed plan was made of what the pins leave to each place.
Gate gate_pins(const PlanningContext& context, const Demand&, const Considered& considered) {
  if (context.judges_parts || considered.mixed) return std::nullopt;
  const auto& fallback = context.input.policy.fallback.kernel;
  const bool any_kernel = std::find(fallback.begin(), fallback.end(), kEngineKernel) != fallback.end();
  for (const SelectedPin& pin : context.pins) {
    if (!pin.whole && pin.nodes.empty()) continue;
    const auto& require = pin.pin.require;
    const auto& forbid = pin.pin.forbid;
    if (require && !meets(*require, considered.candidate, *considered.place.resource))
      return Rejection{"PIN", pin.text("requires", *require) + reach_text(context, pin), {}};
    const bool forbidden = forbid && meets(*forbid, considered.candidate, *considered.place.resource);
    if (forbidden && forbid->kernel.empty())
      return Rejection{"PIN", pin.text("forbids", *forbid) + reach_text(context, pin), {}};
    const bool named = require && !require->kernel.empty();
    if ((named || forbidden) && !any_kernel) {
      return Rejection{"KERNEL",
                       fmt::format("{}{}, and {} lets no kernel be chosen by name",
                                   pin.text(named ? "requires" : "forbids", named ? *require : *forbid),
                                   reach_text(context, pin), considered.candidate.engine),
                       {}};
    }
  }
  return std::nullopt;
}

// ---- threads

Gate gate_threads(const PlanningContext&, const Demand&, const Considered& considered) {
  const Resource& resource = *considered.place.resource;
  const int32_t threads = considered.candidate.threads;
  if (resource.kind == ResourceKind::kCpu && !resource.cpus.empty() && threads > static_cast<int32_t>(resource.cpus.size())) {
    return Rejection{"THREADS",
                     fmt::format("the policy asks for {} threads; {} has {} CPUs", threads, resource.id, resource.cpus.size()),
                     {}};
  }
  const auto& limits = considered.place.facts->capability.limits;
  const auto most = limits.find("threads_max");
  if (most == limits.end() || most->second <= 0 || threads <= most->second) return std::nullopt;
  return Rejection{"THREADS", fmt::format("{} runs at most {} threads", considered.place.name(), most->second), {}};
}

// ---- negative evidence

Gate gate_failure(const PlanningContext&, const Demand&, const Considered& considered) {
  const EvidenceRow* failure = considered.evidence.failure;
  if (failure == nullptr) return std::nullopt;
  return Rejection{failure->failure_code.empty() ? "FAILED" : failure->failure_code,
                   fmt::format("it failed here before: {}", printable(failure->failure_text, 500)),
                   {},
                   DecisionVerdict::kFailed};
}

// ---- accuracy

void append_bound(std::string& text, bool broken, const char* name, double value, const char* relation, double bound) {
  if (!broken) return;
  if (!text.empty()) text += ", ";
  text += fmt::format("{} is {:.3g}, {} {:.3g}", name, value, relation, bound);
}

Gate gate_accuracy(const PlanningContext& context, const Demand& demand, const Considered& considered) {
  const AccuracyGate bound = bound_in_force(context, demand);
  const EvidenceRow* row = considered.evidence.error;
  if (row == nullptr) {
    if (!needs_accuracy_gate(context, demand, considered)) return std::nullopt;
    return unmeasured(
        "ACCURACY_UNKNOWN",
        fmt::format("its error at {} has not been measured on {}; `axle tune` measures it", considered.candidate.precision,
                    context.input.policy.accuracy.samples.empty() ? "any samples" : "the policy's samples"));
  }
  if (!bound.present()) return std::nullopt;  // forced: reported, not judged
  const std::string broken = broken_bounds(bound, *row->error);
  if (broken.empty()) return std::nullopt;
  return Rejection{
      "ACCURACY", fmt::format("{} against {} on output \"{}\"", broken, row->error->reference, row->error->worst_output), {}};
}

// Results that differ beyond precision are the user's to ask for.
Gate gate_numerics(const PlanningContext& context, const Demand& demand, const Considered& considered) {
  if (!considered.changes_numerics || bound_in_force(context, demand).present()) return std::nullopt;
  return Rejection{"NUMERICS",
                   fmt::format("preset {} changes how results are computed: set an [accuracy] bound to admit it",
                               considered.candidate.preset),
                   {}};
}

// ---- constraints

// A percentile is believed with ten samples beyond it.
struct Percentile {
  const char* name;
  int64_t bound_ns;
  int64_t value_ns;
  int64_t runs_wanted;
};

Gate judge_percentile(const Percentile& p, int64_t runs) {
  if (p.bound_ns <= 0) return std::nullopt;
  if (runs < p.runs_wanted || p.value_ns <= 0) {
    return unmeasured(
        "NOT_ENOUGH_EVIDENCE",
        fmt::format(
            "not enough evidence for {}: it wants {} runs, there are {}; `axle tune` with a larger budget measures more",
            p.name, p.runs_wanted, runs));
  }
  if (p.value_ns <= p.bound_ns) return std::nullopt;
  return Rejection{
      "CONSTRAINT",
      fmt::format("its {} is {}, the policy allows {}", p.name, format_duration_ns(p.value_ns), format_duration_ns(p.bound_ns)),
      {}};
}

int64_t mean_ns(const EvidenceRow& row) {
  if (row.block_ns.empty()) return judged_ns(row);
  const auto count = static_cast<int64_t>(row.block_ns.size());
  int64_t whole = 0, rest = 0;  // summed apart, so that no sum overflows
  for (const int64_t block : row.block_ns) {
    whole += block / count;
    rest += block % count;
  }
  return whole + rest / count;
}

Gate gate_latency(const PlanningContext& context, const Demand&, const Considered& considered) {
  const Constraints& c = context.input.policy.constraints;
  const EvidenceRow* row = considered.evidence.timing;
  const int64_t runs = row == nullptr ? 0 : row->runs;
  const std::array<Percentile, 4> percentiles = {{{"latency_p50", c.latency_p50_ns, row ? judged_ns(*row) : 0, 20},
                                                  {"latency_p95", c.latency_p95_ns, row ? row->p95_ns : 0, 200},
                                                  {"latency_p99", c.latency_p99_ns, row ? row->p99_ns : 0, 1000},
                                                  {"latency_mean", c.latency_mean_ns, row ? mean_ns(*row) : 0, 20}}};
  for (const Percentile& percentile : percentiles) {
    if (Gate gate = judge_percentile(percentile, runs)) return gate;
  }
  return std::nullopt;
}

Gate gate_throughput(const PlanningContext& context, const Demand&, const Considered& considered) {
  const double wanted = context.input.policy.constraints.throughput_min_per_s;
  if (wanted <= 0) return std::nullopt;
  const EvidenceRow* row = considered.evidence.timing;
  if (row == nullptr)
    return unmeasured("NOT_ENOUGH_EVIDENCE",
                      "not enough evidence for throughput_min: nothing was measured; `axle tune` measures it");
  const double alone = 1e9 / static_cast<double>(std::max<int64_t>(mean_ns(*row), 1));
  const BestRequests best = best_requests(considered.evidence);
  if (std::max(alone, best.per_s()) >= wanted) return std::nullopt;
  if (considered.evidence.streams.empty()) {
    return unmeasured(
        "NOT_ENOUGH_EVIDENCE",
        fmt::format("not enough evidence for throughput_min: it reaches {:.1f} runs per second one at a time, the policy "
                    "wants {:.1f}; `axle tune` under this policy measures several callers at once",
                    alone, wanted));
  }
  return Rejection{"CONSTRAINT",
                   fmt::format("it reaches {:.1f} runs per second with {} callers, the policy wants {:.1f}",
                               std::max(alone, best.per_s()), best.callers, wanted),
                   {}};
}

Gate gate_memory(const PlanningContext& context, const Demand&, const Considered& considered) {
  const uint64_t allowed = context.input.policy.constraints.memory_bytes;
  if (allowed == 0) return std::nullopt;
  const EvidenceRow* row = considered.evidence.memory;
  const uint64_t needs = needed_bytes(considered);
  if (needs <= allowed) return std::nullopt;
  return Rejection{
      "MEMORY",
      fmt::format("it {} {}, the policy allows {}", row != nullptr ? "took" : "is estimated to need",
                  format_size_bytes(static_cast<int64_t>(needs)), format_size_bytes(static_cast<int64_t>(allowed))),
      {}};
}

// By the declared model of power, which is said: no counter is read.
Gate gate_power(const PlanningContext& context, const Demand&, const Considered& considered) {
  const double allowed = context.input.policy.constraints.power_watts;
  if (allowed <= 0) return std::nullopt;
  const int64_t milliwatts = drawn_milliwatts(context, considered);
  if (milliwatts <= 0) {
    return Rejection{
        "NO_POWER",
        fmt::format("constraints.power cannot be judged: no profile gives the power of {}", considered.place.resource->id),
        {}};
  }
  const double watts = static_cast<double>(milliwatts) / 1e3;
  if (watts <= allowed) return std::nullopt;
  return Rejection{"POWER",
                   fmt::format("it is estimated to draw {:.3g} W by the profile of its resource, the policy allows {:.3g} W",
                               watts, allowed),
                   {}};
}

Gate gate_required_evidence(const PlanningContext& context, const Demand&, const Considered& considered) {
  if (context.input.policy.tuning.evidence != EvidenceUse::kRequire || considered.evidence.timing != nullptr)
    return std::nullopt;
  return unmeasured("NOT_MEASURED",
                    "the policy requires evidence (tuning.evidence) and there is none; `axle tune` measures it");
}

constexpr std::array<CandidateGate, 10> kCandidateGates = {gate_pins,     gate_threads,          gate_failure,    gate_numerics,
                                                           gate_accuracy, gate_latency,          gate_throughput, gate_memory,
                                                           gate_power,    gate_required_evidence};

}  // namespace

namespace {

AccuracyGate bound_with(AccuracyGate bound, size_t listed_precisions) {
  if (!bound.present() && listed_precisions > 1) bound.max_relative_error = kListedPrecisionBound;
  return bound;
}

}  // namespace

uint64_t needed_bytes(const Considered& considered) {
  const EvidenceRow* row = considered.evidence.memory;
  return row != nullptr ? row->peak_memory_bytes : considered.estimate_bytes;
}

AccuracyGate bound_of(const Policy& policy) { return bound_with(policy.accuracy, policy.execution.precisions.size()); }

AccuracyGate bound_in_force(const PlanningContext& context, const Demand& demand) {
  return bound_with(context.input.policy.accuracy, demand.precisions.size());
}

bool needs_accuracy_gate(const PlanningContext& context, const Demand& demand, const Considered& considered) {
  const ModelFacts& model = context.input.model;
  if (!bound_in_force(context, demand).present()) return false;
  if (considered.changes_numerics || model.quantised) return true;
  return !keeps_precision(model, considered.candidate.precision);
}

std::string broken_bounds(const AccuracyGate& bound, const ErrorFigures& error) {
  std::string text;
  // Written so that NaN breaks every bound.
  const auto over = [](const std::optional<double>& limit, double value) { return limit && !(value <= *limit); };
  const auto under = [](const std::optional<double>& limit, double value) { return limit && !(value >= *limit); };
  append_bound(text, over(bound.max_relative_error, error.max_relative), "max relative error", error.max_relative, "above",
               bound.max_relative_error.value_or(0));
  append_bound(text, over(bound.relative_l2_max, error.relative_l2), "relative L2 error", error.relative_l2, "above",
               bound.relative_l2_max.value_or(0));
  append_bound(text, under(bound.cosine_min, error.cosine), "cosine", error.cosine, "below", bound.cosine_min.value_or(0));
  append_bound(text, under(bound.top1_agreement_min, error.top1_agreement), "top-1 agreement", error.top1_agreement, "below",
               bound.top1_agreement_min.value_or(0));
  if (bound.present() && error.mismatches > 0) {
    text += fmt::format("{}{} integer or text elements differ", text.empty() ? "" : ", ", error.mismatches);
  }
  return text;
}

std::span<const CandidateGate> candidate_gates() { return kCandidateGates; }

}  // namespace axle
