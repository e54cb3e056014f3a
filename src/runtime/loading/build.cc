#include "runtime/loading/build.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "axle/build_log.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/logging.h"
#include "base/text.h"
#include "cache/failed_builds.h"
#include "engine/engine.h"
#include "model/extract.h"
#include "runtime/loading/custom_ops.h"
#include "runtime/loading/isolate.h"
#include "runtime/loading/part_graph.h"
#include "runtime/loading/portable.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

// Where a part is compiled for: the machine, and what the engine calls the resource.
struct Place {
  const Machine& machine;
  std::string resource;
  bool elsewhere = false;  // it is not this one
};

ArtefactKey key_of(const Engine& engine, const Machine& machine, const Model& model, const Partition& part,
                   const std::string& part_digest) {
  ArtefactKey key;
  key.model_digest = model.digest();
  key.subgraph_digest = part_digest;
  if (!part_digest.empty()) key.extractor_version = std::to_string(kExtractorVersion);
  key.engine = engine.name();
  key.plugin_digest = engine.info().plugin_version;
  key.library_digests[engine.name()] = engine.library_digest();
  key.options = part.options;
  const Resource* resource = find_resource(machine, part.candidate.resource);
  // A part of a split runs what its whole runs.
  key.target = resource == nullptr ? part.candidate.resource : resource->vendor + " " + resource->name + " " + resource->driver;
  key.isa = join(machine.isa, ",");
  key.precision = part.candidate.precision;
  key.threads = part.candidate.threads;
  return key;
}

EngineProgress engine_progress(const BuildOptions& options) {
  if (!options.progress) return nullptr;
  return [progress = options.progress](uint64_t done, uint64_t total, std::string_view what) {
    progress(std::string(what), total == 0 ? -1 : static_cast<double>(done) / static_cast<double>(total));
  };
}

Status fill_request(EngineRequest& request, const Partition& part, const BuildOptions& options) {
  request.resource = part.candidate.resource;
  request.precision = part.candidate.precision;
  request.options = part.options;
  if (const auto libraries = request.options.find(std::string(kCustomOpsOption)); libraries != request.options.end()) {
    AXLE_ASSIGN_OR_RETURN(libraries->second, custom_ops_paths(libraries->second));
  }
  request.cancel = options.cancel;
  request.progress = engine_progress(options);
  return ok_status();
}

// `producer`: who makes it, when it is to be taken elsewhere.
Result<ManifestDraft> compile_into(const Engine& engine, const Place& place, const Model& model, const Partition& part,
                                   const BuildOptions& options, const Json& producer, const std::string& scratch_folder,
                                   const CancelToken& cancel) {
  EngineRequest request;
  AXLE_RETURN_IF_ERROR(fill_request(request, part, options));
  request.resource = place.resource;
  AXLE_ASSIGN_OR_RETURN(const auto graph, part_graph(model, part));
  AXLE_ASSIGN_OR_RETURN(request.graph, graph_for_engine(engine, place.resource, graph));
  request.scratch_folder = scratch_folder;
  request.cancel = cancel;
  AXLE_ASSIGN_OR_RETURN(const ArtefactManifest manifest, engine.compile(request, part.candidate.threads));
  ManifestDraft draft;
  for (const ManifestBlob& blob : manifest.blobs) draft.blobs.push_back({blob.name, manifest.format, blob.path});
  Json compatibility = {{"self_contained", manifest.self_contained}, {"facts", manifest.compatibility}};
  if (!producer.is_null()) compatibility["producer"] = producer;
  AXLE_ASSIGN_OR_RETURN(draft.compatibility_json, canonical_json(compatibility));
  return draft;
}

constexpr size_t kMostReadLogBytes = size_t{32} << 20;

std::string log_in(const std::string& scratch_folder) {
  return read_file(scratch_folder + "/" + std::string(kBuildLogName), kMostReadLogBytes).value_or("");
}

// Keeps what the compiler printed before it failed, and says where.
Status with_log(const Cache& cache, const ArtefactKey& key, Status status, const std::string& log) {
  if (log.empty() || status.code() == StatusCode::kCancelled || is_cache_failure(status)) return status;
  if (const Status kept = keep_failed_build(cache, key, status.message(), log); !kept.ok()) {
    AXLE_LOG(kInfo, "runtime", "the log of a failed build is not kept: {}", kept.to_string());
    return status;
  }
  const std::string where = "axle cache log " + key.digest().substr(7, 12) + " shows what its tools printed";
  std::string hint = status.hint().empty() ? where : status.hint() + "; " + where;
  return std::move(status).with_hint(std::move(hint));
}

