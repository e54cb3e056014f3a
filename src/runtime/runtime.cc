#include "axle/runtime.h"

#include <cstdio>
#include <cstdlib>

#include "base/file.h"
#include "base/fork_guard.h"
#include "base/logging.h"
#include "base/text.h"
#include "engine/worker_channel.h"
#include "engine/worker_confine.h"
#include "model/model_graph.h"
#include "runtime/runtime_state.h"

namespace axle {

namespace {

// For programs that set no limits of their own. A word that is no limit is an error: else there would be none.
Status limit_by_environment(const char* variable, Result<int64_t> (*parse)(std::string_view), int64_t& limit) {
  const char* word = std::getenv(variable);
  if (word == nullptr || word[0] == '\0' || limit != 0) return ok_status();
  Result<int64_t> parsed = parse(word);
  if (!parsed) return std::move(parsed).error().with_context(variable);
  limit = *parsed;
  return limit > 0 ? ok_status() : invalid_argument_error(std::string(variable) + " is \"" + word + "\", which is no limit");
}

Status limits_by_environment(RuntimeOptions& options) {
  AXLE_RETURN_IF_ERROR(limit_by_environment("AXLE_WORKER_TIMEOUT", &parse_duration_ns, options.worker_timeout_ns));
  auto memory = static_cast<int64_t>(options.worker_memory_bytes);
  AXLE_RETURN_IF_ERROR(limit_by_environment("AXLE_WORKER_MEMORY", &parse_size_bytes, memory));
  options.worker_memory_bytes = static_cast<uint64_t>(memory);
  return ok_status();
}

}  // namespace

Runtime::Runtime(std::unique_ptr<State> state) : state_(std::move(state)) {}
Runtime::~Runtime() = default;

Result<std::shared_ptr<Runtime>> Runtime::create(RuntimeOptions options) {
  AXLE_RETURN_IF_ERROR(limits_by_environment(options));
  auto state = std::make_unique<State>();
  EngineRegistryOptions registry_options;
  registry_options.plugin_folders = options.engine_folders;
  registry_options.descriptions = options.engine_descriptions;
  registry_options.only = options.engines;
  if (options.use_cache) {
    auto cache = Cache::open({.folder = options.cache_folder});
    if (cache) {
      state->cache = std::move(*cache);
      auto evidence = EvidenceStore::open(state->cache->path());
      if (evidence)
        state->evidence = std::move(*evidence);
      else
        state->problems.push_back("evidence is neither read nor kept: " + evidence.error().to_string());
    } else {
      state->problems.push_back("nothing is cached: " + cache.error().to_string());
    }
  }
  // Hashing the engines' libraries takes longer than loading a small model.
  registry_options.digest_memo = state->library_digest_memo();
  AXLE_ASSIGN_OR_RETURN(state->registry, EngineRegistry::create(std::move(registry_options)));
  state->idle = std::make_unique<IdleEngines>(options.idle_workers);
  state->options = std::move(options);
  return std::shared_ptr<Runtime>(new Runtime(std::move(state)));
}

Result<Machine> Runtime::machine() {
  const std::lock_guard lock(state_->mutex);
  if (!state_->machine) {
    AXLE_ASSIGN_OR_RETURN(Machine machine, discover_machine());
    state_->registry->bind_machine(machine);
    state_->machine = std::move(machine);
  }
  return *state_->machine;
}

EngineRegistry& Runtime::engines() { return *state_->registry; }
Cache* Runtime::cache() { return state_->cache ? &*state_->cache : nullptr; }
EvidenceStore* Runtime::evidence() { return state_->evidence ? &*state_->evidence : nullptr; }

std::vector<std::string> Runtime::problems() const {
  std::vector<std::string> problems;
  {
    const std::lock_guard lock(state_->mutex);
    problems = state_->problems;
  }
  if (const auto worker = find_worker_program(); !worker)
    problems.push_back("no engine can run in a process of its own: " + worker.error().to_string());
  return problems;
}

std::vector<WorkerSafeguard> Runtime::worker_safeguards() { return axle::worker_safeguards(); }

Result<std::shared_ptr<Runtime>> default_runtime() {
  static std::mutex mutex;
  static std::shared_ptr<Runtime> runtime;
  static ForkGuard guard;
  const std::lock_guard lock(mutex);
  if (!runtime || guard.in_forked_child()) {
    // The parent's runtime owns threads and vendor state that a child cannot use: it is left alone, not destroyed.
    if (runtime) new std::shared_ptr<Runtime>(std::move(runtime));
    guard = ForkGuard();
    AXLE_ASSIGN_OR_RETURN(runtime, Runtime::create());
  }
  return runtime;
}

void end_process(int exit_code) {
  std::fflush(nullptr);
  remove_scratch_dirs();
  std::_Exit(exit_code);
}

std::optional<std::string> Runtime::State::recall(std::string_view kind, const std::string& key) {
  return cache ? cache->memo().get(kind, key) : std::nullopt;
}

void Runtime::State::remember(std::string_view kind, const std::string& key, const std::string& value) {
  if (!cache || cache->read_only()) return;
  if (const Status status = cache->memo().put(kind, key, value); !status.ok()) {
    AXLE_LOG(kWarning, "runtime", "not remembered: {}", status.to_string());
  }
}

Result<std::shared_ptr<Engine>> Runtime::State::engine(const std::string& name, Runtime& runtime) {
  AXLE_RETURN_IF_ERROR(runtime.machine().status());
  return registry->open(name);
}

Result<Model> open_model(Runtime& runtime, const std::string& path, bool verify) {
  Runtime::State& state = runtime.state();
  const std::string key = "path\t" + path;
  if (!verify && path.find('\n') == std::string::npos) {
    if (const auto record = state.recall("model", key)) {
      auto model = open_recorded_model(path, *record);
      if (model) return model;
    }
  }
  AXLE_ASSIGN_OR_RETURN(Model model, Model::load(path));
  if (const auto record = model_record(model); record && path.find('\n') == std::string::npos) {
    state.remember("model", key, *record);
  }
  return model;
}

}  // namespace axle
