// Gates that need no measurements: policy, engines, resources, formats, dtypes, shapes, memory, operators, precisions.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/text.h"
#include "planner/cost_model.h"
#include "planner/gates.h"
#include "planner/precision.h"
#include "policy/policy_values.h"
#include "spec/answer_fields.h"

namespace axle {
namespace {

bool holds(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool selected(const std::vector<std::string>& selectors, const Resource& resource) {
  return std::any_of(selectors.begin(), selectors.end(), [&](const std::string& text) {
    const Result<Selector> selector = parse_selector(text);
    if (!selector.has_value() || !matches(*selector, resource)) return false;
    return resource.part < 0 || selector->part.has_value();  // core sets are taken only when they are named
  });
}

// ---- engines

bool named_by_pin(const PlanningContext& context, const std::string& engine) {
  return std::any_of(context.pins.begin(), context.pins.end(), [&](const SelectedPin& pin) {
    return (pin.pin.require && pin.pin.require->engine == engine) || (pin.pin.prefer && pin.pin.prefer->engine == engine);
  });
}

Gate gate_engine_policy(const PlanningContext& context, const Demand& demand, const EngineFacts& engine) {
  const std::string& name = engine.info.name;
  if (holds(context.input.policy.engines.deny, name))
    return Rejection{"POLICY", fmt::format("the policy denies {} (engines.deny)", name), {}};
  if (!demand.engines.empty() && !holds(demand.engines, name)) {
    return Rejection{"POLICY", fmt::format("the policy asks for {}", join(demand.engines, " or ")), {}};
  }
  const bool named =
      holds(demand.engines, name) || holds(context.input.policy.engines.prefer, name) || named_by_pin(context, name);
  if (engine.info.example && !named)
    return Rejection{
        "EXAMPLE",
        fmt::format("{} is an example to copy, not for use; to run on it all the same, name it (--engine {})", name, name),
        {}};
  return std::nullopt;
}

Gate gate_engine_present(const PlanningContext&, const Demand&, const EngineFacts& engine) {
  if (engine.present) return std::nullopt;
  std::string reason =
      engine.absent_reason.empty() ? fmt::format("{} is not installed", engine.info.name) : engine.absent_reason;
  if (!engine.info.install_command.empty()) reason += fmt::format("; install it with: {}", engine.info.install_command);
  return Rejection{"ABSENT", reason, {}};
}

// ---- resources

// Required or preferred by a pin, as closely as this: naming a whole does not name its core sets.
bool named_by_pin(const PlanningContext& context, const Resource& resource) {
  return std::any_of(context.pins.begin(), context.pins.end(), [&](const SelectedPin& pin) {
    const auto names = [&](const std::optional<PinTarget>& target) {
      return target && !target->resource.empty() && selected({target->resource}, resource);
    };
    return names(pin.pin.require) || names(pin.pin.prefer);
  });
}

// A schedule of several resources is what core sets are made for.
bool schedules_core_sets(const Policy& policy) {
  const ScheduleKind kind = policy.schedule.kind;
  return kind == ScheduleKind::kReplicas || kind == ScheduleKind::kPipeline || kind == ScheduleKind::kSplit ||
         (kind == ScheduleKind::kAuto && policy.objective == Objective::kThroughput);
}

Gate gate_resource_target(const PlanningContext& context, const Demand& demand, const Resource& resource) {
  if (!demand.group.empty() && !holds(demand.group, resource.id))
    return Rejection{"SCHEDULE", fmt::format("this replica works on {}", join(demand.group, ", ")), {}};
  if (demand.targets.empty()) {
    if (resource.part >= 0 && !named_by_pin(context, resource) && !schedules_core_sets(context.input.policy))
      return Rejection{"POLICY", "core sets are used only when they are named as a target, or by a schedule", {}};
    return std::nullopt;
  }
  if (selected(demand.targets, resource)) return std::nullopt;
  return Rejection{"POLICY", fmt::format("the policy asks for {}", join(demand.targets, " or ")), {}};
}

Gate gate_resource_rules(const PlanningContext& context, const Demand&, const Resource& resource) {
  const ResourceRules& rules = context.input.policy.resources;
  const auto covers = [&](const std::vector<std::string>& selectors) {
    return std::any_of(selectors.begin(), selectors.end(), [&](const std::string& text) {
      const Result<Selector> selector = parse_selector(text);
      return selector.has_value() && matches(*selector, resource);
    });
  };
  if (covers(rules.deny)) return Rejection{"POLICY", fmt::format("the policy denies {} (resources.deny)", resource.id), {}};
  if (!rules.allow.empty() && !covers(rules.allow)) {
    return Rejection{"POLICY", fmt::format("the policy allows only {} (resources.allow)", join(rules.allow, ", ")), {}};
  }
  return std::nullopt;
}

// Who asks for an "npu" asks for a real one.
bool names_simulated(const std::vector<std::string>& targets, const Resource& resource) {
  return std::any_of(targets.begin(), targets.end(), [&](const std::string& text) {
    const Result<Selector> selector = parse_selector(text);
    return selector.has_value() && matches(*selector, resource) && holds(selector->tags, kSimulatedTag);
  });
}

Gate gate_resource_simulated(const PlanningContext& context, const Demand& demand, const Resource& resource) {
  if (!resource.simulated || context.input.policy.resources.allow_simulated) return std::nullopt;
  if (names_simulated(demand.targets, resource) || named_by_pin(context, resource)) return std::nullopt;
  return Rejection{
      "SIMULATED",
      fmt::format("{} is simulated ({}): ask for it as {}#{}, or allow simulated resources (--allow-simulated, "
                  "resources.allow_simulated)",
                  resource.id, resource.name,
                  parse_selector(resource.id) ? resource.id : std::string(resource_kind_name(resource.kind)), kSimulatedTag),
      {}};
}

// ---- an engine on a resource

// One that runs nothing is for who wants its artefacts, and says so by naming no other.
Gate gate_compile_only(const PlanningContext& context, const Place& place) {
  if (!place.facts->compile_only) return std::nullopt;
  const std::string& name = place.engine->info.name;
  const std::vector<std::string>& asked = context.input.policy.engines.allow;
  if (asked.size() == 1 && asked.front() == name) return std::nullopt;
  return Rejection{"COMPILE_ONLY",
                   fmt::format("{} only compiles for {}: it runs nothing. To compile for it, name it alone (--engine {})", name,
                               place.resource->id, name),
                   {}};
}

Gate gate_format(const PlanningContext& context, const Place& place) {
  const auto& formats = place.facts->capability.formats;
  if (holds(formats, context.input.model.format)) return std::nullopt;
  return Rejection{"FORMAT",
                   fmt::format("{} does not read {} here (it reads {})", place.engine->info.name, context.input.model.format,
                               formats.empty() ? "nothing" : join(formats, ", ")),
                   {}};
}

Gate gate_boundary_dtypes(const PlanningContext& context, const Place& place) {
  const auto& dtypes = place.facts->capability.dtypes;
  if (dtypes.empty()) return std::nullopt;
  const ModelFacts& model = context.input.model;
  for (const auto* specs : {&model.inputs, &model.outputs}) {
    for (const IoSpec& spec : *specs) {
      if (spec.dtype == DataType::kUndefined || std::find(dtypes.begin(), dtypes.end(), spec.dtype) != dtypes.end()) continue;
      return Rejection{
          "DTYPE",
          fmt::format("{} does not take {} tensors, which {} \"{}\" has", place.engine->info.name,
                      answers::word_of_data_type(spec.dtype), specs == &model.inputs ? "input" : "output", spec.name),
          {}};
    }
  }
  return std::nullopt;
}

Gate gate_limits(const PlanningContext& context, const Place& place) {
  const auto& limits = place.facts->capability.limits;
  const auto limit = [&](const char* name) {
    const auto found = limits.find(name);
    return found == limits.end() ? int64_t{0} : found->second;
  };
  const auto nodes = static_cast<int64_t>(context.input.model.nodes.size());
  if (limit("nodes_max") > 0 && nodes > limit("nodes_max")) {
    return Rejection{
        "LIMIT", fmt::format("the model has {} nodes; {} takes at most {}", nodes, place.name(), limit("nodes_max")), {}};
  }
  for (const IoSpec& spec : context.input.model.inputs) {
    const auto rank = static_cast<int64_t>(spec.shape.size());
    if (limit("rank_max") > 0 && rank > limit("rank_max")) {
      return Rejection{
          "LIMIT",
          fmt::format("input \"{}\" has rank {}; {} takes at most {}", spec.name, rank, place.name(), limit("rank_max")),
          {}};
    }
  }
  return std::nullopt;
}

Gate gate_resource_memory(const PlanningContext& context, const Place& place) {
  const uint64_t has = place.resource->memory_bytes;
  const uint64_t needs = estimate_memory_bytes(context.input.model, own_precision(context.input.model));
  if (has == 0 || needs <= has) return std::nullopt;
  return Rejection{"MEMORY",
                   fmt::format("the model needs about {}, {} has {}", format_size_bytes(static_cast<int64_t>(needs)),
                               place.resource->id, format_size_bytes(static_cast<int64_t>(has))),
                   {}};
}

Gate gate_core_set(const PlanningContext& context, const Place& place) {
  const std::string& name = place.engine->info.name;
  if (!runs_isolated(context, place)) {
    if (place.resource->part < 0 || place.engine->info.honours_cpu_set) return std::nullopt;
    return Rejection{"CORE_SET",
                     fmt::format("{} cannot keep its threads on the core set {}; it would need a process of its own, which the "
                                 "policy forbids (isolation = \"none\")",
                                 name, place.resource->id),
                     {}};
  }
  if (!place.engine->plugin_file_digest.empty()) return std::nullopt;
  return Rejection{
      "ISOLATION",
      fmt::format("{} would run in a process of its own, but this program registered it itself: it is no plugin file", name),
      {}};
}

Gate gate_needs_compile(const PlanningContext&, const Place& place) {
  if (!place.facts->capability.needs_compile || place.facts->capability.can_compile) return std::nullopt;
  return Rejection{
      "NEEDS_COMPILE", fmt::format("{} runs compiled artefacts only, and its plugin cannot make them here", place.name()), {}};
}

// No engine offers named kernels yet, so a forced or forbidden one can only be met by leave to do without.
Gate gate_kernels(const PlanningContext& context, const Place& place) {
  const Policy& policy = context.input.policy;
  if (holds(policy.fallback.kernel, kEngineKernel)) return std::nullopt;
  for (const auto& [op, choice] : policy.kernels) {
    if (choice.force.empty() && choice.forbid.empty()) continue;  // a preference that cannot be met is noted in the plan
    const std::string what = choice.force.empty() ? fmt::format("kernels.{} forbids {}", op, join(choice.forbid, ", "))
                                                  : fmt::format("kernels.{} forces {}", op, choice.force);
    return Rejection{"KERNEL",
                     fmt::format("{}, and {} lets no kernel be chosen by name: there are none to be had for {}", what,
                                 place.engine->info.name, op),
                     {}};
  }
  return std::nullopt;
}

// ---- a precision

Gate gate_precision_policy(const PlanningContext& context, const Demand& demand, const Place&, const PrecisionSpec& precision) {
  const PlannerInput& input = context.input;
  if (!demand.precisions.empty()) {
    if (holds(demand.precisions, precision.name)) return std::nullopt;
    return Rejection{"POLICY", fmt::format("the policy asks for {}", join(demand.precisions, " or ")), {}};
  }
  if (keeps_precision(input.model, precision.name)) return std::nullopt;
  // A pin on the whole model forces it as the policy's own list would.
  const bool pinned = std::any_of(context.pins.begin(), context.pins.end(), [&](const SelectedPin& pin) {
    return pin.whole && pin.pin.require && pin.pin.require->precision == precision.name;
  });
  if (pinned && !context.judges_parts) return std::nullopt;
  if (precision.name.starts_with("int")) {
    return Rejection{
        "PRECISION",
        fmt::format("the model is not quantised: ask for {} with --precision, which makes a copy that is", precision.name),
        {}};
  }
  if (input.policy.accuracy.present()) return std::nullopt;
  return Rejection{
      "PRECISION",
      fmt::format("the model is {} and the policy admits no less: set an [accuracy] bound, or ask for {} with --precision",
                  own_precision(input.model), precision.name),
      {}};
}

Gate gate_precision_native(const PlanningContext& context, const Demand& demand, const Place& place,
                           const PrecisionSpec& precision) {
  // An engine speaks of the machine that it was opened on.
  const bool elsewhere = context.input.what_if && !place.facts->assumed && place.resource->kind == ResourceKind::kCpu;
  const bool native = precision.native && (!elsewhere || has_instructions(context.input.machine, precision.name));
  if (native || keeps_precision(context.input.model, precision.name) || demand.precisions.size() == 1) return std::nullopt;
  return Rejection{
      "EMULATED", fmt::format("{} has no {} of its own and would only lose accuracy", place.name(), precision.name), {}};
}

NodeReason reason_for(const ModelFacts& model, uint32_t index, const Verdict& verdict) {
  const NodeFacts& node = model.nodes[index];
  const std::string op = node.domain.empty() ? node.op_type : node.domain + ":" + node.op_type;
  return {node.name, op, verdict.code.empty() ? "UNSUPPORTED_OP" : verdict.code, verdict.text};
}

Rejection unsupported(const Place& place, std::vector<NodeReason> nodes, size_t count, size_t total) {
  const NodeReason& first = nodes.front();
  Rejection rejection{first.code,
                      fmt::format("{} cannot run {} of {} nodes, first {} \"{}\"{}{}", place.name(), count, total, first.op,
                                  first.node, first.reason.empty() ? "" : ": ", first.reason),
                      {}};
  rejection.nodes = std::move(nodes);
  return rejection;
}

Gate judge_verdict(const PlanningContext& context, const Place& place, const GraphVerdict& verdict) {
  if (verdict.graph.kind == VerdictKind::kYes) return std::nullopt;
  const ModelFacts& model = context.input.model;
  std::vector<NodeReason> nodes;
  size_t count = 0;
  const auto look = [&](uint32_t index, const Verdict& node) {
    if (node.kind != VerdictKind::kNo || index >= model.nodes.size()) return;
    if (++count <= kMaxNodeReasons) nodes.push_back(reason_for(model, index, node));
  };
  if (verdict.otherwise.kind == VerdictKind::kNo) {
    size_t listed = 0;
    for (uint32_t index = 0; index < model.nodes.size(); ++index) {
      const bool at = listed < verdict.nodes.size() && verdict.nodes[listed].index == index;
      look(index, at ? verdict.nodes[listed++].verdict : verdict.otherwise);
    }
  } else {
    for (const NodeVerdict& node : verdict.nodes) look(node.index, node.verdict);
  }
  if (count > 0) return unsupported(place, std::move(nodes), count, model.nodes.size());
  if (verdict.graph.kind != VerdictKind::kNo) return std::nullopt;
  return Rejection{
      verdict.graph.code.empty() ? "OTHER" : verdict.graph.code,
      fmt::format("{} refuses the model{}{}", place.name(), verdict.graph.text.empty() ? "" : ": ", verdict.graph.text),
      {}};
}

// Without an answer for this model, what the engine lists is all there is to go by.
Gate judge_listed_ops(const PlanningContext& context, const Place& place) {
  const Capability& capability = place.facts->capability;
  if (capability.ops_probed || capability.ops.empty()) return std::nullopt;
  const ModelFacts& model = context.input.model;
  std::map<std::pair<std::string_view, std::string_view>, const OpSpec*> known;
  for (const OpSpec& op : capability.ops)
    known.emplace(std::pair<std::string_view, std::string_view>(op.domain, op.op_type), &op);
  std::vector<NodeReason> nodes;
  size_t count = 0;
  for (uint32_t index = 0; index < model.nodes.size(); ++index) {
    const NodeFacts& node = model.nodes[index];
    const auto found = known.find({node.domain, node.op_type});
    const auto opset = model.opsets.find(node.domain);
    Verdict verdict{VerdictKind::kNo, "", "", -1};
    if (found == known.end()) {
      verdict.code = "UNSUPPORTED_OP";
      verdict.text = fmt::format("{} has no {}", place.engine->info.name, node.op_type);
    } else if (opset != model.opsets.end() && (opset->second < found->second->min_opset ||
                                               (found->second->max_opset > 0 && opset->second > found->second->max_opset))) {
      verdict.code = "OPSET";
      verdict.text =
          fmt::format("opset {} is outside {} to {}", opset->second, found->second->min_opset, found->second->max_opset);
    } else {
      continue;
    }
    if (++count <= kMaxNodeReasons) nodes.push_back(reason_for(model, index, verdict));
  }
  if (count == 0) return std::nullopt;
  return unsupported(place, std::move(nodes), count, model.nodes.size());
}

Gate gate_support(const PlanningContext& context, const Demand&, const Place& place, const PrecisionSpec& precision) {
  const VerdictRow* row = context.verdict(place.engine->info.name, place.resource->id, precision.name);
  if (row != nullptr) return judge_verdict(context, place, row->verdict);
  return judge_listed_ops(context, place);
}

// An engine that was not asked might run anything. One that can only say when it loads is read back then, and what comes out
// otherwise is refused.
Gate gate_unknown_support(const PlanningContext& context, const Demand&, const Place& place, const PrecisionSpec& precision) {
  const VerdictRow* row = context.verdict(place.engine->info.name, place.resource->id, precision.name);
  if (row != nullptr || place.facts->assumed || precision.name == own_precision(context.input.model)) return std::nullopt;
  return Rejection{"UNVERIFIED",
                   fmt::format("{} was not asked what it runs at {}; until that is known only {} is admitted", place.name(),
                               precision.name, own_precision(context.input.model)),
                   {}};
}

constexpr std::array<EngineGate, 2> kEngineGates = {gate_engine_policy, gate_engine_present};
constexpr std::array<ResourceGate, 3> kResourceGates = {gate_resource_target, gate_resource_rules, gate_resource_simulated};
constexpr std::array<PlaceGate, 9> kPlaceGates = {gate_compile_only,   gate_format,        gate_boundary_dtypes,
                                                  gate_dynamic_shapes, gate_limits,        gate_resource_memory,
                                                  gate_core_set,       gate_needs_compile, gate_kernels};
constexpr std::array<PrecisionGate, 4> kPrecisionGates = {gate_precision_policy, gate_precision_native, gate_support,
                                                          gate_unknown_support};

}  // namespace

Isolation asked_isolation(const Policy& policy, const std::string& engine) {
  const auto own = policy.engines.isolation.find(engine);
  return own != policy.engines.isolation.end() ? own->second : policy.execution.isolation;
}

bool runs_isolated(const PlanningContext& context, const Place& place) {
  const Isolation asked = asked_isolation(context.input.policy, place.engine->info.name);
  if (asked != Isolation::kAuto) return asked == Isolation::kProcess;
  // Nobody can see what a closed library does to the process it is in. One that this program registered itself stays here.
  if (place.engine->info.closed && !place.engine->plugin_file_digest.empty()) return true;
  return place.resource->part >= 0 && !place.engine->info.honours_cpu_set;
}

std::span<const EngineGate> engine_gates() { return kEngineGates; }
std::span<const ResourceGate> resource_gates() { return kResourceGates; }
std::span<const PlaceGate> place_gates() { return kPlaceGates; }
std::span<const PrecisionGate> precision_gates() { return kPrecisionGates; }

}  // namespace axle
