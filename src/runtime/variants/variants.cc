#include "runtime/variants/variants.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <set>

#include "axle/tune.h"
#include "base/file.h"
#include "base/json.h"
#include "base/logging.h"
#include "base/text.h"
#include "cache/memo.h"
#include "model/model_graph.h"
#include "policy/variant_precisions.h"
#include "runtime/facts/engine_memo.h"
#include "runtime/facts/model_facts.h"
#include "runtime/facts/planner_inputs.h"
#include "runtime/inputs/generate_inputs.h"
#include "runtime/runtime_state.h"
#include "runtime/variants/calibration.h"
#include "runtime/variants/converter.h"
#include "runtime/variants/variant_check.h"
#include "spec/json_fields.h"

namespace axle {
namespace {

constexpr const char* kBlob = "model";
constexpr const char* kGenerated = "generated:0";

struct Kind {
  const char* word;
  const char* precision;
  bool calibrated;
};
constexpr std::array<Kind, 2> kKinds = {{{"qdq", "int8", true}, {"f16", "f16", false}}};

// Where the ranges of a quantised model are read from.
struct CalibrationSource {
  std::string digest;  // of the file, or samples_digest of what was given
  std::string file;    // "" = what the caller gave, or generated inputs
  std::string note;
};

bool has_any(const std::vector<std::string>& isa, std::initializer_list<std::string_view> features) {
  return std::any_of(isa.begin(), isa.end(),
                     [&](const std::string& have) { return std::ranges::find(features, have) != features.end(); });
}

// The recipe of the first engine that has one for a kind of resource that the policy asks for; "" = the common one.
std::string recipe_of(Runtime& runtime, const Policy& policy) {
  std::set<ResourceKind> asked;
  for (const std::string& target : policy.execution.targets) {
    const auto selector = parse_selector(target);
    if (selector && selector->kind && *selector->kind != ResourceKind::kCpu) asked.insert(*selector->kind);
  }
  if (asked.empty()) return "";  // a processor computes what the common recipe gives: no engine is opened to say so
  for (const std::string& name : runtime.engines().names()) {
    const auto state = runtime.engines().peek(name);
    if (!state || !state->description_path.empty()) continue;  // a description has no word for a recipe
    const auto facts = known_engine(runtime, name, true);
    if (!facts || !facts->present || !may_serve(*facts, policy)) continue;
    for (const CapabilityFacts& on : facts->capabilities) {
      const auto selector = parse_selector(on.resource);
      if (on.capability.copy_recipe.empty() || !selector || !selector->kind) continue;
      if (asked.contains(*selector->kind)) return on.capability.copy_recipe;
    }
  }
  return "";
}

// Products of 8-bit numbers are summed in pairs of 16 bits where there is no instruction for them: ranges of 7 bits keep that
// from overflowing (ONNX Runtime's documentation on quantisation says so of AVX2 and AVX-512 without VNNI).
// Of a transformer only products are quantised: its norms and softmaxes lose most of their meaning in 8 bits and cost little.
std::map<std::string, std::string> options_of(const Kind& kind, const Machine& machine, const std::string& op_types,
                                              const std::string& recipe) {
  if (!kind.calibrated) return {{"keep_io_types", "true"}};
  std::map<std::string, std::string> options = {
      {"activation_type", "QUInt8"}, {"calibrate_method", "MinMax"}, {"per_channel", "true"}, {"weight_type", "QInt8"}};
  if (!recipe.empty()) {
    options["recipe"] = recipe;
    return options;
  }
  const bool x86 = has_any(machine.isa, {"avx2", "avx512f"});
  const bool sums_32 = has_any(machine.isa, {"avx512_vnni", "avx_vnni", "amx_int8"});
  options["op_types"] = op_types;
  options["reduce_range"] = x86 && !sums_32 ? "true" : "false";
  return options;
}

ArtefactKey key_of(const Model& model, const Variant& variant) {
  ArtefactKey key;
  key.model_digest = model.digest();
  key.engine = "axle-convert";
  key.library_digests["converter"] = variant.converter;
  key.options = variant.options;
  key.options["kind"] = variant.kind;
  key.calibration_digest = variant.calibration_digest;
  return key;
}

// The operators to quantise; "" = no variants: only f32 models in ONNX have some. Remembered: it takes reading the graph.
Result<std::string> ops_to_quantise(Runtime& runtime, const Model& model) {
  if (model.format() != ModelFormat::kOnnx) return std::string();
  if (auto known = runtime.state().recall("variant-ops", model.digest())) return *std::move(known);
  AXLE_ASSIGN_OR_RETURN(const ModelFacts facts, model_facts(model, {}));
  std::string ops = facts.category.ends_with("TRANSFORMER") ? "Conv,Gemm,MatMul" : "all";
  if (facts.quantised || facts.float_dtype != "f32") ops.clear();
  runtime.state().remember("variant-ops", model.digest(), ops);
  return ops;
}

Result<CalibrationSource> named_source(Runtime& runtime, const std::string& file, const char* key) {
  auto digest = stamped_digest(runtime.state().memo(), file);
  if (!digest) return std::move(digest).error().with_context(key);
  return CalibrationSource{digest->digest.to_string(), file, ""};
}

Result<GeneratedSamples> generated_samples(Runtime& runtime, const Model& model, const PlanRequest& request) {
  SampleOptions options;
  options.policy = request.policy;
  options.may_run = false;
  return generate_samples(runtime, model, options);
}

// Who has no inputs hands over what generate_samples makes, of whatever seed: that is no better than none.
std::string given_digest(Runtime& runtime, const Model& model, const PlanRequest& request) {
  if (request.samples.empty()) return kGenerated;
  std::string digest = samples_digest(request.samples);
  if (is_generated(runtime, model, digest)) return kGenerated;
  const auto generated = generated_samples(runtime, model, request);
  return generated && digest == samples_digest(generated->tensors) ? kGenerated : digest;
}

// What the caller gave. A policy that names nothing keeps the copy that was made first: a run on other inputs is no reason to
// calibrate anew. Real inputs replace generated ones.
CalibrationSource given_source(Runtime& runtime, const Model& model, const PlanRequest& request) {
  const auto last = runtime.state().recall("calibrated", model.digest());
  CalibrationSource source;
  source.digest = given_digest(runtime, model, request);
  if (last && *last != kGenerated) source.digest = *last;
  source.note = source.digest == kGenerated
                    ? "int8 was calibrated on generated inputs: name real ones with accuracy.calibration"
                    : "int8 was calibrated on one set of inputs that was given: name more with accuracy.calibration";
  return source;
}

Result<CalibrationSource> source_of(Runtime& runtime, const Model& model, const PlanRequest& request) {
  const AccuracyGate& accuracy = request.policy.accuracy;
  if (!accuracy.calibration.empty()) return named_source(runtime, accuracy.calibration, "accuracy.calibration");
  if (!accuracy.samples.empty()) return named_source(runtime, accuracy.samples, "accuracy.samples");
  return given_source(runtime, model, request);
}

Result<std::vector<InputSet>> load_sets(Runtime& runtime, const CalibrationSource& source, const Model& model,
                                        const PlanRequest& request) {
  if (!source.file.empty()) {
    AXLE_ASSIGN_OR_RETURN(const std::vector<NamedTensor> arrays, load_npz(source.file));
    auto sets = calibration_sets(model.inputs(), arrays);
    if (!sets) return std::move(sets).error().with_context("calibration data '" + source.file + "'");
    return sets;
  }
  if (source.digest != kGenerated && !request.samples.empty()) return std::vector<InputSet>{request.samples};
  AXLE_ASSIGN_OR_RETURN(GeneratedSamples generated, generated_samples(runtime, model, request));
  return std::vector<InputSet>{std::move(generated.tensors)};
}

// A variant that is asked for: everything but its digest.
struct Wanted {
  Kind kind;
  Variant variant;
  CalibrationSource source;
};

Result<std::vector<Wanted>> wanted_variants(Runtime& runtime, const Model& model, const PlanRequest& request,
                                            const std::string& ops, const std::string& converter) {
  AXLE_ASSIGN_OR_RETURN(const Machine here, runtime.machine());
  const Machine& machine = request.machine != nullptr ? *request.machine : here;
  const std::string recipe = asks_for_variant(request.policy, "int8") ? recipe_of(runtime, request.policy) : "";
  std::vector<Wanted> wanted;
  for (const Kind& kind : kKinds) {
    if (!asks_for_variant(request.policy, kind.precision)) continue;
    Wanted& one = wanted.emplace_back(Wanted{kind, {}, {}});
    one.variant.kind = kind.word;
    one.variant.converter = converter;
    one.variant.options = options_of(kind, machine, ops, recipe);
    if (!kind.calibrated) continue;
    AXLE_ASSIGN_OR_RETURN(one.source, source_of(runtime, model, request));
    one.variant.calibration_digest = one.source.digest;
  }
  return wanted;
}

bool asks_for_any(const Policy& policy) {
  return std::any_of(kKinds.begin(), kKinds.end(), [&](const Kind& kind) { return asks_for_variant(policy, kind.precision); });
}

// The model as a file: its own, or what was made in memory.
Result<std::string> model_file(const Model& model, const std::string& folder) {
  AXLE_RETURN_IF_ERROR(model.check_unchanged());
  if (!model.path().empty()) return std::filesystem::absolute(model.path()).string();
  AXLE_ASSIGN_OR_RETURN(const auto graph, graph_of(model));
  AXLE_ASSIGN_OR_RETURN(const auto bytes, graph->onnx_bytes());
  if (!bytes->folder.empty()) return unimplemented_error("a model from memory with external data cannot be converted: save it");
  const std::string path = folder + "/model.onnx";
  AXLE_RETURN_IF_ERROR(write_file_atomic(path, bytes->bytes));
  return path;
}

Result<ManifestDraft> make_copy(Runtime& runtime, const Converter& converter, const Model& model, const Wanted& wanted,
                                const std::vector<InputSet>& sets, const std::string& scratch, const CancelToken& cancel) {
  Conversion conversion;
  conversion.kind = wanted.kind.word;
  conversion.options = wanted.variant.options;
  conversion.output = scratch + "/variant.onnx";
  AXLE_ASSIGN_OR_RETURN(conversion.model, model_file(model, scratch));
  for (const InputSet& set : sets) {
    conversion.calibration.push_back(fmt::format("{}/calibration-{}.npz", scratch, conversion.calibration.size()));
    AXLE_RETURN_IF_ERROR(save_npz(conversion.calibration.back(), set));
  }
  AXLE_RETURN_IF_ERROR(convert(runtime, converter, conversion, cancel));
  AXLE_ASSIGN_OR_RETURN(const std::string digest,
                        check_copy(model, wanted.kind.precision, wanted.kind.calibrated, conversion.output));
  ManifestDraft draft;
  draft.blobs.push_back({kBlob, "onnx-variant", "variant.onnx"});
  AXLE_ASSIGN_OR_RETURN(draft.compatibility_json, canonical_json({{"digest", digest}}));
  return draft;
}

Result<std::string> digest_in(const Lease& lease) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(lease.compatibility_json()));
  JsonReader reader(json, "variant");
  std::string digest = reader.text("digest");
  AXLE_RETURN_IF_ERROR(reader.finish());
  return digest;
}

