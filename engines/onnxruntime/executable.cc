#include "executable.h"

#include <atomic>
#include <cstdlib>

#include <unistd.h>

#include "context.h"
#include "integer_kernels.h"
#include "support.h"

namespace axle::ort {
namespace {

class OrtExecutable final : public kit::Executable {
 public:
  // The artefact's bytes are used by the session until it ends.
  OrtExecutable(std::unique_ptr<LoadedArtefact> artefact, std::shared_ptr<Session> session)
      : artefact_(std::move(artefact)), session_(std::move(session)) {}

  kit::Io io() override { return session_->io(); }
  std::unique_ptr<kit::Context> make_context() override { return std::make_unique<OrtContext>(session_); }
  kit::Counters counters() override;

 private:
  std::unique_ptr<LoadedArtefact> artefact_;
  std::shared_ptr<Session> session_;
};

#if ORT_API_VERSION >= 23
// "InUse" -> "arena_in_use".
std::string counter_name(std::string_view key) {
  std::string name = "arena";
  for (const char c : key) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper) name += '_';
    name += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return name;
}

void add_arena_counters(const Session& session, kit::Counters& counters) {
  const Api& api = session.api();
  if (!api.has(23)) return;
  const auto memory = make<OrtMemoryInfo>(api, api->ReleaseMemoryInfo, "describing the arena", [&](OrtMemoryInfo** out) {
    return api->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, out);
  });
  const auto allocator = make<OrtAllocator>(api, api->ReleaseAllocator, "opening the arena", [&](OrtAllocator** out) {
    return api->CreateAllocator(session.get(), memory.get(), out);
  });
  const auto stats = make<OrtKeyValuePairs>(api, api->ReleaseKeyValuePairs, "reading the arena", [&](OrtKeyValuePairs** out) {
    return api->AllocatorGetStats(allocator.get(), out);
  });
  const char* const* keys = nullptr;
  const char* const* values = nullptr;
  size_t count = 0;
  api->GetKeyValuePairs(stats.get(), &keys, &values, &count);
  for (size_t i = 0; i < count; ++i) {
    const double value = std::strtod(values[i], nullptr);
    counters[counter_name(keys[i])] = value;
    if (std::string_view(keys[i]) == "InUse") counters["memory_bytes"] = value;
  }
}
#endif

kit::Counters OrtExecutable::counters() {
  kit::Counters counters = {{"runs", static_cast<double>(session_->runs().load(std::memory_order_relaxed))},
                            {"worker_threads", static_cast<double>(session_->threads().count())}};
#if ORT_API_VERSION >= 23
  add_arena_counters(*session_, counters);
#endif
  return counters;
}

// Which provider got which node; nodes elsewhere than asked become fallbacks, or an error when none is allowed.
void verify_assignment(const Session& session, const std::string& wanted, const Settings& settings, kit::Effective& effective) {
#if ORT_API_VERSION >= 24
  const Api& api = session.api();
  if (!api.has(24)) return;
  const OrtEpAssignedSubgraph* const* subgraphs = nullptr;
  size_t count = 0;
  check(api, api->Session_GetEpGraphAssignmentInfo(session.get(), &subgraphs, &count), "reading the node assignment");
  for (size_t i = 0; i < count; ++i) {
    const char* provider = nullptr;
    check(api, api->EpAssignedSubgraph_GetEpName(subgraphs[i], &provider), "reading the node assignment");
    const OrtEpAssignedNode* const* nodes = nullptr;
    size_t node_count = 0;
    check(api, api->EpAssignedSubgraph_GetNodes(subgraphs[i], &nodes, &node_count), "reading the node assignment");
    for (size_t n = 0; n < node_count; ++n) {
      const char* name = nullptr;
      check(api, api->EpAssignedNode_GetName(nodes[n], &name), "reading the node assignment");
      effective.kernels.push_back({name, provider, "", ""});
      if (wanted != provider) effective.fallbacks.push_back({name, wanted, provider, "the provider does not take this node"});
    }
  }
  if (!effective.fallbacks.empty() && !settings.allow_cpu_fallback) {
    throw kit::failed_precondition(std::to_string(effective.fallbacks.size()) + " nodes would run on " +
                                   effective.fallbacks.front().to + " instead of " + wanted + ", first '" +
                                   effective.fallbacks.front().node + "'")
        .hint("choose another engine or resource, or set allow_cpu_fallback=true");
  }
#else
  (void)session, (void)wanted, (void)settings, (void)effective;
#endif
}

