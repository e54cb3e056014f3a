#include "planner/enumerate.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "planner/cores.h"
#include "planner/cost_model.h"
#include "planner/mixed_plan.h"
#include "planner/precision.h"
#include "spec/evidence_age.h"

namespace axle {
namespace {

using Options = std::map<std::string, std::string>;

Decision decide(std::string candidate, Rejection rejection) {
  Decision decision;
  decision.candidate = std::move(candidate);
  decision.verdict = rejection.verdict;
  decision.code = std::move(rejection.code);
  decision.reason = std::move(rejection.reason);
  decision.nodes = std::move(rejection.nodes);
  return decision;
}

const Options& options_of(const Policy& policy, const std::string& engine) {
  static const Options none;
  const auto found = policy.engines.options.find(engine);
  return found == policy.engines.options.end() ? none : found->second;
}

// Evidence of a preset must not be mixed with evidence of the same preset under the policy's own options.
std::string preset_name(const std::string& preset, const Options& own) {
  if (own.empty()) return preset;
  Sha256 hash;
  for (const auto& [name, value] : own) hash.update_field(name).update_field(value);
  return preset + "+" + hash.finish().hex().substr(0, 8);
}

// "default" first, then as the engine lists them.
std::vector<Preset> presets_of(const Capability& capability) {
  std::vector<Preset> presets = capability.presets;
  const auto standard =
      std::find_if(presets.begin(), presets.end(), [](const Preset& preset) { return preset.name == "default"; });
  if (standard == presets.end())
    presets.insert(presets.begin(), Preset{"default", {}, ""});
  else
    std::rotate(presets.begin(), standard, standard + 1);
  if (presets.size() > kMaxPresets) presets.resize(kMaxPresets);
  return presets;
}

// One engine on one resource: walks precisions, presets and threads.
class PlaceWalk {
 public:
  PlaceWalk(const PlanningContext& context, const Demand& demand, Place place, Field& field)
      : context_(context), demand_(demand), place_(place), field_(field),
        own_options_(options_of(context.input.policy, place.engine->info.name)) {}

  Status run() {
    for (const PlaceGate gate : place_gates()) {
      if (Gate rejection = gate(context_, place_)) return reject(place_.name(), std::move(*rejection));
    }
    const Capability& capability = place_.facts->capability;
    for (const std::string& wanted : demand_.precisions) {
      const bool offered = std::any_of(capability.precisions.begin(), capability.precisions.end(),
                                       [&](const PrecisionSpec& p) { return p.name == wanted; });
      if (!offered)
        AXLE_RETURN_IF_ERROR(reject(place_.name() + "/" + wanted,
                                    {"PRECISION", fmt::format("{} offers {}", place_.name(), offered_text(capability)), {}}));
    }
    for (const PrecisionSpec& precision : capability.precisions) {
      AXLE_RETURN_IF_ERROR(walk_precision(precision));
      AXLE_RETURN_IF_ERROR(walk_variants(precision));
    }
    return ok_status();
  }

 private:
  static std::string offered_text(const Capability& capability) {
    std::vector<std::string> names;
    for (const PrecisionSpec& precision : capability.precisions) names.push_back(precision.name);
    return names.empty() ? "no precision" : join(names, ", ");
  }

  Status reject(std::string name, Rejection rejection) {
    field_.decisions.push_back(decide(std::move(name), std::move(rejection)));
    return ok_status();
  }

  Status walk_precision(const PrecisionSpec& precision) {
    const std::string name = place_.name() + "/" + precision.name;
    for (const PrecisionGate gate : precision_gates()) {
      if (Gate rejection = gate(context_, demand_, place_, precision)) return reject(name, std::move(*rejection));
    }
    return walk_presets(precision, nullptr, name);
  }

  // Copies of the model that are computed in this precision.
  Status walk_variants(const PrecisionSpec& precision) {
    for (const VariantFacts& variant : context_.input.variants) {
      if (variant.precision != precision.name) continue;
      const std::string name = place_.name() + "/" + variant_text(variant);
      if (Gate rejection = gate_variant(context_, demand_, place_, precision, variant))
        AXLE_RETURN_IF_ERROR(reject(name, std::move(*rejection)));
      else
        AXLE_RETURN_IF_ERROR(walk_presets(precision, &variant, name));
    }
    return ok_status();
  }

