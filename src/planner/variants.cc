// Gates on variants: copies of the model at another precision, which a converter made before anything was planned.
#include <fmt/format.h>

#include <algorithm>

#include "planner/gates.h"
#include "planner/precision.h"

namespace axle {
namespace {

bool holds(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool pinned_to(const PlanningContext& context, const std::string& precision) {
  return std::any_of(context.pins.begin(), context.pins.end(), [&](const SelectedPin& pin) {
    return pin.whole && pin.pin.require && pin.pin.require->precision == precision;
  });
}

Rejection refused(const Place& place, const VariantVerdict& verdict) {
  Rejection rejection{
      verdict.code.empty() ? "OTHER" : verdict.code,
      fmt::format("{} refuses the copy of the model{}{}", place.name(), verdict.text.empty() ? "" : ": ", verdict.text),
      verdict.nodes};
  return rejection;
}

}  // namespace

std::string variant_text(const VariantFacts& facts) {
  return facts.precision + "~" + (facts.prepared() ? facts.variant.name() : facts.variant.kind);
}

Gate gate_variant(const PlanningContext& context, const Demand& demand, const Place& place, const PrecisionSpec& precision,
                  const VariantFacts& facts) {
  const std::string& wanted = facts.precision;
  if (!demand.precisions.empty() ? !holds(demand.precisions, wanted)
                                 : !context.input.policy.accuracy.present() && !pinned_to(context, wanted))
    return Rejection{"POLICY", fmt::format("the policy does not ask for {}", wanted), {}};
  // Forced it runs slower than f32, unless the policy names what may stand in: that is better.
  if (!precision.native && (demand.precisions.size() != 1 || !context.input.policy.fallback.precision.empty()))
    return Rejection{"EMULATED", fmt::format("{} has no {} of its own and would only lose accuracy", place.name(), wanted), {}};
  if (!facts.prepared()) return Rejection{facts.code, facts.reason, {}};
  const std::string name = facts.variant.name(), whole = whole_resource(place.resource->id);
  const auto& verdicts = context.input.variant_verdicts;
  const auto verdict = std::find_if(verdicts.begin(), verdicts.end(), [&](const VariantVerdict& v) {
    return v.engine == place.engine->info.name && v.resource == whole && v.variant == name;
  });
  if (verdict == verdicts.end())
    return Rejection{"UNVERIFIED", fmt::format("{} was not asked whether it runs {}", place.name(), name), {}};
  if (!verdict->taken) return refused(place, *verdict);
  return std::nullopt;
}

}  // namespace axle
