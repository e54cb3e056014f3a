#include <fmt/format.h>

#include <algorithm>

#include "axle/compile.h"
#include "engine/engine.h"
#include "model/model_graph.h"
#include "runtime/loading/isolate.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

Result<EngineResource> resource_of(const Engine& engine, const std::string& wanted) {
  std::vector<EngineResource> all = engine.resources();
  all.insert(all.end(), engine.targets().begin(), engine.targets().end());
  const auto found = std::ranges::find_if(all, [&](const EngineResource& item) {
    return wanted.empty() || item.resource.id == wanted || item.engine_id == wanted;
  });
  if (found != all.end()) return *found;
  return not_found_error(fmt::format("{} has no resource '{}'", engine.name(), wanted)).with_hint("see: axle devices");
}

Status check_precision(const Engine& engine, const Capability& capability, const std::string& precision) {
  std::string known;
  for (const PrecisionSpec& spec : capability.precisions) {
    if (spec.name == precision) return ok_status();
    known += (known.empty() ? "" : ", ") + spec.name;
  }
  return unimplemented_error(fmt::format("{} has no precision '{}'", engine.name(), precision)).with_hint("it has: " + known);
}

Status check_support(const Engine& engine, const Model& model, const Partition& part) {
  EngineRequest request;
  AXLE_ASSIGN_OR_RETURN(const auto graph, graph_of(model));
  AXLE_ASSIGN_OR_RETURN(request.graph, GraphIndex::create(graph));
  request.resource = part.candidate.resource;
  request.precision = part.candidate.precision;
  request.options = part.options;
  AXLE_ASSIGN_OR_RETURN(const GraphVerdict verdict, engine.support(request));
  const auto refuse = [&](const std::string& what, const std::string& why) {
    return unimplemented_error(fmt::format("{} does not run {}: {}", engine.name(), what, why));
  };
  for (const NodeVerdict& node : verdict.nodes) {
    if (node.verdict.kind != VerdictKind::kNo || node.index >= graph->nodes.size()) continue;
    return refuse("the node '" + graph->nodes[node.index].name + "'", node.verdict.text);
  }
  if (verdict.graph.kind == VerdictKind::kNo) return refuse("the model", verdict.graph.text);
  return ok_status();
}

}  // namespace

Result<Plan> plan_on_engine(Runtime& runtime, const Model& model, const EngineChoice& choice) {
  AXLE_ASSIGN_OR_RETURN(const auto engine, runtime.state().engine(choice.engine, runtime));
  AXLE_ASSIGN_OR_RETURN(const EngineResource resource, resource_of(*engine, choice.resource));
  AXLE_ASSIGN_OR_RETURN(const Capability capability, engine->capability(resource.resource.id));
  AXLE_RETURN_IF_ERROR(check_precision(*engine, capability, choice.precision));
  Partition part;
  part.candidate = {choice.engine, resource.resource.id, choice.precision, choice.threads};
  AXLE_ASSIGN_OR_RETURN(part.options, resolve_options(capability, part.candidate.preset, choice.options));
  note_question(runtime, choice.engine, model.digest());
  AXLE_RETURN_IF_ERROR(check_support(*engine, model, part));
  const std::optional<EngineLibrary>& library = engine->info().library;
  part.engine_version = library ? library->version : engine->info().plugin_version;
  part.library_digest = engine->library_digest();
  part.resource_kind = resource.resource.kind;
  part.simulated = resource.resource.simulated;
  part.isolated = engine->info().closed && !engine->plugin().path().empty();
  Plan plan;
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime.machine());
  plan.model_digest = model.digest();
  plan.machine_fingerprint = machine.fingerprint();
  plan.notes = {fmt::format("{} was named by the caller: no other candidate was looked at", part.candidate.format())};
  plan.partitions.push_back(std::move(part));
  return plan;
}

}  // namespace axle