struct Artefact {
  std::optional<Lease> lease;
  bool self_contained = false;
  bool imported = false;  // compiled on another machine
  std::string cache = "none";
  Status left_out;  // why there is no lease although there should be one
};

Status take_lease(Artefact& artefact, Lease lease) {
  AXLE_ASSIGN_OR_RETURN(const Json compatibility, parse_json(lease.compatibility_json()));
  artefact.self_contained = compatibility.value("self_contained", false);
  artefact.cache = lease.built() ? "miss" : "hit";
  artefact.lease = std::move(lease);
  return ok_status();
}

// What the cache holds that would nearly have done, where nothing can be compiled.
Status with_nearest(Runtime& runtime, const std::optional<ArtefactKey>& portable, Status status) {
  if (!portable || status.code() != StatusCode::kUnavailable) return status;
  const std::string nearest = nearest_portable(*runtime.cache(), *portable);
  if (nearest.empty()) return status;
  return std::move(status).with_context(nearest);
}

// One that was compiled elsewhere for a device like this. A cache that cannot be looked into holds none.
Result<Artefact> imported_artefact(Runtime& runtime, const ArtefactKey& portable, const MakeOptions& options) {
  Artefact artefact;
  auto found = find_portable(*runtime.cache(), portable, {.verify = options.verify, .cancel = options.cancel});
  if (!found) {
    AXLE_RETURN_IF_ERROR(options.cancel.check());
    AXLE_LOG(kWarning, "runtime", "imported artefacts are not looked for: {}", found.error().to_string());
  } else if (*found) {
    artefact.imported = true;
    AXLE_RETURN_IF_ERROR(take_lease(artefact, **std::move(found)));
  }
  return artefact;
}

// No lease: the engine has no artefacts for this, or the cache cannot be used; the caller loads from the graph.
Result<Artefact> artefact_of(Runtime& runtime, const Engine& engine, const Place& place, const Model& model,
                             const Partition& part, const BuildOptions& options) {
  Artefact artefact;
  if (!engine.can_compile() || runtime.cache() == nullptr) return artefact;
  std::string part_digest;
  if (!part.nodes.empty() || !part.axes.empty()) {
    AXLE_ASSIGN_OR_RETURN(const auto graph, part_graph(model, part));
    part_digest = graph->digest;
  }
  MakeOptions make_options;
  // What closed libraries read they do not check: a flipped bit ends in a crash, or in wrong numbers.
  make_options.verify = options.verify || engine.info().closed;
  make_options.cancel = options.cancel;
  make_options.progress = options.progress;
  ArtefactKey key = key_of(engine, place.machine, model, part, part_digest);
  const std::optional<ArtefactKey> portable = portable_key(key, engine);
  Json producer;
  if (portable && place.elsewhere) {
    key = *portable;
    AXLE_ASSIGN_OR_RETURN(const Machine here, runtime.machine());
    producer = producer_of(engine, here);
  } else if (portable) {
    AXLE_ASSIGN_OR_RETURN(artefact, imported_artefact(runtime, *portable, make_options));
    if (artefact.lease) return artefact;
  }
  std::string log;
  auto lease = runtime.cache()->get_or_make(
      key,
      [&](const std::string& folder, const CancelToken& cancel) {
        auto draft = compile_into(engine, place, model, part, options, producer, folder, cancel);
        if (!draft) log = log_in(folder);
        return draft;
      },
      make_options);
  if (!lease) {
    const Status status = with_log(*runtime.cache(), key, lease.error(), log);
    if (status.code() == StatusCode::kUnimplemented) return artefact;
    if (is_cache_failure(status)) {
      AXLE_LOG(kWarning, "runtime", "going on without the cache: {}", status.to_string());
      return artefact;
    }
    return with_nearest(runtime, place.elsewhere ? std::nullopt : portable, status).with_family(ErrorFamily::kCompilation);
  }
  if (lease->built()) (void)forget_failed_builds(runtime.cache()->path(), lease->key_digest().substr(7));
  AXLE_RETURN_IF_ERROR(take_lease(artefact, *std::move(lease)));
  return artefact;
}

