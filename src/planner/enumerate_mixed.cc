// From support masks to the cheapest mixed plan: units, costs, search, and what stands in the way where there is none.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "planner/constant_nodes.h"
#include "planner/copy_ground.h"
#include "planner/cut_search.h"
#include "planner/cut_units.h"
#include "planner/enumerate.h"
#include "planner/mixed_costs.h"
#include "planner/mixed_plan.h"
#include "planner/mixed_refusals.h"
#include "planner/part_places.h"
#include "planner/pipeline_search.h"
#include "planner/precision.h"
#include "planner/prepared_shapes.h"
#include "planner/split_search.h"

namespace axle {
namespace {

class MixedSearch {
 public:
  MixedSearch(const PlanningContext& context, const std::vector<Demand>& demands)
      : context_(context), whole_(context), model_(context.input.model), demands_(demands) {}
  // Of a copy of the model that `whole` plans for.
  MixedSearch(std::shared_ptr<const CopyGround> copy, const PlanningContext& whole, const std::vector<Demand>& demands)
      : context_(copy->context), whole_(whole), model_(copy->input.model), demands_(demands), copy_(std::move(copy)) {}

  // Each part on a resource of its own: a pipeline or a split.
  Result<Field> run_scheduled(PartsRun parts_run) {
    run_ = parts_run;
    if (model_.format != "onnx" || model_.nodes.size() < 2 || model_.tensors.empty()) return refuse_schedule();
    AXLE_ASSIGN_OR_RETURN(places_, find_part_places(context_, demands_));
    keep_disjoint_places();
    std::map<std::string, int32_t> resources;
    std::vector<int32_t> resource_of;
    for (const PartPlace& at : places_.places)
      resource_of.push_back(resources.emplace(at.on.candidate.resource, static_cast<int32_t>(resources.size())).first->second);
    if (resources.size() < 2) return refuse_schedule();
    units_ = make_cut_units(model_, groups());
    make_problem();
    const std::optional<CutPlan> found = run_ == PartsRun::kStages
                                             ? search_pipeline(problem_, resource_of)
                                             : search_split(problem_, resource_of, memory_of(resource_of, resources.size()));
    if (!found) return refuse_schedule();
    judge_parts(considered_of(*found));
    return std::move(field_);
  }

  Result<Field> run() {
    if (model_.format != "onnx" || model_.nodes.size() < 2 || model_.tensors.empty()) return Field{};
    AXLE_ASSIGN_OR_RETURN(places_, find_part_places(context_, demands_));
    if (places_.places.empty() || (places_.places.size() < 2 && context_.pins.empty())) return Field{};
    units_ = make_cut_units(model_, groups());
    make_problem();
    const std::vector<int32_t> uncovered = uncovered_units(problem_);
    if (!uncovered.empty()) {
      field_.decisions = explain_uncovered(context_, places_.places, units_, uncovered);
      return std::move(field_);
    }
    if (places_.places.size() < 2) return std::move(field_);
    const CutFound found = search_cuts(problem_);
    if (!found.mixed)
      field_.decisions = {explain_no_cut(found.best.has_value())};
    else if (uses_demanded(*found.mixed))
      judge_parts(considered_of(*found.mixed));
    return std::move(field_);
  }

 private:
  // Where parts of a split may run, the whole of which they are parts may not.
  void keep_disjoint_places() {
    std::set<std::string> divided;
    for (const PartPlace& at : places_.places) {
      if (at.on.place.resource->part >= 0) divided.insert(whole_resource(at.on.candidate.resource));
    }
    std::erase_if(places_.places, [&](const PartPlace& at) { return divided.contains(at.on.candidate.resource); });
  }

  Field refuse_schedule() const {
    std::set<std::string> resources;
    for (const PartPlace& at : places_.places) resources.insert(at.on.candidate.resource);
    const bool split = run_ == PartsRun::kSplit;
    const char* word = split ? "split" : "pipeline";
    Field field;
    field.decisions = {mixed_rejection(
        word, "SCHEDULE",
        resources.size() < 2 ? fmt::format("a {} needs two resources that share nothing, and a graph of two nodes at least; "
                                           "parts of the model may run on {}",
                                           word, resources.empty() ? "none" : *resources.begin())
        : split              ? "no cut of this graph gives each resource a part that it can run and has the memory for"
                             : "no cut of this graph gives each resource a stage that it can run")};
    return field;
  }

