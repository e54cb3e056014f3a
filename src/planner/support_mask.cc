#include "planner/support_mask.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "policy/policy_values.h"

namespace axle {
namespace {

// The engine's own words for an operator that it does not list, or not at this opset; OK when it does.
std::optional<Verdict> judge_listed(const ModelFacts& model, const NodeFacts& node, const std::string& engine,
                                    const std::map<std::pair<std::string_view, std::string_view>, const OpSpec*>& known) {
  const auto found = known.find({node.domain, node.op_type});
  if (found == known.end())
    return Verdict{VerdictKind::kNo, "UNSUPPORTED_OP", fmt::format("{} has no {}", engine, node.op_type), -1};
  const auto opset = model.opsets.find(node.domain);
  const OpSpec& op = *found->second;
  if (opset == model.opsets.end()) return std::nullopt;
  if (opset->second >= op.min_opset && (op.max_opset <= 0 || opset->second <= op.max_opset)) return std::nullopt;
  return Verdict{VerdictKind::kNo, "OPSET",
                 fmt::format("opset {} is outside {} to {}", opset->second, op.min_opset, op.max_opset), -1};
}

void apply_listed_ops(const PlanningContext& context, const Place& place, SupportMask& mask) {
  const Capability& capability = place.facts->capability;
  if (capability.ops_probed || capability.ops.empty()) return;
  std::map<std::pair<std::string_view, std::string_view>, const OpSpec*> known;
  for (const OpSpec& op : capability.ops)
    known.emplace(std::pair<std::string_view, std::string_view>(op.domain, op.op_type), &op);
  const ModelFacts& model = context.input.model;
  std::map<std::pair<std::string_view, std::string_view>, const Verdict*> said;
  for (size_t n = 0; n < model.nodes.size(); ++n) {
    const NodeFacts& node = model.nodes[n];
    const auto [at, fresh] = said.emplace(std::pair<std::string_view, std::string_view>(node.domain, node.op_type), nullptr);
    if (fresh) {
      if (auto verdict = judge_listed(model, node, place.engine->info.name, known)) at->second = mask.keep(std::move(*verdict));
    }
    if (at->second != nullptr) mask.refuse(static_cast<int32_t>(n), at->second);
  }
}

void apply_answer(const GraphVerdict& answer, size_t nodes, SupportMask& mask) {
  bool any = false, all = true;
  size_t listed = 0;
  for (uint32_t n = 0; n < nodes; ++n) {
    const bool at = listed < answer.nodes.size() && answer.nodes[listed].index == n;
    const Verdict& verdict = at ? answer.nodes[listed++].verdict : answer.otherwise;
    if (verdict.kind == VerdictKind::kNo) {
      mask.refuse(static_cast<int32_t>(n), &verdict);
      any = true;
    } else {
      all = false;
    }
  }
  if (any || all || answer.graph.kind != VerdictKind::kNo) return;
  const Verdict* why = mask.keep({VerdictKind::kNo, answer.graph.code.empty() ? "OTHER" : answer.graph.code,
                                  fmt::format("it refuses the model and does not say which nodes stand in the way{}{}",
                                              answer.graph.text.empty() ? "" : ": ", answer.graph.text),
                                  -1});
  for (size_t n = 0; n < nodes; ++n) mask.refuse(static_cast<int32_t>(n), why);
}

}  // namespace

size_t SupportMask::count() const { return static_cast<size_t>(std::count(refusals_.begin(), refusals_.end(), nullptr)); }

void SupportMask::refuse(int32_t node, const Verdict* why) {
  const Verdict*& known = refusals_[static_cast<size_t>(node)];
  if (known == nullptr) known = why;
}

const Verdict* SupportMask::keep(Verdict why) {
  return kept_.emplace_back(std::make_unique<const Verdict>(std::move(why))).get();
}

SupportMask answered_mask(const PlanningContext& context, const Place& place, const std::string& precision) {
  SupportMask mask(context.input.model.nodes.size());
  if (const VerdictRow* row = context.verdict(place.engine->info.name, place.resource->id, precision); row != nullptr)
    apply_answer(row->verdict, context.input.model.nodes.size(), mask);
  else
    apply_listed_ops(context, place, mask);
  return mask;
}

void apply_pins(const PlanningContext& context, const Candidate& candidate, const Resource& resource, SupportMask& mask) {
  const auto& fallback = context.input.policy.fallback.kernel;
  const bool any_kernel = std::find(fallback.begin(), fallback.end(), kEngineKernel) != fallback.end();
  for (const SelectedPin& pin : context.pins) {
    const auto refuse_all = [&](const char* code, std::string text) {
      const Verdict* why = mask.keep({VerdictKind::kNo, code, std::move(text), -1});
      for (const int32_t node : pin.nodes) mask.refuse(node, why);
    };
    if (pin.pin.require && !meets(*pin.pin.require, candidate, resource))
      refuse_all("PIN", pin.text("requires", *pin.pin.require));
    if (pin.pin.forbid && pin.pin.forbid->kernel.empty() && meets(*pin.pin.forbid, candidate, resource))
      refuse_all("PIN", pin.text("forbids", *pin.pin.forbid));
    for (const auto* target : {&pin.pin.require, &pin.pin.forbid}) {
      if (!*target || (*target)->kernel.empty() || any_kernel) continue;
      if (target == &pin.pin.forbid && !meets(**target, candidate, resource)) continue;
      refuse_all("KERNEL",
                 fmt::format("{}, and {} lets no kernel be chosen by name",
                             pin.text(target == &pin.pin.require ? "requires" : "forbids", **target), candidate.engine));
    }
  }
}

std::vector<int32_t> unmet_preferences(const PlanningContext& context, const Candidate& candidate, const Resource& resource) {
  std::vector<int32_t> unmet(context.input.model.nodes.size(), 0);
  for (const SelectedPin& pin : context.pins) {
    if (!pin.pin.prefer || meets(*pin.pin.prefer, candidate, resource)) continue;
    for (const int32_t node : pin.nodes) ++unmet[static_cast<size_t>(node)];
  }
  return unmet;
}

}  // namespace axle