Status prepare_one(Runtime& runtime, const Converter& converter, const Model& model, const PlanRequest& request,
                   Wanted wanted) {
  Cache& cache = *runtime.cache();
  ArtefactKey key = key_of(model, wanted.variant);
  AXLE_ASSIGN_OR_RETURN(const Lookup found, cache.find(key));
  if (found.hit()) return ok_status();
  std::vector<InputSet> sets;
  if (wanted.kind.calibrated) {
    // The copy that was kept is gone, and with it the inputs: what is given now takes their place.
    if (wanted.source.file.empty()) wanted.source.digest = given_digest(runtime, model, request);
    wanted.variant.calibration_digest = wanted.source.digest;
    key = key_of(model, wanted.variant);
    AXLE_ASSIGN_OR_RETURN(sets, load_sets(runtime, wanted.source, model, request));
  }
  if (request.progress) request.progress(fmt::format("making a copy of the model in {}", wanted.kind.precision), -1);
  MakeOptions options;
  options.cancel = request.cancel;
  options.progress = request.progress;
  const auto lease = cache.get_or_make(
      key,
      [&](const std::string& scratch, const CancelToken& cancel) {
        return make_copy(runtime, converter, model, wanted, sets, scratch, cancel);
      },
      options);
  if (!lease && request.cancel.cancelled()) return request.cancel.check();
  if (!lease) AXLE_LOG(kInfo, "runtime", "no copy of the model in {}: {}", wanted.kind.precision, lease.error().to_string());
  const std::string failure = lease ? "" : printable(lease.error().message(), 1000);
  runtime.state().remember("variant-failed", key.digest(), failure);
  if (wanted.kind.calibrated && wanted.source.file.empty())
    runtime.state().remember("calibrated", model.digest(), wanted.source.digest);
  return ok_status();
}

}  // namespace

