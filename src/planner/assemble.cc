#include "planner/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/checked.h"
#include "base/text.h"
#include "planner/cores.h"
#include "planner/mixed_plan.h"
#include "planner/objective.h"
#include "planner/precision.h"
#include "planner/prepared_shapes.h"
#include "policy/policy_values.h"

namespace axle {
namespace {

// Bits of one element by ONNX number; strings and undefined have none.
uint64_t element_bits(DataType type) {
  switch (type) {
    case DataType::kUint8:
    case DataType::kInt8:
    case DataType::kBool:
    case DataType::kFloat8E4M3FN:
    case DataType::kFloat8E4M3FNUZ:
    case DataType::kFloat8E5M2:
    case DataType::kFloat8E5M2FNUZ:
    case DataType::kFloat8E8M0: return 8;
    case DataType::kUint16:
    case DataType::kInt16:
    case DataType::kFloat16:
    case DataType::kBfloat16: return 16;
    case DataType::kFloat32:
    case DataType::kInt32:
    case DataType::kUint32: return 32;
    case DataType::kFloat64:
    case DataType::kInt64:
    case DataType::kUint64:
    case DataType::kComplex64: return 64;
    case DataType::kComplex128: return 128;
    case DataType::kUint4:
    case DataType::kInt4:
    case DataType::kFloat4E2M1: return 4;
    case DataType::kUint2:
    case DataType::kInt2: return 2;
    case DataType::kUndefined:
    case DataType::kString: break;
  }
  return 0;
}

// 0 when an axis is open.
uint64_t declared_bytes(const IoSpec& spec) {
  uint64_t bits = element_bits(spec.dtype);
  for (const Dim& dim : spec.shape) {
    const auto more = dim.is_static() ? checked_mul(bits, static_cast<uint64_t>(dim.size)) : std::nullopt;
    if (!more) return 0;
    bits = *more;
  }
  return bits / 8 + (bits % 8 != 0 ? 1 : 0);
}

bool own_memory(const Resource& resource) { return resource.kind != ResourceKind::kCpu; }

std::string isolation_note(const PlanningContext& context, const Considered& chosen) {
  const std::string why =
      asked_isolation(context.input.policy, chosen.candidate.engine) == Isolation::kProcess ? "the policy says so"
      : chosen.place.engine->info.closed
          ? "its vendor's code is closed, and what it does wrong must not end this process"
          : fmt::format("it cannot keep its threads on the core set {} by itself", chosen.place.resource->id);
  return fmt::format("{} runs in a process of its own: {}", chosen.candidate.engine, why);
}

int32_t machine_cores(const Machine& machine) {
  int32_t cores = 0;
  for (const Resource& resource : machine.resources) {
    if (resource.kind == ResourceKind::kCpu && resource.part < 0 && !resource.simulated)
      cores += usable_cores(machine, resource);
  }
  return cores;
}

// Spinning between parallel sections pays when the cores are ours alone.
bool may_spin(const PlanningContext& context, const Considered& c) {
  const int32_t threads = c.candidate.threads;
  // The caller has a core of its own then, and both wait actively for a moment only.
  if (runs_isolated(context, c.place) && threads < machine_cores(context.machine)) return true;
  if (c.place.resource->kind != ResourceKind::kCpu || threads < 2) return false;
  return threads <= usable_cores(context.machine, *c.place.resource);
}

// The most telling of the decisions that speak of `name`.
std::string reason_about(const std::vector<Decision>& refused, const std::vector<std::string>& names) {
  for (const std::string& selector : names) {
    const std::string name = selector.substr(0, selector.find('#'));  // "npu#sim"
    for (const Decision& decision : refused) {
      if (decision.candidate == name || decision.candidate.starts_with(name + "@") ||
          decision.candidate.starts_with(name + ":") || decision.candidate.find("@" + name) != std::string::npos) {
        return decision.reason;
      }
    }
  }
  // An engine that is not installed says least of why another serves.
  for (const bool absent_too : {false, true}) {
    const auto telling = std::ranges::find_if(refused, [&](const Decision& d) {
      return d.code != "EXAMPLE" && d.code != "POLICY" && (absent_too || d.code != "ABSENT");
    });
    if (telling != refused.end()) return telling->reason;
  }
  return "nothing could run it";
}

// What a fallback runs of a model that otherwise runs as demanded.
std::vector<Substitution> mixed_substitutions(const PlanningContext& context, const Demand& demand, const Considered& chosen) {
  std::vector<Substitution> ledger;
  for (size_t i = 0; chosen.mixed && i < chosen.mixed->parts.size(); ++i) {
    const MixedPart& part = chosen.mixed->parts[i];
    if (!part.fallback) continue;
    const NodeFacts& first = chosen.mixed->model->nodes[static_cast<size_t>(part.own.front())];
    const Policy& policy = context.input.policy;
    const std::string wanted = join(demand.resource_relaxed ? policy.execution.targets : policy.engines.allow, ", ");
    const std::string got = demand.resource_relaxed ? part.on.candidate.resource : part.on.candidate.engine;
    const std::string which = part.own.size() == 1
                                  ? fmt::format("{} \"{}\"", first.op_type, first.name)
                                  : fmt::format("{} nodes, first {} \"{}\"", part.own.size(), first.op_type, first.name);
    ledger.push_back(
        {fmt::format("{} for {}", wanted, which), got, join(demand.allowed_by, ", "), chosen.mixed->fallback_reasons[i]});
  }
  return ledger;
}

// Kernels that the policy or a pin names and that nobody offers.
void add_kernel_substitutions(const PlanningContext& context, const Considered& chosen, std::vector<Substitution>& ledger) {
  const auto add = [&](std::string wanted) {
    ledger.push_back({std::move(wanted), fmt::format("{}'s own kernel", chosen.candidate.engine), "fallback.kernel",
                      "no engine here lets its kernels be chosen by name"});
  };
  for (const auto& [op, choice] : context.input.policy.kernels) {
    if (choice.force.empty() && choice.forbid.empty()) continue;
    add(choice.force.empty() ? fmt::format("{} without {}", op, join(choice.forbid, ", "))
                             : fmt::format("{} = {}", op, choice.force));
  }
  for (const SelectedPin& pin : context.pins) {
    if (!pin.whole && pin.nodes.empty()) continue;  // a note says that it selects nothing
    if (pin.pin.require && !pin.pin.require->kernel.empty()) add(pin.text("requires", *pin.pin.require));
    if (pin.pin.forbid && !pin.pin.forbid->kernel.empty()) add(pin.text("forbids", *pin.pin.forbid));
  }
}

// How a mixed plan came about, and what no pin could reach.
void add_mixed_notes(const PlanningContext& context, const Considered& chosen, std::vector<std::string>& notes) {
  for (const SelectedPin& pin : context.pins) {
    if (pin.pin.prefer && !pin.pin.prefer->kernel.empty())
      notes.push_back(
          fmt::format("{}, but no engine here lets its kernels be chosen by name", pin.text("prefers", *pin.pin.prefer)));
    if (!pin.whole && pin.nodes.empty()) notes.push_back(fmt::format("pin {} selects no node of this model", pin.number));
  }
  if (!chosen.mixed) return;
  uint64_t bytes = 0;
  size_t tensors = 0;
  for (const Transfer& transfer : chosen.mixed->transfers) {
    if (transfer.from_partition < 0 || transfer.to_partition < 0) continue;
    bytes += transfer.bytes;
    ++tensors;
  }
  notes.push_back(fmt::format(
      "{} parts hand over {} tensor{} of {} in all; {}", chosen.mixed->parts.size(), tensors, tensors == 1 ? "" : "s",
      format_size_bytes(static_cast<int64_t>(bytes)),
      chosen.mixed->exact ? "no other cut is estimated to cost less" : "the cut was searched along a few orders of the nodes"));
}

}  // namespace

Partition make_partition(const PlanningContext& context, const Considered& c) {
  Partition partition;
  partition.candidate = c.candidate;
  if (c.variant != nullptr) partition.variant = c.variant->variant;
  partition.engine_version = c.place.engine->library_version;
  partition.library_digest = c.place.engine->library_digest;
  partition.resource_kind = c.place.resource->kind;
  partition.simulated = c.place.facts->simulated || c.place.resource->simulated;
  partition.options = c.options;
  partition.isolated = runs_isolated(context, c.place);
  // An engine that cannot keep to a core set is given the whole resource, where there is nothing to leave. A process of its own keeps
  // it to the core set of a split only: on a whole CPU several callers' requests are to find cores, as they do in this process.
  const bool pinned = c.place.engine->info.honours_cpu_set || (partition.isolated && c.place.resource->part >= 0);
  partition.cpu_set = pinned ? pick_cpus(context.machine, *c.place.resource, c.candidate.threads) : c.place.resource->cpus;
  partition.spin = may_spin(context, c);
  partition.expected_from_evidence = c.evidence.timing != nullptr;
  partition.expected_ns = c.evidence.timing != nullptr ? judged_ns(*c.evidence.timing) : c.estimate_ns;
  return partition;
}

std::vector<Transfer> make_transfers(const PlanningContext& context, const Considered& c) {
  std::vector<Transfer> transfers;
  if (!own_memory(*c.place.resource)) return transfers;
  const ModelFacts& model = context.input.model;
  for (const IoSpec& spec : model.inputs) transfers.push_back({-1, 0, spec.name, declared_bytes(spec), "host", "device"});
  for (const IoSpec& spec : model.outputs) transfers.push_back({0, -1, spec.name, declared_bytes(spec), "device", "host"});
  return transfers;
}

void append_parts(std::vector<Partition> partitions, std::vector<Transfer> transfers, Plan& plan) {
  const auto shift = static_cast<int32_t>(plan.partitions.size());
  for (Partition& part : partitions) {
    part.id += shift;
    plan.partitions.push_back(std::move(part));
  }
  for (Transfer& transfer : transfers) {
    for (int32_t* end : {&transfer.from_partition, &transfer.to_partition}) *end += *end < 0 ? 0 : shift;
    plan.transfers.push_back(std::move(transfer));
  }
}

std::vector<Substitution> make_substitutions(const PlanningContext& context, const Demand& demand, const Considered& chosen,
                                             const std::vector<Decision>& refused) {
  const Policy& policy = context.input.policy;
  std::vector<Substitution> ledger = mixed_substitutions(context, demand, chosen);
  if (!ledger.empty()) {
    add_kernel_substitutions(context, chosen, ledger);
    return ledger;
  }
  if (demand.resource_relaxed) {
    ledger.push_back({join(policy.execution.targets, ", "), chosen.place.resource->id, "fallback.resource",
                      reason_about(refused, policy.execution.targets)});
  }
  const auto& forced = policy.engines.allow;
  const bool other_engine = !forced.empty() && std::find(forced.begin(), forced.end(), chosen.candidate.engine) == forced.end();
  if (demand.engine_relaxed) {
    ledger.push_back({join(forced, ", "), chosen.candidate.engine, "fallback.engine", reason_about(refused, forced)});
  } else if (demand.resource_relaxed && other_engine) {
    ledger.push_back(
        {join(forced, ", "), chosen.candidate.engine, "fallback.resource",
         fmt::format("{}; any engine that is not denied may serve the fallback resource", reason_about(refused, forced))});
  }
  if (demand.precision_relaxed) {
    ledger.push_back({join(normal_precisions(policy.execution.precisions), ", "), chosen.candidate.precision,
                      "fallback.precision", reason_about(refused, {})});
  }
  add_kernel_substitutions(context, chosen, ledger);
  return ledger;
}

// What the profile of one resource adds to a plan for another machine.
void add_profile_notes(const PlanningContext& context, const Considered& on, std::vector<std::string>& notes) {
  const DeviceProfile* profile = find_profile(context.input, on.place.resource->id);
  if (profile == nullptr) return;
  if (on.place.facts->assumed) {
    const auto engine = std::find_if(profile->engines.begin(), profile->engines.end(),
                                     [&](const ProfileEngine& e) { return e.name == on.candidate.engine; });
    const bool asked = context.verdict(on.candidate.engine, on.place.resource->id, on.candidate.precision) != nullptr;
    const char* nodes = asked                                    ? "which nodes it takes is what its model here says"
                        : on.place.facts->capability.ops.empty() ? "whether it runs every node of this model was not asked"
                                                                 : "which nodes it takes is by their operators";
    notes.push_back(fmt::format("what-if: that {} runs on {} is what the profile {} says{}; {}", on.candidate.engine,
                                on.place.resource->id, profile->name,
                                engine == profile->engines.end() ? "" : " (" + engine->source + ")", nodes));
  }
  const auto peak = profile->peaks.find(on.candidate.precision);
  if (peak == profile->peaks.end()) return;
  notes.push_back(fmt::format("estimate: {} of {} counts as {:.4g} x 10^12 operations per second by {} figure ({})",
                              on.candidate.precision, profile->title, static_cast<double>(peak->second.value) / 1e6,
                              peak->second.kind == FigureKind::kVendor     ? "the vendor's"
                              : peak->second.kind == FigureKind::kMeasured ? "a measured"
                                                                           : "an estimated",
                              peak->second.source));
  if (profile->banks.count.value > 0)
    notes.push_back(
        fmt::format("estimate: weights stay in {} banks; what a node reads and makes besides moves at {:.4g} GB/s to the "
                    "banks, {:.4g} to all of them alike, {:.4g} from them ({})",
                    profile->banks.count.value, static_cast<double>(profile->banks.to_banks.value) / 1e3,
                    static_cast<double>(profile->banks.broadcast.value) / 1e3,
                    static_cast<double>(profile->banks.from_banks.value) / 1e3, profile->banks.to_banks.source));
}

// What a plan for another machine rests on.
void add_what_if_notes(const PlanningContext& context, const Considered& chosen, std::vector<std::string>& notes) {
  const PlannerInput& input = context.input;
  if (!input.what_if) return;
  notes.push_back(
      fmt::format("what-if: planned for {}, which is not the machine that planned; nothing of it was measured there",
                  input.machine.recorded_name.empty() ? "a recorded machine" : input.machine.recorded_name));
  if (!chosen.mixed) return add_profile_notes(context, chosen, notes);
  std::set<std::string> told;
  for (const MixedPart& part : chosen.mixed->parts) {
    if (told.insert(part.on.place.name() + "/" + part.on.candidate.precision).second)
      add_profile_notes(context, part.on, notes);
  }
}

// What runs instead of the model, and how it came about.
void add_variant_notes(const VariantFacts& facts, std::vector<std::string>& notes) {
  notes.push_back(fmt::format("{} runs {}, a copy of the model made by {}", facts.precision, facts.variant.name(),
                              facts.variant.converter));
  if (!facts.note.empty()) notes.push_back(facts.note);
}

// What less precision costs, as far as it is known.
void add_error_notes(const PlanningContext& context, const Considered& chosen, std::vector<std::string>& notes) {
  const ModelFacts& model = context.input.model;
  const std::string& precision = chosen.candidate.precision;
  if (chosen.variant != nullptr) add_variant_notes(*chosen.variant, notes);
  if (const EvidenceRow* row = chosen.evidence.error; row != nullptr && (chosen.gated || !keeps_precision(model, precision))) {
    notes.push_back(
        fmt::format("error of {} against {}: max relative {:.3g}, relative L2 {:.3g}, cosine {:.6g}, top-1 agreement {:.4g}",
                    precision, row->error->reference, row->error->max_relative, row->error->relative_l2, row->error->cosine,
                    row->error->top1_agreement));
    if (row->key.samples_digest.starts_with("generated:"))
      notes.push_back("the error was judged on generated inputs: name real ones with accuracy.samples");
  } else if (row == nullptr && !keeps_precision(model, precision)) {
    notes.push_back(fmt::format("{} was asked for; its error has not been measured, `axle tune` measures it", precision));
  }
}

std::vector<std::string> make_notes(const PlanningContext& context, const Demand& demand, const Considered& chosen,
                                    bool replicas) {
  const PlannerInput& input = context.input;
  std::vector<std::string> notes;
  add_what_if_notes(context, chosen, notes);
  if (chosen.evidence.timing == nullptr && chosen.learned.known()) notes.push_back("the estimate is " + chosen.learned.text());
  const std::string& precision = chosen.candidate.precision;
  const DeviceProfile* profile = find_profile(input, chosen.place.resource->id);
  if (chosen.evidence.timing == nullptr && chosen.place.resource->kind == ResourceKind::kCpu && profile != nullptr &&
      profile->memory_bandwidth.kind == FigureKind::kMeasured)
    notes.push_back(fmt::format("the estimate uses {:.1f} GB/s of memory per node, {}",
                                static_cast<double>(profile->memory_bandwidth.value) / 1e3, profile->memory_bandwidth.source));
  add_error_notes(context, chosen, notes);
  if (!input.policy.accuracy.present() && demand.precisions.size() > 1) {
    notes.push_back(
        fmt::format("the policy lists several precisions and no bound: max_relative_error {} is used", kListedPrecisionBound));
  }
  if (input.model.quantised && !bound_in_force(context, demand).present()) {
    notes.push_back("the model is quantised: engines may differ by several percent; an [accuracy] bound would judge that");
  }
  if (!input.model.cost_exact && !input.model.dynamic_axes.empty() && chosen.evidence.timing == nullptr) {
    notes.push_back("the estimate is a lower bound: open axes count as 1; give samples of the real shape");
  }
  if (chosen.mixed && chosen.mixed->run == PartsRun::kSplit && input.policy.schedule.kind == ScheduleKind::kAuto)
    notes.push_back("no resource alone has the memory for the model: it is split, as schedule.kind = \"split\" would have it");
  const bool scheduled = (chosen.mixed && chosen.mixed->run != PartsRun::kInTurn) || replicas;
  if (demand.targets.size() > 1 && !scheduled)
    notes.push_back("several devices are allowed, and the model runs on one of them: schedule.kind says otherwise");
  if (const std::string prepared = prepared_note(input); !prepared.empty()) notes.push_back(prepared);
  if (input.policy.objective == Objective::kThroughput && !scheduled && chosen.evidence.streams.empty())
    notes.push_back(
        "throughput is judged with one request at a time; `axle tune` under this policy measures several callers at once");
  if (input.policy.constraints.memory_bytes > 0 && chosen.evidence.memory == nullptr) {
    notes.push_back("memory is an estimate: weights and the largest working set; `axle tune` measures the peak");
  }
  if (input.policy.constraints.power_watts > 0) {
    notes.push_back(
        fmt::format("power is an estimate, {:.3g} W while it runs: what the profile gives for the resource, of a processor "
                    "by the cores at work; no counter was read",
                    static_cast<double>(drawn_milliwatts(context, chosen)) / 1e3));
  }
  add_mixed_notes(context, chosen, notes);
  for (const auto& [op, choice] : input.policy.kernels) {
    if (!choice.prefer.empty() && choice.force.empty() && choice.forbid.empty()) {
      notes.push_back(fmt::format("kernels.{}: {} is preferred, but no engine here lets its kernels be chosen by name", op,
                                  join(choice.prefer, ", ")));
    }
  }
  if (const VerdictRow* row = context.verdict(chosen.candidate.engine, chosen.place.resource->id, precision);
      row != nullptr && row->verdict.graph.kind == VerdictKind::kUnknown && precision != own_precision(input.model)) {
    notes.push_back(
        fmt::format("{} says what it runs at {} only when it loads; it is read back then, and refused if it differs",
                    chosen.candidate.engine, precision));
  }
  if (runs_isolated(context, chosen.place)) {
    notes.push_back(isolation_note(context, chosen));
  } else if (!chosen.place.engine->info.honours_cpu_set) {
    notes.push_back(fmt::format("{} cannot keep its threads on given cores: it may use all of {}", chosen.candidate.engine,
                                chosen.place.resource->id));
  }
  return notes;
}

void note_stale_evidence(Plan& plan) {
  std::map<std::string, std::vector<std::string>> by_reason;
  for (const Decision& decision : plan.decisions) {
    if (decision.evidence && decision.evidence->stale && decision.evidence->stale_reason != kOldReason)
      by_reason[decision.evidence->stale_reason].push_back(decision.candidate);
  }
  for (const auto& [reason, candidates] : by_reason) {
    const std::string who = candidates.size() == 1 ? candidates.front() : fmt::format("{} candidates", candidates.size());
    plan.notes.push_back(fmt::format("the evidence on {} is stale and not used: {}; `axle tune` measures anew", who, reason));
  }
}

}  // namespace axle