kit::Effective effective_values(const Session& session, const kit::LoadArgs& args, const Settings& settings,
                                bool integer_kernels) {
  const Api& api = session.api();
  const bool parallel = settings.execution_mode == "parallel";
  kit::Effective effective;
  // The CPU provider never lowers a type: float kernels compute in the model's types or wider. Others are taken at their word.
  effective.precision = args.precision == "int8" && !integer_kernels ? "f32" : std::string(args.precision);
  // A narrow float type is stored, and computed in f32 wherever a kernel for it is missing: which ones are is not told.
  const bool narrow = args.precision == "f16" || args.precision == "bf16";
  effective.precision_read_back = settings.provider == "cpu" && !narrow;
  effective.threads = parallel ? args.threads : session.threads().count() + 1;  // the caller's thread works too
  effective.spin = get_entry(api, session.options(), "session.force_spinning_stop") == "0" && session.threads().count() > 0;
  effective.cpu_set_honoured = session.threads().confined();
  effective.cpu_set.assign(args.cpu_set.begin(), args.cpu_set.end());
  effective.options = to_texts(settings);
  if (parallel) effective.options["mem_pattern"] = "false";
  return effective;
}

// Asks the library to write what it made of the model, to see whether integers really came of it.
class OptimisedCopy {
 public:
  OptimisedCopy(const Runtime& runtime, const kit::LoadArgs& args) {
    static std::atomic<uint64_t> next{0};
    const std::string folder = args.scratch_folder.empty() ? runtime.scratch_folder() : std::string(args.scratch_folder);
    path_ = folder + "/optimised-" + std::to_string(next.fetch_add(1)) + ".ort";
  }
  ~OptimisedCopy() { ::unlink(path_.c_str()); }
  OptimisedCopy(const OptimisedCopy&) = delete;
  OptimisedCopy& operator=(const OptimisedCopy&) = delete;

  void request(const Api& api, OrtSessionOptions* options) const {
    check(api, api->SetOptimizedModelFilePath(options, path_.c_str()), "choosing where the optimised model goes");
    set_entry(api, options, "session.save_model_format", "ORT");
  }
  bool has_integers() const {
    const kit::Blob blob{"model.ort", {}, path_};
    return has_integer_kernels(LoadedArtefact(std::span(&blob, 1)).source().bytes);
  }

 private:
  std::string path_;
};

}  // namespace

kit::Loaded load_executable(const std::shared_ptr<const Runtime>& runtime, Providers& providers, const kit::LoadArgs& args) {
  const Settings settings = parse_settings(args.options);
  providers.names_on(args.resource);
  check_precision_name(args.precision);
  std::unique_ptr<LoadedArtefact> artefact;
  if (!args.blobs.empty()) artefact = std::make_unique<LoadedArtefact>(args.blobs);
  if (args.graph) {
    if (const auto reason = refuse_precision(types_of(*args.graph), args.precision)) throw kit::unimplemented(*reason);
  }
  SessionPlan plan;
  plan.threads = args.threads;
  plan.spin = args.spin;
  plan.optimise = artefact == nullptr;
  plan.fuse_quantised = args.precision == "int8";
  const bool foreign = settings.provider != "cpu";
  const OptimisedCopy copy(*runtime, args);
  const bool look = plan.fuse_quantised && !foreign && artefact == nullptr;
  const auto make_options = [&] {
    auto options = make_session_options(runtime->api(), settings, plan);
    if (foreign) set_entry(runtime->api(), options.get(), "session.record_ep_graph_assignment_info", "1");
    if (look) copy.request(runtime->api(), options.get());
    providers.append(options.get(), settings, args.resource, args.precision);
    return options;
  };
  const auto open = [&]() -> std::shared_ptr<Session> {
    if (artefact == nullptr) return open_graph(runtime, make_options, args.cpu_set, *args.graph, args.cancel);
    return Session::open(runtime, make_options(), std::make_unique<WorkerThreads>(args.cpu_set), artefact->source(),
                         args.cancel);
  };
  std::shared_ptr<Session> session;
  try {
    session = open();
  } catch (const kit::Error& error) {
    throw providers.explained(error, settings);
  }
  if (!session->threads().confined()) {
    throw kit::failed_precondition("the worker threads cannot be confined to the requested CPUs")
        .hint("are they allowed for this process?");
  }
  const bool integers =
      look ? copy.has_integers() : plan.fuse_quantised && artefact != nullptr && has_integer_kernels(artefact->source().bytes);
  kit::Loaded loaded;
  loaded.effective = effective_values(*session, args, settings, integers);
  if (foreign) verify_assignment(*session, providers.vendor_name(settings, args.resource), settings, loaded.effective);
  loaded.executable = std::make_unique<OrtExecutable>(std::move(artefact), std::move(session));
  return loaded;
}

}  // namespace axle::ort