  Status walk_presets(const PrecisionSpec& precision, const VariantFacts* variant, const std::string& name) {
    std::vector<int32_t> threads = thread_counts(context_.machine, *place_.resource);
    const auto most = place_.facts->capability.limits.find("threads_max");
    if (most != place_.facts->capability.limits.end() && most->second > 0)
      std::erase_if(threads, [&](int32_t count) { return count > most->second; });
    if (const int32_t wanted = context_.input.policy.execution.threads;
        wanted > 0 && place_.resource->kind == ResourceKind::kCpu)
      threads = {wanted};
    std::set<Options> seen;
    for (const Preset& preset : presets_of(place_.facts->capability)) {
      Result<Options> options = resolve_options(place_.facts->capability, preset.name, own_options_);
      if (!options.has_value()) {
        if (!own_options_.empty() || preset.name == "default")
          return std::move(options).error().with_context(fmt::format("engines.{}", place_.engine->info.name));
        AXLE_RETURN_IF_ERROR(reject(name + "/" + preset.name, {"PRESET", options.error().message(), {}}));
        continue;
      }
      if (!seen.insert(*options).second) {
        AXLE_RETURN_IF_ERROR(
            reject(name + "/" + preset.name, {"DUPLICATE", "with the policy's options it is the same as another preset", {}}));
        continue;
      }
      for (const int32_t count : threads) consider(precision, variant, preset, *options, count);
    }
    return ok_status();
  }

  // True when the preset itself, not the policy, moves an option that results depend on.
  bool changes_numerics(const Options& options) const {
    return std::any_of(place_.facts->capability.options.begin(), place_.facts->capability.options.end(),
                       [&](const OptionSpec& option) {
                         return option.affects_numerics && !own_options_.contains(option.name) &&
                                options.at(option.name) != option.default_value;
                       });
  }

  int64_t estimate(const std::string& precision, int32_t threads) {
    const auto [at, fresh] = estimates_.emplace(std::pair(precision, threads), 0);
    if (fresh)
      at->second = estimate_ns(context_.input.model,
                               roofline_of(context_.machine, *place_.resource, precision, threads,
                                           find_profile(context_.input, place_.resource->id)),
                               precision);
    return at->second;
  }

  void consider(const PrecisionSpec& precision, const VariantFacts* variant, const Preset& preset, const Options& options,
                int32_t threads) {
    Considered considered;
    considered.variant = variant;
    considered.place = place_;
    considered.candidate = {place_.engine->info.name,
                            place_.resource->id,
                            precision.name,
                            threads,
                            preset_name(preset.name, own_options_),
                            variant == nullptr ? "" : variant->variant.name()};
    // A process of its own costs time: its evidence is not that of the same engine in ours.
    if (runs_isolated(context_, place_)) considered.candidate.preset += kIsolatedSuffix;
    considered.options = options;
    considered.changes_numerics = changes_numerics(options);
    considered.gated = needs_accuracy_gate(context_, demand_, considered);
    considered.learned = learned(context_.input, place_.engine->info.name, place_.resource->kind, precision.name);
    considered.estimate_ns =
        considered.learned.apply(estimate(precision.name, threads)) + (runs_isolated(context_, place_) ? kIsolatedCallNs : 0);
    considered.estimate_bytes = estimate_memory_bytes(context_.input.model, precision.name);
    const bool simulated = place_.facts->simulated || place_.resource->simulated;
    considered.evidence = context_.evidence.find(considered.candidate.format(), place_.engine->library_digest, simulated);
    judge(context_, demand_, std::move(considered), field_);
  }