  // What each place would hold of each unit, and what its resource has room for.
  SplitMemory memory_of(const std::vector<int32_t>& resource_of, size_t resources) const {
    SplitMemory memory;
    memory.unit_bytes.assign(problem_.unit_ns.size(), 0);
    memory.capacity_bytes.assign(resources, 0);
    const uint64_t copies = prepared_shapes(context_.input).size();  // each prepared shape holds weights of its own
    for (int32_t p = 0; p < problem_.places; ++p) {
      const Considered& on = place(p).on;
      memory.capacity_bytes[static_cast<size_t>(resource_of[static_cast<size_t>(p)])] = on.place.resource->memory_bytes;
      for (int32_t u = 0; u < problem_.units; ++u) {
        uint64_t& bytes = memory.unit_bytes[problem_.cell(u, p)];
        for (const int32_t n : units_.nodes[static_cast<size_t>(u)])
          bytes += copies * weight_bytes(model_, n, on.candidate.precision);
      }
    }
    return memory;
  }

  size_t count() const { return places_.places.size(); }
  const PartPlace& place(int32_t index) const { return places_.places[static_cast<size_t>(index)]; }

  // Nodes that some engine runs together or not at all.
  std::vector<std::vector<int32_t>> groups() const {
    std::vector<std::vector<int32_t>> all;
    for (const PartPlace& at : places_.places) {
      const Candidate& c = at.on.candidate;
      const VerdictRow* row = context_.verdict(c.engine, c.resource, c.precision);
      if (row == nullptr) continue;
      std::map<int32_t, std::vector<int32_t>> mine;
      for (const NodeVerdict& node : row->verdict.nodes) {
        if (node.verdict.kind == VerdictKind::kNeedsGroup && node.verdict.group >= 0)
          mine[node.verdict.group].push_back(static_cast<int32_t>(node.index));
      }
      for (auto& [group, nodes] : mine) all.push_back(std::move(nodes));
    }
    return all;
  }

  void make_problem() {
    problem_.units = static_cast<int32_t>(units_.nodes.size());
    problem_.places = static_cast<int32_t>(count());
    problem_.tensors = units_.tensors;
    made_bytes_ = output_bytes(model_);
    problem_.unit_ns.assign(units_.nodes.size() * count(), 0);
    true_ns_ = problem_.unit_ns;
    problem_.in_ns.assign(units_.tensors.size() * count(), 0);
    problem_.out_ns = problem_.in_ns;
    const std::vector<PlaceScale> scale = place_scales(context_, places_.places);
    for (int32_t p = 0; p < problem_.places; ++p) {
      problem_.launch_ns.push_back(kPartNs + static_cast<int64_t>(place_roofline(context_, place(p).on).call_ns));
      fill_units(p, scale[static_cast<size_t>(p)]);
      for (int32_t t = 0; t < static_cast<int32_t>(units_.tensors.size()); ++t) {
        const TensorFacts& facts = model_.tensors[static_cast<size_t>(units_.facts_of[static_cast<size_t>(t)])];
        problem_.in_ns[problem_.cell(t, p)] = crossing_ns(context_, place(p), facts, true);
        problem_.out_ns[problem_.cell(t, p)] = crossing_ns(context_, place(p), facts, false);
      }
    }
    keep_fallbacks_for_the_rest();
  }

