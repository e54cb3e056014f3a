#include "runtime/facts/planner_inputs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "axle/device_profile.h"
#include "axle/tune.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/logging.h"
#include "base/text.h"
#include "engine/engine.h"
#include "engine/shared_resources.h"
#include "model/bind_axes.h"
#include "model/model_graph.h"
#include "planner/prepared_shapes.h"
#include "probe/what_if.h"
#include "runtime/facts/engine_memo.h"
#include "runtime/facts/estimate_ratios.h"
#include "runtime/facts/model_facts.h"
#include "runtime/facts/probe_notes.h"
#include "runtime/facts/refine_verdict.h"
#include "runtime/loading/compile_targets.h"
#include "runtime/loading/custom_ops.h"
#include "runtime/loading/isolate.h"
#include "runtime/measuring/machine_figures.h"
#include "runtime/runtime_state.h"
#include "runtime/variants/calibration.h"
#include "runtime/variants/variants.h"
#include "spec/engine_answers.h"
#include "spec/resource.h"

namespace axle {
namespace {

constexpr const char* kAllowSimulated = "AXLE_ALLOW_SIMULATED";
// Of a resource that an engine reports: "no" = it only compiles for it (docs/formats/engine-answers.md).
constexpr const char* kRunsAttribute = "runs";

// Precisions worth asking an engine about: the model's own, and what the policy names.
std::vector<std::string> wanted_precisions(const ModelFacts& model, const Policy& policy, const Capability& capability) {
  std::vector<std::string> wanted = policy.execution.precisions;
  wanted.insert(wanted.end(), policy.fallback.precision.begin(), policy.fallback.precision.end());
  for (const Pin& pin : policy.pins) {
    if (pin.require) wanted.push_back(pin.require->precision);
  }
  wanted.push_back(model.float_dtype.empty() ? "f32" : model.float_dtype);
  // More precision than the model's own is never less; a quantised model may run in its integers.
  if (model.float_dtype == "f16" || model.float_dtype == "bf16") wanted.emplace_back("f32");
  if (model.quantised) wanted.emplace_back("int8");
  if (policy.accuracy.present() && policy.execution.precisions.empty()) {
    for (const PrecisionSpec& precision : capability.precisions) wanted.push_back(precision.name);
  }
  std::vector<std::string> known;
  for (const PrecisionSpec& precision : capability.precisions) {
    const bool asked = std::find(wanted.begin(), wanted.end(), precision.name) != wanted.end();
    if (asked) known.push_back(precision.name);
  }
  return known;
}

}  // namespace

bool reads_format(const Capability& capability, const Model& model) {
  const auto& formats = capability.formats;
  return std::find(formats.begin(), formats.end(), model.format_name()) != formats.end();
}

bool may_serve(const EngineFacts& engine, const Policy& policy) {
  const auto names = [&](const std::vector<std::string>& words) {
    return std::find(words.begin(), words.end(), engine.info.name) != words.end();
  };
  if (!engine.present || names(policy.engines.deny)) return false;
  return policy.engines.allow.empty() || names(policy.engines.allow) || !policy.fallback.engine.empty() ||
         !policy.fallback.resource.empty();
}

EngineFacts engine_facts(const EngineState& state) {
  EngineFacts facts;
  facts.info = state.info;
  facts.info.name = state.name;
  facts.present = state.present;
  facts.absent_reason = state.reason;
  if (facts.info.install_command.empty()) facts.info.install_command = state.install_command;
  facts.library_version = state.info.library ? state.info.library->version : state.info.plugin_version;
  facts.library_digest = state.library_digest;
  facts.plugin_file_digest = state.plugin_file_digest;
  facts.library_file_digest = state.library_file_digest;
  for (const EngineResource& resource : state.resources) {
    const auto capability = state.capabilities.find(resource.resource.id);
    if (capability == state.capabilities.end()) continue;
    CapabilityFacts& one = facts.capabilities.emplace_back();
    one.resource = resource.resource.id;
    one.engine_id = resource.engine_id;
    one.simulated = resource.resource.simulated;
    one.capability = capability->second;
    // Its own word: another engine's resource may have the same id.
    const auto runs = resource.resource.attributes.find(kRunsAttribute);
    one.compile_only = runs != resource.resource.attributes.end() && runs->second == "no";
  }
  return facts;
}

namespace {

Result<GraphVerdict> ask_support(Runtime& runtime, const std::shared_ptr<const Graph>& graph, const EngineFacts& facts,
                                 const CapabilityFacts& capability, const std::string& precision,
                                 const std::string& custom_ops) {
  AXLE_ASSIGN_OR_RETURN(const auto engine, runtime.state().engine(facts.info.name, runtime));
  EngineRequest request;
  AXLE_ASSIGN_OR_RETURN(request.graph, GraphIndex::create(graph));
  // Of a device that is not here, by the engine's own name for it.
  request.resource = engine->engine_resource_id(capability.resource).ok() ? capability.resource : capability.engine_id;
  request.precision = precision;
  std::map<std::string, std::string> own;
  if (!custom_ops.empty()) {
    AXLE_ASSIGN_OR_RETURN(own[std::string(kCustomOpsOption)], custom_ops_paths(custom_ops));
  }
  AXLE_ASSIGN_OR_RETURN(request.options, resolve_options(capability.capability, "default", own));
  ProbeNotes notes(runtime, facts, capability, custom_ops);
  request.scratch_folder = notes.folder();
  auto verdict = engine->support(request);
  if (verdict) notes.keep();
  return verdict;
}

}  // namespace

Result<std::shared_ptr<const Graph>> judged_graph(const Model& model, const PlannerInput& input) {
  AXLE_ASSIGN_OR_RETURN(auto graph, graph_of(model));
  if (!fixes_all_axes(input) || !check_shapes(input).ok()) return graph;
  return bind_axes(*graph, prepared_shapes(input).front());
}

namespace {

Result<std::vector<VerdictRow>> collect_verdicts(Runtime& runtime, const Model& model, const PlannerInput& input,
                                                 const PlanRequest& request) {
  std::vector<VerdictRow> rows;
  AXLE_ASSIGN_OR_RETURN(const auto graph, judged_graph(model, input));
  for (const EngineFacts& engine : input.engines) {
    if (!may_serve(engine, input.policy)) continue;
    for (const CapabilityFacts& capability : engine.capabilities) {
      if (!reads_format(capability.capability, model)) continue;
      for (const std::string& precision : wanted_precisions(input.model, input.policy, capability.capability)) {
        AXLE_RETURN_IF_ERROR(request.cancel.check());
        if (request.progress) request.progress("asking " + engine.info.name + " about the model", -1);
        AXLE_ASSIGN_OR_RETURN(GraphVerdict verdict,
                              engine_verdict(runtime, graph, engine, capability, precision, input.policy, request.reuse));
        rows.push_back({engine.info.name, capability.resource, precision, std::move(verdict)});
      }
    }
  }
  return rows;
}

void add_simulated_resources(Runtime& runtime, Machine& machine) {
  for (Resource& resource : resources_of_engines(machine, runtime.engines().states())) {
    if (resource.simulated) machine.resources.push_back(std::move(resource));
  }
  // As in every machine's record.
  std::ranges::stable_sort(machine.resources, resource_before);
}

// Without samples a model with unknown axes is judged on the shapes that tuning would generate, so that a plan finds the
// evidence that was measured the same way. Nothing where inputs cannot be generated: then it is judged on open shapes.
std::vector<NamedTensor> assumed_samples(Runtime& runtime, const Model& model, const Policy& policy) {
  const std::vector<IoSpec>& inputs = model.inputs();
  const bool open = std::any_of(inputs.begin(), inputs.end(), [](const IoSpec& spec) {
    return !spec.rank_known ||
           std::any_of(spec.shape.begin(), spec.shape.end(), [](const Dim& dim) { return !dim.is_static(); });
  });
  if (!open) return {};
  SampleOptions options;
  options.policy = policy;
  options.may_run = false;
  auto generated = generate_samples(runtime, model, options);
  return generated ? std::move(generated->tensors) : std::vector<NamedTensor>{};
}

// For programs that are not to be changed. The plan's policy says that it was allowed, as if it had been written there.
Status allow_simulated_by_environment(Policy& policy) {
  const char* word = std::getenv(kAllowSimulated);
  if (word == nullptr || word[0] == '\0' || std::string_view(word) == "0") return ok_status();
  if (std::string_view(word) != "1")
    return invalid_argument_error(fmt::format("{} is \"{}\"", kAllowSimulated, printable(word, 64))).with_hint("1, 0 or unset");
  policy.resources.allow_simulated = true;
  return ok_status();
}

}  // namespace

namespace {

// A model of a device speaks for the device itself where the device's profile names it; otherwise what is simulated here has
// nothing to do with a real resource that happens to have its id.
bool speaks_for(const std::vector<ResourceProfile>& profiles, const Resource& resource, const EngineFacts& engine) {
  const auto known = std::ranges::find(profiles, resource.id, &ResourceProfile::resource);
  return known != profiles.end() &&
         std::ranges::find(known->profile.engines, engine.info.name, &ProfileEngine::name) != known->profile.engines.end();
}

}  // namespace

// A recorded machine cannot be asked: the engines that are present here answer for its CPU, if they have one.
void keep_resources_of(const Machine& machine, std::vector<EngineFacts>& engines) {
  const std::vector<ResourceProfile> profiles = profiles_of(machine);
  for (EngineFacts& engine : engines) {
    for (CapabilityFacts& facts : engine.capabilities) {
      const Resource* resource = facts.simulated ? find_resource(machine, facts.resource) : nullptr;
      if (resource == nullptr || resource->simulated || !speaks_for(profiles, *resource, engine)) continue;
      facts.simulated = false;
      facts.assumed = true;
    }
    std::erase_if(engine.capabilities, [&](const CapabilityFacts& facts) {
      const Resource* resource = find_resource(machine, facts.resource);
      return facts.simulated ? resource != nullptr && !resource->simulated : resource == nullptr;
    });
  }
}

Result<std::vector<EngineFacts>> collect_engines(Runtime& runtime) {
  AXLE_RETURN_IF_ERROR(runtime.machine().status());
  std::vector<EngineFacts> engines;
  for (const EngineState& state : runtime.engines().states()) {
    engines.push_back(engine_facts(state));
    remember_engine(runtime, state, engines.back());
    // Whoever makes a runtime of it has named it.
    const std::vector<std::string>& named = runtime.state().options.engines;
    if (std::ranges::find(named, state.name) != named.end()) engines.back().info.example = false;
  }
  return engines;
}

namespace {

// Of this engine, pinned; "" = none.
std::string custom_ops_of(const Policy& policy, const std::string& engine) {
  const auto options = policy.engines.options.find(engine);
  if (options == policy.engines.options.end()) return "";
  const auto found = options->second.find(std::string(kCustomOpsOption));
  return found == options->second.end() ? "" : found->second;
}

}  // namespace

Result<GraphVerdict> engine_verdict(Runtime& runtime, const std::shared_ptr<const Graph>& graph, const EngineFacts& engine,
                                    const CapabilityFacts& capability, const std::string& precision, const Policy& policy,
                                    bool reuse) {
  Runtime::State& state = runtime.state();
  const std::string custom_ops = custom_ops_of(policy, engine.info.name);
  std::string key = graph->digest + "\t" + engine.library_digest + "\t" + engine.info.name + "\t" +
                    asked_of(runtime, capability) + "\t" + precision;
  if (!custom_ops.empty()) key += "\t" + custom_ops;
  const auto node_count = static_cast<uint32_t>(graph->nodes.size());
  if (reuse && !engine.library_digest.empty()) {
    if (const auto text = state.recall("support-3", key)) {
      if (auto verdict = parse_graph_verdict(*text, node_count); verdict) return verdict;
    }
  }
  auto verdict = ask_support(runtime, graph, engine, capability, precision, custom_ops);
  if (!verdict) {
    // An engine that fails to answer is a recorded fact about it, not the end of planning.
    GraphVerdict unknown;
    unknown.graph = {VerdictKind::kNo, "OTHER", verdict.error().message(), -1};
    unknown.otherwise = unknown.graph;
    return unknown;
  }
  *verdict = refine_verdict(*graph, std::move(*verdict), [&](std::shared_ptr<const Graph> part) {
    return ask_support(runtime, part, engine, capability, precision, custom_ops);
  });
  if (!engine.library_digest.empty()) {
    if (const auto text = canonical_json(graph_verdict_to_json(*verdict)); text) state.remember("support-3", key, *text);
  }
  return verdict;
}

Result<PlannerInput> collect_planner_input(Runtime& runtime, const Model& model, const PlanRequest& request) {
  PlannerInput input;
  input.policy = request.policy;
  AXLE_RETURN_IF_ERROR(allow_simulated_by_environment(input.policy));
  AXLE_RETURN_IF_ERROR(pin_custom_ops(input.policy));
  input.as_of_unix_s = unix_seconds();
  if (!request.samples.empty()) AXLE_RETURN_IF_ERROR(check_feeds(model.inputs(), request.samples));
  // What the policy names is what errors are judged on, whatever else is given.
  AXLE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> named, policy_samples(request.policy, model));
  const bool none = request.samples.empty() && named.empty();
  const std::vector<NamedTensor> assumed = none ? assumed_samples(runtime, model, request.policy) : std::vector<NamedTensor>{};
  const std::vector<NamedTensor>& samples = none ? assumed : request.samples.empty() ? named : request.samples;
  AXLE_ASSIGN_OR_RETURN(input.model, model_facts(model, samples));
  input.shapes = input_shapes_text(model.inputs(), samples);
  input.sample_axes = sample_axes(model.inputs(), named.empty() ? request.samples : named);
  input.samples_digest = samples_digest(named.empty() ? request.samples : named);
  AXLE_ASSIGN_OR_RETURN(input.engines, collect_engines(runtime));
  if (request.machine != nullptr) {
    input.machine = *request.machine;
    keep_resources_of(input.machine, input.engines);
    AXLE_RETURN_IF_ERROR(add_compile_targets(runtime, input.machine, input.engines));
  } else {
    AXLE_ASSIGN_OR_RETURN(input.machine, runtime.machine());
    add_simulated_resources(runtime, input.machine);
  }
  for (const auto& [resource, sets] : request.policy.resources.split) {
    AXLE_RETURN_IF_ERROR(apply_split(input.machine, resource, sets));
  }
  for (const EngineFacts& engine : input.engines) note_question(runtime, engine.info.name, model.digest());
  AXLE_ASSIGN_OR_RETURN(input.verdicts, collect_verdicts(runtime, model, input, request));
  AXLE_ASSIGN_OR_RETURN(input.variants, collect_variants(runtime, model, request));
  AXLE_RETURN_IF_ERROR(add_variant_answers(runtime, model, request, samples, input));
  AXLE_ASSIGN_OR_RETURN(const Machine here, runtime.machine());
  // Last: nobody here can be asked about what it adds.
  assume_machine(input, request.machine != nullptr && input.machine.fingerprint() != here.fingerprint());
  if (!input.what_if) use_machine_figures(runtime, here, input.profiles);
  add_estimate_ratios(runtime, here, input);
  if (EvidenceStore* store = runtime.evidence(); store != nullptr) {
    auto rows = store->find({.model_digest = model.digest(), .candidate = {}, .machine = {}});
    if (rows)
      input.evidence = std::move(*rows);
    else
      AXLE_LOG(kWarning, "runtime", "evidence is not used: {}", rows.error().to_string());
  }
  return input;
}