  const PlanningContext& context_;
  const Demand& demand_;
  Place place_;
  Field& field_;
  const Options& own_options_;
  std::map<std::pair<std::string, int32_t>, int64_t> estimates_;
};

std::string resources_text(const Machine& machine) {
  std::vector<std::string> texts;
  for (const Resource& resource : machine.resources) {
    if (resource.part < 0 && !resource.simulated)
      texts.push_back(fmt::format("{} ({})", resource.id, resource.name.empty() ? resource.vendor : resource.name));
  }
  if (texts.size() > 6) texts = {texts[0], texts[1], texts[2], texts[3], texts[4], fmt::format("{} more", texts.size() - 5)};
  return texts.empty() ? "nothing" : join(texts, ", ");
}

// Targets that match nothing here, and demanded engines that nobody knows.
void decide_missing(const PlanningContext& context, const Demand& demand, Field& field) {
  for (const std::string& target : demand.targets) {
    const Result<Selector> selector = parse_selector(target);
    if (selector.has_value() && select(*selector, context.machine).empty()) {
      field.decisions.push_back(decide(
          target, {"NO_RESOURCE",
                   fmt::format("no resource of this machine matches {}: it has {}", target, resources_text(context.machine)),
                   {}}));
    }
  }
  std::vector<std::string> known;
  for (const EngineFacts* engine : context.engines) known.push_back(engine->info.name);
  for (const std::string& name : demand.engines) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    field.decisions.push_back(
        decide(name, {"ABSENT",
                      fmt::format("engine {} is not installed: no plugin of that name was found (found: {})", name,
                                  known.empty() ? "none" : join(known, ", ")),
                      {}}));
  }
}

template <typename Gates, typename Thing>
bool passes(const PlanningContext& context, const Demand& demand, Gates gates, const Thing& thing, const std::string& name,
            Field& field) {
  for (const auto gate : gates) {
    if (Gate rejection = gate(context, demand, thing)) {
      field.decisions.push_back(decide(name, std::move(*rejection)));
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<EvidenceSummary> summarise(const PlanningContext& context, const Considered& considered) {
  const CandidateEvidence& e = considered.evidence;
  const EvidenceRow* row = e.timing != nullptr    ? e.timing
                           : e.error != nullptr   ? e.error
                           : e.failure != nullptr ? e.failure
                                                  : e.outdated;
  if (row == nullptr) return std::nullopt;
  EvidenceSummary summary;
  summary.p50_ns = judged_ns(*row);
  summary.p95_ns = row->p95_ns;
  summary.p99_ns = row->p99_ns;
  summary.runs = row->runs;
  summary.recorded_unix_s = row->recorded_unix_s;
  summary.stale = row == e.outdated || context.evidence.is_old(*row);
  if (row == e.outdated)
    summary.stale_reason = outdated_reason(context, considered);
  else if (summary.stale)
    summary.stale_reason = kOldReason;
  if (e.error != nullptr) summary.error = e.error->error;
  return summary;
}

std::string outdated_reason(const PlanningContext& context, const Considered& considered) {
  std::vector<EvidenceSource> sources;
  const auto add = [&](const Considered& on) {
    sources.push_back({on.candidate.engine, on.place.engine->library_version, on.candidate.resource});
  };
  if (considered.mixed) {
    for (const MixedPart& part : considered.mixed->parts) add(part.on);
  } else {
    add(considered);
  }
  return stale_reason(considered.evidence.outdated->made_with, made_with(context.input.machine, sources));
}

void append(Field more, Field& field) {
  const auto move_all = [](auto& from, auto& into) {
    into.insert(into.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  };
  move_all(more.admitted, field.admitted);
  move_all(more.measurable, field.measurable);
  move_all(more.decisions, field.decisions);
}

void judge(const PlanningContext& context, const Demand& demand, Considered considered, Field& field) {
  for (const CandidateGate gate : candidate_gates()) {
    Gate rejection = gate(context, demand, considered);
    if (!rejection) continue;
    if (rejection->lacks_evidence) field.measurable.push_back(considered);
    Decision decision = decide(considered.name(), std::move(*rejection));
    decision.estimate_ns = considered.estimate_ns;
    decision.evidence = summarise(context, considered);
    field.decisions.push_back(std::move(decision));
    return;
  }
  field.measurable.push_back(considered);
  field.admitted.push_back(std::move(considered));
}

Result<Field> enumerate(const PlanningContext& context, const Demand& demand) {
  Field field;
  decide_missing(context, demand, field);
  std::vector<const EngineFacts*> engines;
  for (const EngineFacts* engine : context.engines) {
    if (passes(context, demand, engine_gates(), *engine, engine->info.name, field)) engines.push_back(engine);
  }
  for (const Resource& resource : context.machine.resources) {
    if (!passes(context, demand, resource_gates(), resource, resource.id, field)) continue;
    bool reached = false;
    for (const EngineFacts* engine : engines) {
      const CapabilityFacts* facts = context.capability(*engine, resource);
      if (facts == nullptr) continue;
      reached = true;
      AXLE_RETURN_IF_ERROR(PlaceWalk(context, demand, {engine, facts, &resource}, field).run());
    }
    if (!reached) {
      const std::string driver =
          resource.kind == ResourceKind::kCpu || !resource.driver.empty() ? "" : "; no driver is bound to it";
      field.decisions.push_back(
          decide(resource.id, {"NO_ENGINE",
                               fmt::format("no {}engine runs on {} ({}){}", demand.engines.empty() ? "installed " : "admitted ",
                                           resource.id, resource.name, driver),
                               {}}));
    }
  }
  return field;
}

}  // namespace axle
