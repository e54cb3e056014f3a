#include "runtime/loading/isolate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "engine/worker.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

std::string library_of(const EngineInfo& info) {
  return info.library ? info.library->path + " (" + info.library->version + ")" : std::string("none");
}

// A core set of a split is the process's: nothing in it may leave. On a whole CPU the engine's own threads stay on the part's cores, and
// the threads that stand for callers run where callers would.
std::vector<int32_t> process_cpus(const Machine& machine, const Partition& part) {
  const Resource* whole = find_resource(machine, part.candidate.resource);
  return whole != nullptr && whole->part < 0 && !whole->cpus.empty() ? whole->cpus : part.cpu_set;
}

// Everything that a process is started with; nothing of the runtime, which may be gone before a start in the background is over.
struct Start {
  WorkerOptions worker;
  EngineCreateOptions create;
  std::string name;
};

Result<Start> start_of(Runtime& runtime, const Machine& machine, const Engine& here, const Partition& part) {
  if (here.plugin().path().empty()) {
    return failed_precondition_error(
               fmt::format("{} cannot run in a process of its own: it was registered by this program and is "
                           "no plugin file",
                           here.name()))
        .with_hint(fmt::format("set engines.{}.isolation = \"none\", or choose another engine", here.name()));
  }
  Start start;
  start.worker.plugin_path = here.plugin().path();
  start.worker.cpu_set = process_cpus(machine, part);
  start.worker.memory_limit_bytes = runtime.state().options.worker_memory_bytes;
  start.worker.call_timeout = std::chrono::nanoseconds(runtime.state().options.worker_timeout_ns);
  start.create = here.created_with();
  start.name = here.name();
  return start;
}

// Processes under one key are alike: one may stand for another.
std::string key_of(const Start& start) {
  return fmt::format("{}\t{}\t{}\t{}\t{}", start.name, start.worker.plugin_path, fmt::join(start.worker.cpu_set, ","),
                     start.worker.memory_limit_bytes, start.worker.call_timeout.count());
}

// The process in which `here` has answered about one model alone: what a hostile model may have done to it is that model's own. Later
// questions have another one. Null: it may not be had.
std::shared_ptr<Engine> answering_engine(Runtime& runtime, const std::shared_ptr<Engine>& here) {
  Runtime::State& state = runtime.state();
  {
    const std::lock_guard lock(state.mutex);
    if (state.asked_about[here->name()].size() > 1) return nullptr;
  }
  if (!here->leave_place()) return nullptr;
  const std::lock_guard lock(state.mutex);
  state.asked_about.erase(here->name());
  return here;
}

// Questions are answered without limits, wherever the process may run.
bool is_limited(const WorkerOptions& worker) {
  return !worker.cpu_set.empty() || worker.memory_limit_bytes != 0 || worker.call_timeout.count() != 0;
}

Result<std::shared_ptr<Engine>> start_engine(const Start& start) {
  AXLE_ASSIGN_OR_RETURN(auto plugin, start_worker(start.worker));
  return Engine::create(std::move(plugin), start.create);
}

}  // namespace

Result<std::shared_ptr<Engine>> isolated_engine(Runtime& runtime, std::shared_ptr<Engine> here, const Partition& part) {
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime.machine());
  AXLE_ASSIGN_OR_RETURN(const Start start, start_of(runtime, machine, *here, part));
  std::shared_ptr<Engine> engine = runtime.state().idle->take(key_of(start));
  if (engine == nullptr && !is_limited(start.worker)) engine = answering_engine(runtime, here);
  if (engine == nullptr) {
    AXLE_ASSIGN_OR_RETURN(engine, start_engine(start));
  }
  if (library_of(engine->info()) != library_of(here->info())) {
    return aborted_error(fmt::format("{} found another library in a process of its own: {} instead of {}", here->name(),
                                     library_of(engine->info()), library_of(here->info())));
  }
  engine->set_library_digest(here->library_digest());
  engine->bind_machine(machine);
  return engine;
}

void prepare_isolated_engine(Runtime& runtime, const Partition& part) {
  if (!part.isolated) return;
  const auto here = runtime.state().engine(part.candidate.engine, runtime);
  const auto machine = runtime.machine();
  if (!here || !machine) return;
  auto start = start_of(runtime, *machine, **here, part);
  if (!start) return;
  const std::string key = key_of(*start);
  runtime.state().idle->prepare(key, [made = *std::move(start)] { return start_engine(made); });
}

void return_isolated_engine(Runtime& runtime, const Partition& part, std::shared_ptr<Engine> engine) {
  if (!part.isolated || engine.use_count() != 1) return;
  const auto machine = runtime.machine();
  if (!machine) return;
  const auto start = start_of(runtime, *machine, *engine, part);
  if (start) runtime.state().idle->give(key_of(*start), std::move(engine));
}

void note_question(Runtime& runtime, const std::string& engine, const std::string& model_digest) {
  const std::lock_guard lock(runtime.state().mutex);
  runtime.state().asked_about[engine].insert(model_digest);
}

void end_idle_engines(Runtime& runtime, const Plan& plan) {
  runtime.state().idle->clear();
  for (const Partition& part : plan.partitions) {
    if (const auto engine = runtime.state().engine(part.candidate.engine, runtime)) (void)answering_engine(runtime, *engine);
  }
}

}  // namespace axle
