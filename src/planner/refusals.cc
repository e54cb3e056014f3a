#include "planner/refusals.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "base/json.h"
#include "base/text.h"
#include "planner/precision.h"
#include "planner/prepared_shapes.h"
#include "policy/policy_values.h"
#include "spec/json_fields.h"
#include "spec/plan_json.h"

namespace axle {
namespace {

int rank_of(const Decision& decision) {
  switch (decision.verdict) {
    case DecisionVerdict::kChosen: return 0;
    case DecisionVerdict::kTie: return 1;
    case DecisionVerdict::kRejected: return decision.evidence && decision.evidence->p50_ns > 0 ? 2 : 5;
    case DecisionVerdict::kNotMeasured: return 3;
    case DecisionVerdict::kFailed: return 4;
  }
  return 6;
}

// What most likely stands between the user and a plan comes first.
int weight_of(const Decision& decision) {
  static const std::vector<std::string_view> kOrder = {
      "NO_RESOURCE",  "ABSENT",           "NO_ENGINE",    "PIN",
      "SCHEDULE",     "THREADS",          "NO_CONVERTER", "CONVERSION",
      "NOT_PREPARED", "ACCURACY_UNKNOWN", "ACCURACY",     "NOT_ENOUGH_EVIDENCE",
      "CONSTRAINT",   "MEMORY",           "NOT_MEASURED"};
  // Why the schedule that was asked for cannot be had at all.
  if (decision.code == "SCHEDULE" && decision.candidate.find('@') == std::string::npos) return 1;
  if (decision.candidate.starts_with("pin ")) return 2;  // says what would satisfy it
  const auto found = std::find(kOrder.begin(), kOrder.end(), decision.code);
  if (found != kOrder.end()) return static_cast<int>(found - kOrder.begin());
  if (decision.code == "POLICY" || decision.code == "SIMULATED" || decision.code == "EXAMPLE") return 100;
  return decision.code == "PRECISION" ? 90 : 50;
}

// The engine's own reach ends here: not the machine, the policy or the model is at fault. One that lacks only operators of
// foreign domains reaches as far as engines commonly do.
bool is_out_of_reach(const Decision& decision) {
  if (decision.code == "FORMAT" || decision.code == "DTYPE" || decision.code == "LIMIT" || decision.code == "DYNAMIC_SHAPE")
    return true;
  return std::any_of(decision.nodes.begin(), decision.nodes.end(),
                     [](const NodeReason& node) { return node.op.find(':') == std::string::npos; });
}

// Who asks for no NPU, and for no engine by name, is not helped by a vendor's closed one.
bool would_help(const PlanningContext& context, const Demand& demand, const std::string& name) {
  const auto engine = std::ranges::find_if(context.engines, [&](const EngineFacts* e) { return e->info.name == name; });
  if (engine == context.engines.end() || !(*engine)->info.closed || !demand.engines.empty()) return true;
  return std::ranges::any_of(demand.targets, [](const std::string& target) {
    const Result<Selector> selector = parse_selector(target);
    return selector.has_value() && selector->kind == ResourceKind::kNpu;
  });
}

// Only missing engines stand in the way: of those asked for, or of all where none that is here reaches as far as the model.
bool only_engines_missing(const PlanningContext& context, const Attempt& attempt) {
  static const std::set<std::string_view> kSaysNothing = {"ABSENT",    "NO_ENGINE", "POLICY",
                                                          "SIMULATED", "EXAMPLE",   "COMPILE_ONLY"};
  bool absent = false, out_of_reach = false;
  for (const Decision& decision : attempt.decisions) {
    absent |= decision.code == "ABSENT" && would_help(context, attempt.demand, decision.candidate);
    if (kSaysNothing.contains(decision.code)) continue;
    // Who wants static shapes and gives no size has only to give one.
    if (decision.code == "DYNAMIC_SHAPE" && context.input.policy.execution.static_shape) return false;
    const bool admitted_less = decision.code == "PRECISION" && decision.nodes.empty();
    if (!is_out_of_reach(decision) && !admitted_less) return false;
    out_of_reach |= !admitted_less;
  }
  // Neither an example nor a model of a device is what a user waits for.
  const bool none_present = std::ranges::none_of(context.engines, [](const EngineFacts* engine) {
    const auto& reach = engine->capabilities;
    return engine->present && !engine->info.example &&
           (reach.empty() || std::ranges::any_of(reach, [](const CapabilityFacts& facts) { return !facts.simulated; }));
  });
  return none_present || (absent && (out_of_reach || !attempt.demand.engines.empty()));
}

// The decisions that explain best why a demand could not be met, the nearest first, each reason once.
std::vector<const Decision*> nearest_reasons(const PlanningContext& context, const Attempt& attempt) {
  // A missing engine explains something only when it was asked for, or when there is no other.
  const bool engines_matter = !attempt.demand.engines.empty() || only_engines_missing(context, attempt);
  std::vector<const Decision*> reasons;
  bool absent = false;
  for (const Decision& decision : attempt.decisions) {
    if (decision.code == "ABSENT" && !engines_matter) continue;
    absent |= decision.code == "ABSENT";
    reasons.push_back(&decision);
  }
  if (absent) std::erase_if(reasons, [](const Decision* decision) { return decision->code == "NO_ENGINE"; });
  std::stable_sort(reasons.begin(), reasons.end(),
                   [](const Decision* a, const Decision* b) { return weight_of(*a) < weight_of(*b); });
  std::set<std::string_view> said;
  std::erase_if(reasons, [&](const Decision* decision) { return !said.insert(decision->reason).second; });
  while (reasons.size() > 1 && weight_of(*reasons.back()) >= 90 && weight_of(*reasons.front()) < 90) reasons.pop_back();
  return reasons;
}

// "vela" of "vela@npu:0".
std::string engine_of(const Decision& decision) { return decision.candidate.substr(0, decision.candidate.find('@')); }

// Whether a kernel is forced or forbidden by name, and nothing may stand in for it.
bool names_kernels(const Policy& policy) {
  if (std::ranges::find(policy.fallback.kernel, kEngineKernel) != policy.fallback.kernel.end()) return false;
  const auto names = [](const std::optional<PinTarget>& target) { return target && !target->kernel.empty(); };
  return std::ranges::any_of(policy.pins, [&](const Pin& pin) { return names(pin.require) || names(pin.forbid); }) ||
         std::ranges::any_of(policy.kernels,
                             [](const auto& choice) { return !choice.second.force.empty() || !choice.second.forbid.empty(); });
}

// What can be pinned here in a kernel's place.
std::string kernel_hint(const PlannerInput& input) {
  std::vector<std::string> engines;
  for (const EngineFacts& engine : input.engines) {
    const std::string& name = engine.info.name;
    const EngineRules& rules = input.policy.engines;
    const bool wanted = rules.allow.empty() || std::ranges::find(rules.allow, name) != rules.allow.end();
    const bool denied = std::ranges::find(rules.deny, name) != rules.deny.end();
    if (engine.present && !engine.info.example && wanted && !denied) engines.push_back(name);
  }
  std::sort(engines.begin(), engines.end());
  const std::string let = "let the engine choose with [fallback] kernel = [\"engine\"]";
  if (engines.empty()) return "leave it out, or " + let;
  return fmt::format(
      "no engine offers kernels by name: pin the operators to an engine instead, [[pin]] with require = "
      "{{ engine = \"{}\" }} ({} {} here), or {}",
      engines.front(), join(engines, ", "), engines.size() == 1 ? "is" : "are", let);
}

std::string hint_for(const PlanningContext& context, const Decision& decision) {
  const Policy& policy = context.input.policy;
  const std::string& code = decision.code;
  if ((code == "NO_RESOURCE" || code == "NO_ENGINE") && !policy.execution.targets.empty() && policy.fallback.resource.empty()) {
    return "to let another resource stand in, name it: allow_fallback = [\"cpu\"] (--allow-fallback cpu)";
  }
  if (code == "ABSENT") {
    const EngineFacts* engine = find_engine(context.input, decision.candidate);
    if (engine != nullptr && !engine->info.install_command.empty()) return engine->info.install_command;
    return policy.engines.allow.empty()
               ? "`axle doctor` says what to install"
               : "`axle engines` lists what is installed; name one that may stand in with [fallback] engine";
  }
  if (code == "NOT_PREPARED") return "`axle tune` or `axle compile` makes the copy";
  if (code == "NO_CONVERTER") return kInstallConverter;
  if (code == "ACCURACY_UNKNOWN" || code == "NOT_ENOUGH_EVIDENCE" || code == "NOT_MEASURED") return "`axle tune` measures it";
  if (code == "ACCURACY") return "loosen [accuracy], or let another precision stand in with [fallback] precision = [\"f32\"]";
  const bool by_kernel = code == "KERNEL" || decision.reason.find("lets no kernel be chosen by name") != std::string::npos;
  if (by_kernel && names_kernels(policy)) return kernel_hint(context.input);
  if (code == "PIN") return "let the pin admit another place, or leave it out";
  if (code == "SCHEDULE")
    return "name core sets or devices: [resources] split = { \"cpu:0\" = [[0], [1]] }, or targets such as cpu:0/0 and cpu:0/1";
  if (code == "THREADS") return "ask for fewer threads, or leave the choice to the planner";
  if (code == "DYNAMIC_SHAPE" && policy.execution.static_shape) return check_static_shape(context.input).hint();
  if (code == "COMPILE_ONLY") return "to compile for it, name it alone (--engine " + engine_of(decision) + ")";
  if (code == "PRECISION") return "let another precision stand in with [fallback] precision = [\"f32\"]";
  if (!decision.nodes.empty())
    return policy.schedule.mixing == Mixing::kNever ? "`axle inspect` lists what each engine says of each node; "
                                                      "schedule.mixing = \"needed\" lets engines share a model"
                                                    : "`axle inspect` lists what each engine says of each node";
  return "`axle explain` lists every candidate with its reason";
}

std::string reasons_text(const std::vector<const Decision*>& reasons, size_t shown) {
  std::string text;
  for (size_t i = 0; i < reasons.size() && i < shown; ++i) {
    text += fmt::format("{}{}: {}", i == 0 ? "" : "; ", reasons[i]->candidate, reasons[i]->reason);
  }
  if (reasons.size() > shown) text += fmt::format("; and {} more", reasons.size() - shown);
  return text.empty() ? "no engine is installed" : text;
}

}  // namespace

void sort_decisions(std::vector<Decision>& decisions) {
  std::sort(decisions.begin(), decisions.end(), [](const Decision& a, const Decision& b) {
    const auto key = [](const Decision& d) {
      const int64_t time = d.evidence && d.evidence->p50_ns > 0 ? d.evidence->p50_ns : d.estimate_ns;
      return std::tuple(rank_of(d), time == 0, time, std::string_view(d.candidate), std::string_view(d.code));
    };
    return key(a) < key(b);
  });
}

void merge_decisions(std::vector<Decision>& into, std::vector<Decision> more) {
  std::set<std::string> names, known;
  for (const Decision& decision : into) known.insert(decision.candidate);
  std::erase_if(more,
                [&](const Decision& decision) { return decision.code == "POLICY" && known.contains(decision.candidate); });
  for (const Decision& decision : more) names.insert(decision.candidate);
  std::erase_if(into, [&](const Decision& decision) { return names.contains(decision.candidate); });
  into.insert(into.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

Status nothing_remains(const PlanningContext& context, std::vector<Attempt> attempts) {
  for (Attempt& attempt : attempts) sort_decisions(attempt.decisions);
  const Attempt& written = attempts.front();
  const auto reasons = nearest_reasons(context, written);
  std::string message = "nothing here can run the model under this policy: " + reasons_text(reasons, 3);
  const Decision* nearest = reasons.empty() ? nullptr : reasons.front();
  for (size_t i = 1; i < attempts.size() && i <= 2; ++i) {
    const auto more = nearest_reasons(context, attempts[i]);
    message += fmt::format("; nor by {}: {}", join(attempts[i].demand.allowed_by, " and "), reasons_text(more, 1));
    if (!more.empty()) nearest = more.front();
  }
  Status status = only_engines_missing(context, written) ? unavailable_error(message) : failed_precondition_error(message);
  status = std::move(status).with_hint(nearest == nullptr ? "`axle doctor` says what to install" : hint_for(context, *nearest));
  // Samples of a size that is not prepared are bad input wherever they go, also to engines that take fixed shapes only.
  const Status shapes = check_static_shape(context.input);
  if (nearest != nullptr && nearest->code == "DYNAMIC_SHAPE" && shapes.code() == StatusCode::kInvalidArgument) status = shapes;
  for (size_t i = 1; i < attempts.size(); ++i) merge_decisions(attempts.front().decisions, std::move(attempts[i].decisions));
  sort_decisions(attempts.front().decisions);
  const Json json = list_to_json(attempts.front().decisions, decision_to_json);
  if (const Result<std::string> list = canonical_json(json); list.has_value())
    status = std::move(status).with_detail("decisions", *list);
  return status;
}

}  // namespace axle