// Without an artefact where it could not be made: loading from the graph says whether the model is at fault, and only a load that goes
// well makes the missing artefact worth a word. A full disk, for one, shows only as an engine that cannot write. Not for an engine that
// runs only what was compiled before.
Result<Artefact> artefact_or_none(Runtime& runtime, const Engine& engine, const Place& place, const Model& model,
                                  const Partition& part, const BuildOptions& options) {
  auto artefact = artefact_of(runtime, engine, place, model, part, options);
  if (artefact) return artefact;
  const Status& status = artefact.error();
  if (status.code() == StatusCode::kCancelled || status.code() == StatusCode::kDeadlineExceeded) return artefact;
  const auto capability = engine.capability(part.candidate.resource);
  if (!capability || capability->needs_compile) return artefact;
  Artefact none;
  none.left_out = status;
  return none;
}

// An engine that cannot keep to a core set still stays on a resource that it was given whole.
bool is_whole_resource(const Machine& machine, const Partition& part) {
  const Resource* resource = find_resource(machine, part.candidate.resource);
  return resource != nullptr && std::ranges::all_of(resource->cpus, [&](int32_t cpu) {
           return std::ranges::find(part.cpu_set, cpu) != part.cpu_set.end();
         });
}

// What stands between a DequantizeLinear and a QuantizeLinear is computed in floats where it has no form in integers. Of a part that may be
// all there is, and it is what the graph says.
bool computes_in_floats_between(const Partition& part, const EffectiveValues& effective) {
  return !part.nodes.empty() && part.candidate.precision == "int8" && effective.precision == "f32";
}

Status check_effective(const Machine& machine, const Partition& part, const EffectiveValues& effective) {
  const std::string name = part.candidate.format();
  const auto differs = [&](const std::string& what) {
    return failed_precondition_error(fmt::format("{} was loaded, but {}", name, what))
        .with_family(ErrorFamily::kCompilation)
        .with_hint("nothing was substituted; choose what the engine can do, or another engine");
  };
  if (effective.precision_read_back && effective.precision != part.candidate.precision && effective.precision != "unknown" &&
      !computes_in_floats_between(part, effective)) {
    return differs(fmt::format("it computes in {}, the plan says {}", effective.precision, part.candidate.precision));
  }
  if (effective.threads > 0 && effective.threads != part.candidate.threads) {
    return differs(fmt::format("it uses {} threads, the plan says {}", effective.threads, part.candidate.threads));
  }
  if (!part.cpu_set.empty() && !effective.cpu_set_honoured && !is_whole_resource(machine, part)) {
    return differs(fmt::format("it does not stay on its {} CPUs", part.cpu_set.size()));
  }
  if (!effective.fallbacks.empty()) {
    const EngineFallback& first = effective.fallbacks.front();
    return differs(fmt::format("{} nodes run elsewhere, first {}: {} instead of {}: {}", effective.fallbacks.size(), first.node,
                               first.to, first.from, first.reason));
  }
  return ok_status();
}

// Some engines record their nodes only when they are loaded for it.
Result<bool> turn_profiling_on(const Engine& engine, Partition& part) {
  AXLE_ASSIGN_OR_RETURN(const Capability capability, engine.capability(part.candidate.resource));
  const auto option = std::ranges::find(capability.options, kProfilingOption, &OptionSpec::name);
  if (option == capability.options.end() || option->type != OptionType::kBoolean) return false;
  const std::string before = std::exchange(part.options[std::string(kProfilingOption)], "true");
  return before != "true";
}

Result<std::shared_ptr<Engine>> engine_of(Runtime& runtime, const Partition& part) {
  AXLE_ASSIGN_OR_RETURN(auto engine, runtime.state().engine(part.candidate.engine, runtime));
  if (!part.library_digest.empty() && engine->library_digest() != part.library_digest) {
    return aborted_error(fmt::format("{} is not the library this plan was made with: {} now, {} then", part.candidate.engine,
                                     engine->library_digest(), part.library_digest))
        .with_hint("plan again, or install the version the plan names: " + part.engine_version);
  }
  return part.isolated ? isolated_engine(runtime, std::move(engine), part) : engine;
}

// One that does not fit was compiled for another runtime than this machine's: only a fitting one, or none, helps.
Status refused(Status status, const std::string& imported_key) {
  if (imported_key.empty() || status.code() != StatusCode::kFailedPrecondition) return status;
  return std::move(status).with_hint(
      fmt::format("it was compiled on another machine: import one that fits, or take it out and compile here, axle cache rm {}",
                  imported_key.substr(7, 12)));
}