  // A preference that is not met costs 1 %, which is what ties are decided within.
  void fill_units(int32_t p, const PlaceScale& scale) {
    const Considered& on = place(p).on;
    const Roofline roof = place_roofline(context_, on);
    const std::vector<int32_t> unmet = unmet_preferences(context_, on.candidate, *on.place.resource);
    for (int32_t u = 0; u < problem_.units; ++u) {
      int64_t ns = 0, penalty = 0;
      bool takes = true;
      for (const int32_t n : units_.nodes[static_cast<size_t>(u)]) {
        const auto at = static_cast<size_t>(n);
        int64_t node_ns = estimate_node_ns(model_, model_.nodes[at], made_bytes_[at], roof, on.candidate.precision);
        node_ns = std::clamp<int64_t>(scale.apply(node_ns == 0 ? kUnknownNodeNs : node_ns), 1, kLongestNodeNs);
        ns += node_ns;
        penalty += unmet[static_cast<size_t>(n)] > 0 ? node_ns / 100 + 1 : 0;
        takes = takes && place(p).mask.takes(n);
      }
      true_ns_[problem_.cell(u, p)] = std::min(ns, kLongestNodeNs);
      problem_.unit_ns[problem_.cell(u, p)] = takes ? std::min(ns + penalty, kLongestNodeNs) : kNoWay;
    }
  }

  // A fallback stands in for what cannot be had as demanded, and for nothing else.
  void keep_fallbacks_for_the_rest() {
    for (int32_t u = 0; u < problem_.units; ++u) {
      bool demanded = false;
      for (int32_t p = 0; p < problem_.places; ++p) demanded |= !place(p).fallback && problem_.takes(u, p);
      for (int32_t p = 0; demanded && p < problem_.places; ++p) {
        if (place(p).fallback) problem_.unit_ns[problem_.cell(u, p)] = kNoWay;
      }
    }
  }

  bool uses_demanded(const CutPlan& plan) const {
    return std::any_of(plan.parts.begin(), plan.parts.end(), [&](const CutPart& part) { return !place(part.place).fallback; });
  }

  // ---- when it works

  Considered considered_of(const CutPlan& cut) {
    auto mixed = std::make_shared<MixedPlan>();
    mixed->keeps = {places_.keeps, copy_};
    mixed->model = &model_;
    mixed->exact = cut.exact;
    mixed->run = run_;
    std::vector<int32_t> part_of(model_.nodes.size(), -1);
    for (const CutPart& part : cut.parts) add_part(part, *mixed, part_of);
    add_tensors(part_of, *mixed);
    for (MixedPart& part : mixed->parts) {
      auto needed = constants_.needed(part.nodes, part.outputs);
      if (needed.empty()) continue;
      part.nodes = std::move(needed);
      std::erase_if(part.own, [&](int32_t n) { return !std::ranges::binary_search(part.nodes, n); });
    }
    for (const MixedPart& part : mixed->parts) mixed->expected_ns += part.expected_ns;
    mixed->preferences_met = preferences_met(*mixed, part_of);
    Considered considered = mixed->parts.front().on;
    considered.evidence = {};
    considered.mixed = mixed;
    const std::vector<Partition> partitions = mixed_partitions(context_, considered);
    mixed->name = plan_name(partitions);
    for (const MixedPart& part : mixed->parts) {
      if (precision_distance(model_, part.on.candidate.precision) > precision_distance(model_, considered.candidate.precision))
        considered.candidate = part.on.candidate;
      considered.changes_numerics |= part.on.changes_numerics;
    }
    considered.estimate_ns = mixed->expected_ns;
    considered.estimate_bytes = memory_bytes(*mixed, part_of);
    const bool simulated = std::any_of(partitions.begin(), partitions.end(), [](const Partition& p) { return p.simulated; });
    considered.evidence = whole_.evidence.find(mixed->name, plan_library_digest(partitions), simulated);
    considered.gated = needs_accuracy_gate(whole_, demands_.front(), considered);
    return considered;
  }

  void add_part(const CutPart& cut, MixedPlan& mixed, std::vector<int32_t>& part_of) {
    MixedPart part;
    part.on = place(cut.place).on;
    part.expected_ns = problem_.launch_ns[static_cast<size_t>(cut.place)];
    part.fallback = place(cut.place).fallback;
    for (const int32_t u : cut.units) {
      const auto& nodes = units_.nodes[static_cast<size_t>(u)];
      part.nodes.insert(part.nodes.end(), nodes.begin(), nodes.end());
      part.expected_ns += true_ns_[problem_.cell(u, cut.place)];
    }
    std::sort(part.nodes.begin(), part.nodes.end());
    part.own = part.nodes;
    if (copy_) {
      part.on.variant = &copy_->variant;
      part.on.candidate.variant = copy_->variant.variant.name();
    }
    for (const int32_t n : part.nodes) part_of[static_cast<size_t>(n)] = static_cast<int32_t>(mixed.parts.size());
    mixed.fallback_reasons.push_back(part.fallback ? why_not_demanded(context_, places_.places, part.nodes) : "");
    part_places_.push_back(cut.place);
    mixed.parts.push_back(std::move(part));
  }

