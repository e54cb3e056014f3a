#include "runtime/isolate.h"

#include <fmt/format.h>

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

}  // namespace

Result<std::shared_ptr<Engine>> isolated_engine(Runtime& runtime, const Engine& here, const Partition& part) {
  if (here.plugin().path().empty()) {
    return failed_precondition_error(
               fmt::format("{} cannot run in a process of its own: it was registered by this program and is "
                           "no plugin file",
                           here.name()))
        .with_hint(fmt::format("set engines.{}.isolation = \"none\", or choose another engine", here.name()));
  }
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime.machine());
  WorkerOptions options;
  options.plugin_path = here.plugin().path();
  options.cpu_set = process_cpus(machine, part);
  options.memory_limit_bytes = runtime.state().options.worker_memory_bytes;
  options.call_timeout = std::chrono::nanoseconds(runtime.state().options.worker_timeout_ns);
  AXLE_ASSIGN_OR_RETURN(auto plugin, start_worker(options));
  AXLE_ASSIGN_OR_RETURN(auto engine, Engine::create(std::move(plugin), here.created_with()));
  if (library_of(engine->info()) != library_of(here.info())) {
    return aborted_error(fmt::format("{} found another library in a process of its own: {} instead of {}", here.name(),
                                     library_of(engine->info()), library_of(here.info())));
  }
  engine->set_library_digest(here.library_digest());
  engine->bind_machine(machine);
  return engine;
}

}  // namespace axle