Result<std::shared_ptr<const Executable>> load_artefact(const Engine& engine, const Model& model, const Partition& part,
                                                        const Artefact& artefact, const BuildOptions& options) {
  EngineLoadRequest request;
  AXLE_RETURN_IF_ERROR(fill_request(request, part, options));
  request.threads = part.candidate.threads;
  request.spin = part.spin;
  request.cpu_set = part.cpu_set;
  if (artefact.lease) {
    for (const Blob& blob : artefact.lease->blobs()) {
      request.blobs.push_back({blob.name, {reinterpret_cast<const char*>(blob.data.data()), blob.data.size()}, blob.path});
    }
    request.artefact_owner = std::make_shared<Lease>(*artefact.lease);
  }
  if (!artefact.lease || !artefact.self_contained) {
    AXLE_ASSIGN_OR_RETURN(const auto graph, part_graph(model, part));
    AXLE_ASSIGN_OR_RETURN(request.graph, graph_for_engine(engine, request.resource, graph));
    AXLE_RETURN_IF_ERROR(model.check_unchanged());
  }
  return engine.load(request);
}

}  // namespace

Result<BuiltPartition> build_partition(Runtime& runtime, const Model& model, const Partition& planned,
                                       const BuildOptions& options) {
  AXLE_ASSIGN_OR_RETURN(const auto engine, engine_of(runtime, planned));
  if (options.next != nullptr) prepare_isolated_engine(runtime, *options.next);
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime.machine());
  Partition part = planned;
  const Place place{machine, part.candidate.resource};
  BuiltPartition built;
  if (options.profile) {
    AXLE_ASSIGN_OR_RETURN(built.profiling_turned_on, turn_profiling_on(*engine, part));
  }
  BuildOptions now = options;
  for (;;) {
    const int64_t compile_started = steady_ns();
    AXLE_ASSIGN_OR_RETURN(Artefact artefact, artefact_or_none(runtime, *engine, place, model, part, now));
    built.cache = artefact.cache;
    const int64_t load_started = steady_ns();
    if (artefact.cache == "miss") built.compile_ns = load_started - compile_started;
    auto executable = load_artefact(*engine, model, part, artefact, options);
    if (executable) {
      built.executable = *std::move(executable);
      built.load_ns = steady_ns() - load_started;
      if (!artefact.left_out.ok())
        AXLE_LOG(kWarning, "runtime", "going on without an artefact of {}: {}", part.candidate.format(),
                 artefact.left_out.to_string());
      break;
    }
    // A stamp that holds may hide bytes that do not. What is corrupt is removed and made again; else the engine is at fault.
    const std::string imported_key = artefact.imported ? artefact.lease->key_digest() : "";
    if (artefact.cache != "hit" || now.verify) return refused(executable.error(), imported_key);
    artefact.lease.reset();
    now.verify = true;
    const auto sound = build_artefact(runtime, model, part, now);
    if (!sound || sound->cache == "hit") return refused(executable.error(), imported_key);
    AXLE_LOG(kWarning, "runtime", "an artefact of {} was corrupt and is made again; loading it had failed: {}",
             part.candidate.format(), executable.error().to_string());
  }
  AXLE_RETURN_IF_ERROR(check_effective(machine, part, built.executable->effective()));
  built.in_floats = computes_in_floats_between(part, built.executable->effective());
  return built;
}

Result<BuiltArtefact> build_artefact(Runtime& runtime, const Model& model, const Partition& part, const BuildOptions& options) {
  AXLE_ASSIGN_OR_RETURN(auto engine, engine_of(runtime, part));
  AXLE_ASSIGN_OR_RETURN(const Machine here, runtime.machine());
  const bool elsewhere = options.machine != nullptr && options.machine->fingerprint() != here.fingerprint();
  Place place{elsewhere ? *options.machine : here, part.candidate.resource, elsewhere};
  if (elsewhere) {
    const Resource* resource = find_resource(place.machine, part.candidate.resource);
    if (resource == nullptr)
      return invalid_argument_error(
          fmt::format("the machine has no resource '{}', which the plan names", part.candidate.resource));
    AXLE_ASSIGN_OR_RETURN(place.resource, engine->target_for(*resource));
  }
  const int64_t started = steady_ns();
  AXLE_ASSIGN_OR_RETURN(const Artefact artefact, artefact_of(runtime, *engine, place, model, part, options));
  // Whoever compiles usually loads next. Of a compiler that failed nobody knows the state: its process ends.
  return_isolated_engine(runtime, part, std::move(engine));
  BuiltArtefact built;
  built.cache = artefact.cache;
  if (!artefact.lease) return built;
  built.key_digest = artefact.lease->key_digest();
  built.size_bytes = artefact.lease->size_bytes();
  if (built.cache == "miss") built.compile_ns = steady_ns() - started;
  return built;
}

}  // namespace axle
