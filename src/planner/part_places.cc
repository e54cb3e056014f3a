#include "planner/part_places.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "planner/choose.h"
#include "planner/enumerate.h"
#include "planner/precision.h"
#include "policy/policy_values.h"

namespace axle {
namespace {

// The facts without the graph: what remains of the gates judges engines, resources, precisions, presets and threads.
PlannerInput without_graph(const PlannerInput& input) {
  PlannerInput plain = input;
  ModelFacts& model = plain.model;
  for (auto* specs : {&model.inputs, &model.outputs}) specs->clear();
  model.nodes.clear();
  model.tensors.clear();
  model.shared_weights.clear();
  model.flops = model.weight_bytes = model.activation_bytes = 0;
  for (VerdictRow& row : plain.verdicts) {
    row.verdict = {};
    row.verdict.graph.kind = row.verdict.otherwise.kind = VerdictKind::kYes;
  }
  plain.variants.clear();  // their nodes are not the model's
  plain.policy.constraints = {};
  if (plain.policy.tuning.evidence == EvidenceUse::kRequire) plain.policy.tuning.evidence = EvidenceUse::kUse;
  return plain;
}

struct Ground {
  explicit Ground(const PlanningContext& context)
      : input(without_graph(context.input)), parts(input, context.machine, context.pins) {
    parts.judges_parts = true;
  }
  PlannerInput input;
  PlanningContext parts;
};

// Precisions that pins force on nodes of theirs.
std::set<std::string> pinned_precisions(const PlanningContext& context) {
  std::set<std::string> names;
  for (const SelectedPin& pin : context.pins) {
    if (pin.pin.require && !pin.pin.require->precision.empty()) names.insert(pin.pin.require->precision);
  }
  return names;
}

// What was demanded, then the same at each precision that some pin forces.
std::vector<Demand> with_pinned_precisions(const PlanningContext& context, const Demand& demand) {
  std::vector<Demand> demands = {demand};
  for (const std::string& precision : pinned_precisions(context)) {
    if (demand.precisions.empty() ? keeps_precision(context.input.model, precision)
                                  : demand.precisions == std::vector<std::string>{precision})
      continue;
    Demand forced = demand;
    forced.precisions = {precision};
    demands.push_back(std::move(forced));
  }
  return demands;
}

// At a precision that only pins admit, only their nodes run.
void keep_pinned_nodes(const PlanningContext& context, const std::string& precision, SupportMask& mask) {
  std::vector<bool> pinned(context.input.model.nodes.size(), false);
  for (const SelectedPin& pin : context.pins) {
    if (!pin.pin.require || pin.pin.require->precision != precision) continue;
    for (const int32_t node : pin.nodes) pinned[static_cast<size_t>(node)] = true;
  }
  const Verdict* why = mask.keep({VerdictKind::kNo, "PRECISION", precision + " is admitted only where a pin requires it", -1});
  for (size_t n = 0; n < pinned.size(); ++n) {
    if (!pinned[n]) mask.refuse(static_cast<int32_t>(n), why);
  }
}

class PlaceFinder {
 public:
  PlaceFinder(const PlanningContext& context, Ground& ground) : context_(context), ground_(ground) {}

  Status add(const Demand& demand, bool by_pins, bool fallback) {
    AXLE_ASSIGN_OR_RETURN(Field field, enumerate(ground_.parts, demand));
    std::map<std::tuple<std::string, std::string, std::string>, std::vector<Considered>> groups;
    for (Considered& considered : field.measurable) {
      const Candidate& c = considered.candidate;
      groups[{c.engine, c.resource, c.precision}].push_back(std::move(considered));
    }
    for (auto& [key, group] : groups) {
      if (!seen_.insert(key).second) continue;
      const size_t best = choose(ground_.parts, demand, group).chosen;
      PartPlace place{group[best], answered_mask(context_, group[best].place, group[best].candidate.precision), fallback};
      apply_pins(context_, place.on.candidate, *place.on.place.resource, place.mask);
      if (by_pins) keep_pinned_nodes(context_, place.on.candidate.precision, place.mask);
      places.push_back(std::move(place));
    }
    return ok_status();
  }

  std::vector<PartPlace> places;

 private:
  const PlanningContext& context_;
  Ground& ground_;
  std::set<std::tuple<std::string, std::string, std::string>> seen_;
};

}  // namespace

Result<PartPlaces> find_part_places(const PlanningContext& context, const std::vector<Demand>& demands) {
  const auto ground = std::make_shared<Ground>(context);
  PlaceFinder finder(context, *ground);
  for (size_t rank = 0; rank < demands.size(); ++rank) {
    const std::vector<Demand> variants = with_pinned_precisions(context, demands[rank]);
    for (size_t i = 0; i < variants.size(); ++i) AXLE_RETURN_IF_ERROR(finder.add(variants[i], i > 0, rank > 0));
  }
  std::stable_sort(finder.places.begin(), finder.places.end(), [&](const PartPlace& a, const PartPlace& b) {
    if (a.fallback != b.fallback) return b.fallback;
    return simpler(ground->parts, a.on, b.on);
  });
  // What takes nothing stays as far as there is room: it has the reasons.
  std::stable_partition(finder.places.begin(), finder.places.end(), [](const PartPlace& p) { return p.mask.count() > 0; });
  if (finder.places.size() > kMaxPartPlaces) finder.places.erase(finder.places.begin() + kMaxPartPlaces, finder.places.end());
  return PartPlaces{ground, std::move(finder.places)};
}

}  // namespace axle
