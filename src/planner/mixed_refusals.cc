#include "planner/mixed_refusals.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/text.h"
#include "planner/precision.h"
#include "planner/prepared_shapes.h"

namespace axle {
namespace {

std::string op_name(const NodeFacts& node) { return node.domain.empty() ? node.op_type : node.domain + ":" + node.op_type; }

// What engines say may run over many lines; a reason is a sentence.
std::string in_one_line(const std::string& text) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(text, '\n')) {
    if (!trim(line).empty()) lines.emplace_back(trim(line));
  }
  return join(lines, " ");
}

bool is_pinned_elsewhere(const Verdict& why) { return why.code == "PIN" || why.code == "KERNEL"; }

class Refusals {
 public:
  Refusals(const PlanningContext& context, const std::vector<PartPlace>& places, const CutUnits& units,
           const std::vector<int32_t>& uncovered)
      : context_(context), model_(context.input.model), places_(places) {
    bound_ = units.nodes[static_cast<size_t>(uncovered.front())];
    for (const int32_t u : uncovered) {
      for (const int32_t n : units.nodes[static_cast<size_t>(u)]) {
        // Members of a unit that every place takes are not what stands in the way.
        if (std::any_of(places.begin(), places.end(), [&](const PartPlace& at) { return !at.mask.takes(n); }))
          nodes_.push_back(n);
      }
    }
  }

  std::vector<Decision> explain() {
    std::vector<Decision> decisions;
    for (const SelectedPin& pin : context_.pins) {
      const bool at_fault =
          pin.pin.require && std::any_of(nodes_.begin(), nodes_.end(), [&](int32_t n) { return pin.selects(n); });
      if (at_fault) decisions.push_back(explain_pin(pin));
    }
    std::vector<NodeReason> reasons;
    for (const int32_t n : nodes_) {
      if (reasons.size() == kMaxNodeReasons) break;
      reasons.push_back(reason_of(n));
    }
    const NodeReason first = reasons.front();
    if (decisions.empty() && std::all_of(nodes_.begin(), nodes_.end(), [&](int32_t n) { return has_place(n); })) {
      decisions.push_back(mixed_rejection("mixed", "NO_CUT", bound_text(), std::move(reasons)));
      return decisions;
    }
    decisions.push_back(
        mixed_rejection("mixed", decisions.empty() ? first.code : "PIN",
                        fmt::format("no place takes {} of {} nodes, also when engines are mixed, first {} \"{}\": {}",
                                    nodes_.size(), model_.nodes.size(), first.op, first.node, first.reason),
                        std::move(reasons)));
    return decisions;
  }

 private:
  bool has_place(int32_t n) const {
    return std::any_of(places_.begin(), places_.end(), [&](const PartPlace& at) { return at.mask.takes(n); });
  }

  // Each node has a place, but what must stay together has none in common.
  std::string bound_text() const {
    std::vector<std::string> said;
    for (const PartPlace& at : places_) {
      const auto refused = std::find_if(bound_.begin(), bound_.end(), [&](int32_t n) { return !at.mask.takes(n); });
      if (refused == bound_.end()) continue;
      said.push_back(fmt::format("{} refuses \"{}\": {}", at.name(), model_.nodes[static_cast<size_t>(*refused)].name,
                                 at.mask.refusal(*refused)->text));
    }
    return fmt::format("{} nodes from \"{}\" to \"{}\" must stay together, and no place takes all of them: {}", bound_.size(),
                       model_.nodes[static_cast<size_t>(bound_.front())].name,
                       model_.nodes[static_cast<size_t>(bound_.back())].name, join(said, "; "));
  }

  // What every place says of a node: an engine's own words before a pin that rules it out.
  NodeReason reason_of(int32_t n) const {
    std::vector<std::string> own, pinned;
    std::string code = "PIN";
    for (const PartPlace& at : places_) {
      const Verdict* why = at.mask.refusal(n);
      if (why == nullptr) continue;
      (is_pinned_elsewhere(*why) ? pinned : own).push_back(at.name() + ": " + (why->text.empty() ? why->code : why->text));
      if (why->code != "PIN") code = why->code;
    }
    own.insert(own.end(), pinned.begin(), pinned.end());
    const NodeFacts& node = model_.nodes[static_cast<size_t>(n)];
    return {node.name, op_name(node), code.empty() ? "UNSUPPORTED_OP" : code, join(own, "; ")};
  }

