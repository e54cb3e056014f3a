// What engines answer about the copies of the model that are there.
#include <algorithm>

#include "model/model_graph.h"
#include "runtime/facts/model_facts.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/variants/variants.h"

namespace axle {
namespace {

constexpr size_t kMostRefusedNodes = 20;

VariantVerdict verdict_row(const VerdictRow& answer, const std::string& variant, const Graph& graph) {
  const GraphVerdict& verdict = answer.verdict;
  VariantVerdict row{answer.engine, answer.resource, variant, verdict.graph.kind != VerdictKind::kNo, "", "", {}};
  for (const NodeVerdict& node : verdict.nodes) {
    if (node.verdict.kind != VerdictKind::kNo || node.index >= graph.nodes.size()) continue;
    row.taken = false;
    const Node& refused = graph.nodes[node.index];
    if (row.nodes.size() < kMostRefusedNodes)
      row.nodes.push_back({refused.name, refused.op_type, node.verdict.code, node.verdict.text});
  }
  if (row.taken) return row;
  row.code = verdict.graph.code;
  row.text = verdict.graph.text.empty() && !row.nodes.empty() ? row.nodes.front().reason : verdict.graph.text;
  if (row.code.empty()) row.code = row.nodes.empty() ? "OTHER" : row.nodes.front().code;
  return row;
}

class Asker {
 public:
  Asker(Runtime& runtime, const PlannerInput& input, const PlanRequest& request)
      : runtime_(runtime), input_(input), request_(request) {}

  Result<std::vector<VerdictRow>> ask(const Model& copy, const std::shared_ptr<const Graph>& graph,
                                      const std::string& precision) const {
    std::vector<VerdictRow> rows;
    for (const EngineFacts& engine : input_.engines) {
      if (!may_serve(engine, input_.policy)) continue;
      for (const CapabilityFacts& capability : engine.capabilities) {
        const auto& offered = capability.capability.precisions;
        const bool offers = std::ranges::find(offered, precision, &PrecisionSpec::name) != offered.end();
        if (!offers || !reads_format(capability.capability, copy)) continue;
        AXLE_RETURN_IF_ERROR(request_.cancel.check());
        AXLE_ASSIGN_OR_RETURN(GraphVerdict verdict,
                              engine_verdict(runtime_, graph, engine, capability, precision, input_.policy, request_.reuse));
        rows.push_back({engine.info.name, capability.resource, precision, std::move(verdict)});
      }
    }
    return rows;
  }

 private:
  Runtime& runtime_;
  const PlannerInput& input_;
  const PlanRequest& request_;
};

// By an engine and on a resource that the policy demands, not by what may only stand in for them.
bool taken_as_demanded(const PlannerInput& input, const VariantVerdict& answer) {
  const Policy& policy = input.policy;
  const std::vector<std::string>& engines = policy.engines.allow;
  if (!answer.taken || (!engines.empty() && std::ranges::find(engines, answer.engine) == engines.end())) return false;
  const Resource* resource = find_resource(input.machine, answer.resource);
  const auto& targets = policy.execution.targets;
  return targets.empty() || std::ranges::any_of(targets, [&](const std::string& target) {
           const auto selector = parse_selector(target);
           return selector && resource != nullptr && matches(*selector, *resource);
         });
}

// Where one engine runs a copy whole, it is cut only at the policy's request. Pins name nodes of the model, which a copy does not have.
bool may_be_cut(const PlannerInput& input, const std::string& variant) {
  const Policy& policy = input.policy;
  if (policy.schedule.mixing == Mixing::kNever || !policy.pins.empty()) return false;
  return policy.schedule.mixing == Mixing::kAllowed ||
         std::ranges::none_of(input.variant_verdicts, [&](const VariantVerdict& answer) {
           return answer.variant == variant && taken_as_demanded(input, answer);
         });
}

}  // namespace

Status add_variant_answers(Runtime& runtime, const Model& model, const PlanRequest& request,
                           std::span<const NamedTensor> samples, PlannerInput& input) {
  const Asker asker(runtime, input, request);
  for (VariantFacts& facts : input.variants) {
    if (!facts.prepared()) continue;
    const auto open = open_variant(runtime, model, facts.variant);
    if (!open) {
      facts.code = "NOT_PREPARED";
      facts.reason = open.error().message();
      facts.variant.digest.clear();
      continue;
    }
    const std::string name = facts.variant.name();
    // A copy leaves open what the model does: where no axis stays open, engines are asked about what they will be given.
    AXLE_ASSIGN_OR_RETURN(const auto graph, judged_graph(open->model, input));
    AXLE_ASSIGN_OR_RETURN(std::vector<VerdictRow> rows, asker.ask(open->model, graph, facts.precision));
    for (const VerdictRow& row : rows) input.variant_verdicts.push_back(verdict_row(row, name, *graph));
    if (!may_be_cut(input, name)) continue;
    AXLE_ASSIGN_OR_RETURN(ModelFacts copy, model_facts(open->model, samples));
    input.variant_graphs.push_back({name, std::move(copy), std::move(rows)});
  }
  return ok_status();
}

}  // namespace axle
