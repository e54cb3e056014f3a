// Collects what the planner decides on: machine, engine answers, verdicts, evidence. The only place that asks engines.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "axle/runtime.h"
#include "model/graph.h"
#include "spec/planner_input.h"

namespace axle {

Result<PlannerInput> collect_planner_input(Runtime& runtime, const Model& model, const PlanRequest& request);

// An engine's state as a fact for the planner.
EngineFacts engine_facts(const EngineState& state);

// Leaves of each engine's answers what concerns resources of a recorded machine.
void keep_resources_of(const Machine& machine, std::vector<EngineFacts>& engines);

// Facts of every engine that the policy does not deny; an absent one with its reason.
Result<std::vector<EngineFacts>> collect_engines(Runtime& runtime);

// Not denied, present, and asked for or allowed as a fallback.
bool may_serve(const EngineFacts& engine, const Policy& policy);
bool reads_format(const Capability& capability, const Model& model);

// The graph that engines are asked about: the model's, or a copy's, with the shape that is judged where no axis stays open.
Result<std::shared_ptr<const Graph>> judged_graph(const Model& model, const PlannerInput& input);

// The engine's answer for the whole graph at default options, with the custom operators of `policy` (pinned); remembered by
// its digest, library, resource, precision and those.
Result<GraphVerdict> engine_verdict(Runtime& runtime, const std::shared_ptr<const Graph>& graph, const EngineFacts& engine,
                                    const CapabilityFacts& capability, const std::string& precision, const Policy& policy,
                                    bool reuse);

}  // namespace axle