  // A part that reads a constant node's result runs the node too, where its place can.
  bool computes_itself(int32_t node, int32_t part, MixedPlan& mixed) {
    if (node < 0 || !constants_.holds(node)) return false;
    const std::vector<int32_t> chain = constants_.chain(node);
    const SupportMask& mask = place(part_places_[static_cast<size_t>(part)]).mask;
    if (!std::ranges::all_of(chain, [&](int32_t n) { return mask.takes(n); })) return false;
    MixedPart& reader = mixed.parts[static_cast<size_t>(part)];
    for (const int32_t n : chain) {
      const auto at = std::ranges::lower_bound(reader.nodes, n);
      if (at != reader.nodes.end() && *at == n) continue;
      reader.nodes.insert(at, n);
    }
    return true;
  }

  // Borders, the transfers over them, and what those cost.
  void add_tensors(const std::vector<int32_t>& part_of, MixedPlan& mixed) {
    for (size_t i = 0; i < units_.tensors.size(); ++i) {
      const TensorFacts& facts = model_.tensors[static_cast<size_t>(units_.facts_of[i])];
      const auto cell = [&](int32_t part) {
        return problem_.cell(static_cast<int32_t>(i), part_places_[static_cast<size_t>(part)]);
      };
      const int32_t from = facts.producer < 0 ? -1 : part_of[static_cast<size_t>(facts.producer)];
      std::set<int32_t> readers;
      for (const int32_t n : facts.consumers) readers.insert(part_of[static_cast<size_t>(n)]);
      readers.erase(from);
      std::erase_if(readers, [&](int32_t to) { return computes_itself(facts.producer, to, mixed); });
      for (const int32_t to : readers) {
        mixed.parts[static_cast<size_t>(to)].inputs.push_back(facts.name);
        mixed.parts[static_cast<size_t>(to)].expected_ns += problem_.in_ns[cell(to)];
        add_transfer(from, to, facts, mixed);
      }
      if (from < 0 || (readers.empty() && !units_.tensors[i].is_output)) continue;
      mixed.parts[static_cast<size_t>(from)].outputs.push_back(facts.name);
      mixed.parts[static_cast<size_t>(from)].expected_ns += problem_.out_ns[cell(from)];
      if (units_.tensors[i].is_output) add_transfer(from, -1, facts, mixed);
    }
  }

  // Between parts everything that crosses is listed; from and to the caller only what is copied.
  static void add_transfer(int32_t from, int32_t to, const TensorFacts& facts, MixedPlan& mixed) {
    const auto space = [&](int32_t part) {
      const bool device = part >= 0 && has_own_memory(*mixed.parts[static_cast<size_t>(part)].on.place.resource);
      return std::string(device ? "device" : "host");
    };
    Transfer transfer{from, to, facts.name, facts.bytes, space(from), space(to), facts.type};
    if ((from < 0 || to < 0) && transfer.from_space == transfer.to_space) return;
    mixed.transfers.push_back(std::move(transfer));
  }

  int32_t preferences_met(const MixedPlan& mixed, const std::vector<int32_t>& part_of) const {
    int32_t met = 0;
    for (const SelectedPin& pin : context_.pins) {
      if (!pin.pin.prefer || pin.nodes.empty()) continue;
      met += std::all_of(pin.nodes.begin(), pin.nodes.end(), [&](int32_t n) {
        const Considered& on = mixed.parts[static_cast<size_t>(part_of[static_cast<size_t>(n)])].on;
        return meets(*pin.pin.prefer, on.candidate, *on.place.resource);
      });
    }
    return met;
  }