Status prepare_variants(Runtime& runtime, const Model& model, const PlanRequest& request) {
  if (!asks_for_any(request.policy) || runtime.cache() == nullptr) return ok_status();
  AXLE_ASSIGN_OR_RETURN(const std::string ops, ops_to_quantise(runtime, model));
  if (ops.empty()) return ok_status();
  const auto converter = find_converter(runtime);
  if (!converter) return ok_status();
  AXLE_ASSIGN_OR_RETURN(const std::vector<Wanted> wanted, wanted_variants(runtime, model, request, ops, converter->version));
  for (const Wanted& one : wanted) {
    AXLE_RETURN_IF_ERROR(request.cancel.check());
    AXLE_RETURN_IF_ERROR(prepare_one(runtime, *converter, model, request, one));
  }
  return ok_status();
}

Result<std::vector<VariantFacts>> collect_variants(Runtime& runtime, const Model& model, const PlanRequest& request) {
  std::vector<VariantFacts> rows;
  if (!asks_for_any(request.policy)) return rows;
  AXLE_ASSIGN_OR_RETURN(const std::string ops, ops_to_quantise(runtime, model));
  if (ops.empty()) return rows;
  const auto converter = find_converter(runtime);
  AXLE_ASSIGN_OR_RETURN(const std::vector<Wanted> wanted,
                        wanted_variants(runtime, model, request, ops, converter ? converter->version : ""));
  for (const Wanted& one : wanted) {
    VariantFacts& row = rows.emplace_back(VariantFacts{one.variant, one.kind.precision, "NOT_PREPARED", "", one.source.note});
    if (runtime.cache() == nullptr) {
      row.reason = "a copy of the model in " + row.precision + " needs a cache folder to be kept in";
      continue;
    }
    if (!converter) {
      row.code = "NO_CONVERTER";
      row.reason = converter.error().message();
      continue;
    }
    const ArtefactKey key = key_of(model, one.variant);
    AXLE_ASSIGN_OR_RETURN(const Lookup found, runtime.cache()->find(key));
    if (found.hit()) {
      AXLE_ASSIGN_OR_RETURN(row.variant.digest, digest_in(*found.lease));
      row.code.clear();
      continue;
    }
    const std::string failure = runtime.state().recall("variant-failed", key.digest()).value_or("");
    if (!failure.empty()) row.code = "CONVERSION";
    row.reason = failure.empty() ? "no copy of the model in " + row.precision + " was made yet: axle tune makes it"
                                 : "a copy of the model in " + row.precision + " could not be made: " + failure;
  }
  return rows;
}

Result<OpenVariant> open_variant(Runtime& runtime, const Model& model, const Variant& variant, bool verify) {
  const auto missing = [&](const std::string& why) {
    return failed_precondition_error(fmt::format("the copy {} of the model is not here: {}", variant.name(), why))
        .with_hint("make it: axle tune, or axle compile, with the policy the plan was made under");
  };
  if (runtime.cache() == nullptr) return missing("there is no cache folder");
  FindOptions options;
  options.verify = verify;
  AXLE_ASSIGN_OR_RETURN(Lookup found, runtime.cache()->find(key_of(model, variant), options));
  if (!found.hit()) return missing(found.miss_reason);
  const Blob* blob = found.lease->find_blob(kBlob);
  if (blob == nullptr) return missing("its artefact holds no model");
  AXLE_ASSIGN_OR_RETURN(Model copy, open_model(runtime, blob->path, verify));
  if (copy.digest() != variant.digest) {
    return data_loss_error(fmt::format("the copy {} of the model in the cache is another: {}", variant.name(), copy.digest()))
        .with_hint("plan again, or remove it: axle cache rm " + found.lease->key_digest());
  }
  return OpenVariant{std::move(copy), std::move(*found.lease)};
}

}  // namespace axle