  Decision explain_pin(const SelectedPin& pin) const {
    std::vector<NodeReason> reasons;
    std::vector<std::string> able;
    bool any_place = false;
    for (const PartPlace& at : places_) {
      const bool wanted = meets(*pin.pin.require, at.on.candidate, *at.on.place.resource);
      any_place |= wanted;
      const SupportMask answered = answered_mask(context_, at.on.place, at.on.candidate.precision);
      bool all = true;
      for (const int32_t n : nodes_) {
        if (!pin.selects(n)) continue;
        all &= answered.takes(n);
        const Verdict* why = wanted ? at.mask.refusal(n) : nullptr;
        if (why == nullptr || reasons.size() == kMaxNodeReasons) continue;
        const NodeFacts& node = model_.nodes[static_cast<size_t>(n)];
        reasons.push_back({node.name, op_name(node), why->code, at.name() + ": " + why->text});
      }
      if (!wanted && all) able.push_back(at.name());
    }
    std::string why = "no engine and resource that the policy admits here is that";
    if (any_place)
      why = reasons.empty() ? "what must stay together with its nodes does not run there"
                            : fmt::format("{} \"{}\" cannot run there: {}", reasons.front().op, reasons.front().node,
                                          reasons.front().reason);
    const std::string instead = able.empty() ? "nothing else here could run them either"
                                             : fmt::format("{} could: let the pin admit it", join(able, " or "));
    return mixed_rejection(fmt::format("pin {}", pin.number), "PIN",
                           fmt::format("it requires {}; {}; {}", target_text(*pin.pin.require), why, instead),
                           std::move(reasons));
  }

  const PlanningContext& context_;
  const ModelFacts& model_;
  const std::vector<PartPlace>& places_;
  std::vector<int32_t> nodes_;  // that some place refuses
  std::vector<int32_t> bound_;  // the first unit that no place takes
};

}  // namespace

Decision mixed_rejection(std::string candidate, std::string code, const std::string& reason, std::vector<NodeReason> nodes) {
  Decision decision;
  decision.candidate = std::move(candidate);
  decision.code = std::move(code);
  decision.reason = in_one_line(reason);
  decision.nodes = std::move(nodes);
  return decision;
}

std::vector<Decision> explain_uncovered(const PlanningContext& context, const std::vector<PartPlace>& places,
                                        const CutUnits& units, const std::vector<int32_t>& uncovered) {
  return Refusals(context, places, units, uncovered).explain();
}

Decision explain_no_cut(bool whole) {
  return mixed_rejection(
      "mixed", "NO_CUT",
      whole
          ? "one place takes all of it, and no second can take a part"
          : "every node has a place, but no cut between them can be made: where places would change, the tensors are of a type "
            "that one of the two does not hand over");
}

uint64_t weight_bytes(const ModelFacts& model, int32_t node, const std::string& precision) {
  const uint64_t own = std::min<uint64_t>(model.nodes[static_cast<size_t>(node)].weight_bytes, uint64_t{1} << 50);
  return own * static_cast<uint64_t>(precision_bits(precision)) / static_cast<uint64_t>(precision_bits(own_precision(model)));
}

std::string overfull(const PlanningContext& context, const MixedPlan& mixed) {
  std::map<std::string, uint64_t> held;
  const uint64_t copies = prepared_shapes(context.input).size();
  for (const MixedPart& part : mixed.parts) {
    const std::string whole = whole_resource(part.on.candidate.resource);
    uint64_t& bytes = held[whole];
    for (const int32_t n : part.nodes) bytes += copies * weight_bytes(*mixed.model, n, part.on.candidate.precision);
    const uint64_t has = part.on.place.resource->memory_bytes;
    if (has == 0 || bytes <= has) continue;
    return fmt::format("its parts on {} would hold about {} of weights, and it has {}", whole,
                       format_size_bytes(static_cast<int64_t>(bytes)), format_size_bytes(static_cast<int64_t>(has)));
  }
  return "";
}

std::string why_not_demanded(const PlanningContext& context, const std::vector<PartPlace>& places,
                             const std::vector<int32_t>& nodes) {
  for (const int32_t n : nodes) {
    for (const PartPlace& at : places) {
      const Verdict* why = at.fallback ? nullptr : at.mask.refusal(n);
      if (why == nullptr) continue;
      const NodeFacts& node = context.input.model.nodes[static_cast<size_t>(n)];
      return fmt::format("{} cannot run {} \"{}\"{}{}", at.name(), op_name(node), node.name, why->text.empty() ? "" : ": ",
                         why->text);
    }
  }
  return "";
}

}  // namespace axle