  // Weights of all parts, shared ones as often as they are held, and the largest working set.
  uint64_t memory_bytes(const MixedPlan& mixed, const std::vector<int32_t>& part_of) const {
    uint64_t bytes = 0, working = 0;
    for (const MixedPart& part : mixed.parts) {
      for (const int32_t n : part.nodes) {
        const NodeFacts& node = model_.nodes[static_cast<size_t>(n)];
        bytes += weight_bytes(model_, n, part.on.candidate.precision);
        working = std::max(working, std::min<uint64_t>(node.activation_bytes, uint64_t{1} << 50));
      }
    }
    for (const SharedWeightFacts& weight : model_.shared_weights) {
      std::set<int32_t> holders;
      for (const int32_t n : weight.nodes) holders.insert(part_of[static_cast<size_t>(n)]);
      bytes += std::min<uint64_t>(weight.bytes, uint64_t{1} << 50) * (holders.empty() ? 0 : holders.size() - 1);
    }
    return bytes + working;
  }

  void judge_parts(Considered considered) {
    for (const MixedPart& part : considered.mixed->parts) {
      const auto limit = part.on.place.facts->capability.limits.find("nodes_max");
      if (limit == part.on.place.facts->capability.limits.end() || limit->second <= 0 ||
          static_cast<int64_t>(part.nodes.size()) <= limit->second)
        continue;
      field_.decisions.push_back(mixed_rejection(considered.name(), "LIMIT",
                                                 fmt::format("a part of {} nodes would run on {}, which takes at most {}",
                                                             part.nodes.size(), part.on.place.name(), limit->second)));
      return;
    }
    if (const std::string full = overfull(context_, *considered.mixed); !full.empty()) {
      field_.decisions.push_back(mixed_rejection(considered.name(), "MEMORY", full));
      return;
    }
    judge(whole_, demands_.front(), std::move(considered), field_);
  }

  const PlanningContext& context_;  // of what is cut
  const PlanningContext& whole_;    // of what is planned: the same, but where a copy is cut
  const ModelFacts& model_;
  const std::vector<Demand>& demands_;
  std::shared_ptr<const CopyGround> copy_;
  PartPlaces places_;
  CutUnits units_;
  CutProblem problem_;
  std::vector<int64_t> true_ns_;       // unit_ns without preferences and refusals
  std::vector<uint64_t> made_bytes_;   // per node
  std::vector<int32_t> part_places_;
  const ConstantNodes constants_{model_};
  PartsRun run_ = PartsRun::kInTurn;
  Field field_;
};

}  // namespace

std::string Considered::name() const { return mixed ? mixed->name : candidate.format(); }

Result<Field> enumerate_pipeline(const PlanningContext& context, const std::vector<Demand>& demands) {
  return MixedSearch(context, demands).run_scheduled(PartsRun::kStages);
}

Result<Field> enumerate_split(const PlanningContext& context, const std::vector<Demand>& demands) {
  return MixedSearch(context, demands).run_scheduled(PartsRun::kSplit);
}

Result<Field> enumerate_mixed(const PlanningContext& context, const std::vector<Demand>& demands) {
  AXLE_ASSIGN_OR_RETURN(Field field, MixedSearch(context, demands).run());
  const std::vector<std::string>& asked = demands.front().precisions;
  for (const VariantGraph& graph : context.input.variant_graphs) {
    const auto facts = std::ranges::find_if(
        context.input.variants, [&](const VariantFacts& v) { return v.prepared() && v.variant.name() == graph.variant; });
    if (facts == context.input.variants.end() || std::ranges::find(asked, facts->precision) == asked.end()) continue;
    const auto copy = std::make_shared<const CopyGround>(context, graph, *facts);
    AXLE_ASSIGN_OR_RETURN(Field of_copy, MixedSearch(copy, context, demands).run());
    for (Decision& decision : of_copy.decisions) {
      if (decision.candidate == "mixed") decision.candidate = "mixed/" + variant_text(*facts);
    }
    append(std::move(of_copy), field);
  }
  return field;
}

}  // namespace axle