Result<std::vector<EngineOpinion>> engine_opinions(Runtime& runtime, const Model& model) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<EngineFacts> engines, collect_engines(runtime));
  AXLE_ASSIGN_OR_RETURN(const ModelFacts facts, model_facts(model, {}));
  AXLE_ASSIGN_OR_RETURN(const auto graph, graph_of(model));
  std::vector<EngineOpinion> opinions;
  for (const EngineFacts& engine : engines) {
    note_question(runtime, engine.info.name, model.digest());
    if (!engine.present) {
      opinions.push_back({engine.info.name, "", "", {}, {}, engine.absent_reason});
      continue;
    }
    for (const CapabilityFacts& capability : engine.capabilities) {
      EngineOpinion opinion{
          engine.info.name, capability.resource, facts.float_dtype.empty() ? "f32" : facts.float_dtype, {}, {}, ""};
      if (!reads_format(capability.capability, model)) {
        opinion.verdict.graph = {VerdictKind::kNo, "FORMAT", "does not read " + std::string(model.format_name()), -1};
      } else {
        AXLE_ASSIGN_OR_RETURN(opinion.verdict, engine_verdict(runtime, graph, engine, capability, opinion.precision, {}, true));
      }
      for (const NodeVerdict& node : opinion.verdict.nodes) {
        if (node.verdict.kind != VerdictKind::kNo || node.index >= graph->nodes.size()) continue;
        const Node& refused = graph->nodes[node.index];
        opinion.nodes.push_back({refused.name, refused.op_type, node.verdict.code, node.verdict.text});
      }
      opinions.push_back(std::move(opinion));
    }
  }
  return opinions;
}

}  // namespace axle
