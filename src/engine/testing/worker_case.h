// What the tests of workers share: an engine in a process of its own, and what is left of it in this one.
#pragma once

#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "base/file.h"
#include "engine/testing/engine_fixture.h"
#include "engine/worker.h"

namespace axle::testing {

inline const std::string kNull = AXLE_BINARY_DIR "/lib/axle/engines/libaxle_engine_null.so";
inline const std::string kUnruly = AXLE_BINARY_DIR "/lib/axle/testing/libaxle_engine_unruly.so";
// x[0] of the misdeeds of testing/unruly_engine.cc.
inline constexpr float kAbort = -1, kExit = -2, kHang = -3, kHoard = -4, kHangUntilCancelled = -5, kLeave = -6;

// An engine in a worker, one executable, one context with x bound.
struct Isolated {
  std::optional<ScratchDir> scratch;
  std::shared_ptr<const Plugin> plugin;
  std::shared_ptr<Engine> engine;
  std::shared_ptr<const Executable> executable;
  std::optional<Context> context;
  FloatTensor x{{4}, {1, 2, 3, 4}};

  Status open(const WorkerOptions& options) {
    AXLE_ASSIGN_OR_RETURN(scratch, ScratchDir::create());
    AXLE_ASSIGN_OR_RETURN(plugin, start_worker(options));
    EngineCreateOptions create;
    create.scratch_folder = scratch->path();
    AXLE_ASSIGN_OR_RETURN(engine, Engine::create(plugin, create));
    return ok_status();
  }
  Status load(const std::shared_ptr<const Graph>& graph) {
    EngineLoadRequest request;
    request.graph = index_of(graph);
    request.resource = "cpu:0";
    AXLE_ASSIGN_OR_RETURN(executable, engine->load(request));
    AXLE_ASSIGN_OR_RETURN(Context made, executable->make_context());
    context.emplace(std::move(made));
    return context->bind_input(0, x.abi());
  }
  Status run(float first = 1) {
    x.values[0] = first;
    return context->run();
  }
  std::vector<float> y() {
    auto view = context->output(0);
    return view.ok() ? floats(*view) : std::vector<float>{};
  }
  double counter(const std::string& name) const {
    const auto counters = executable->counters();
    return counters.ok() && counters->contains(name) ? counters->at(name) : -1;
  }
  pid_t pid() const { return static_cast<pid_t>(counter("worker_pid")); }
  void kill_worker() const {
    ASSERT_GT(pid(), 1) << "kill(-1) would take every process along";
    ASSERT_EQ(::kill(pid(), SIGKILL), 0);
  }
};

inline std::shared_ptr<const Graph> doubling(int nodes = 1) {
  GraphBuilder builder;
  builder.input("x", {{4, ""}});
  for (int i = 0; i < nodes; ++i) {
    const std::string from = i == 0 ? "x" : "v" + std::to_string(i - 1);
    builder.node("Add", {from, from}, i + 1 == nodes ? "y" : "v" + std::to_string(i), SymbolicShape{{4, ""}});
  }
  return builder.output("y").build();
}

inline WorkerOptions null_options() {
  WorkerOptions options;
  options.plugin_path = kNull;
  return options;
}

struct Unruly : Isolated {
  explicit Unruly(WorkerOptions options = {}) {
    options.plugin_path = kUnruly;
    EXPECT_THAT(open(options), IsOk());
    EXPECT_THAT(load(doubling()), IsOk());
  }
};

inline size_t open_descriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

inline size_t shared_mappings() {
  const auto maps = read_file("/proc/self/maps", 64u << 20);
  EXPECT_THAT(maps, IsOk());
  size_t count = 0;
  for (size_t at = maps->find("/memfd:axle"); at != std::string::npos; at = maps->find("/memfd:axle", at + 1)) ++count;
  return count;
}

inline size_t threads() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

inline bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

inline bool process_lives(pid_t pid) {
  const auto status = read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  return status.ok() && status->find(") Z ") == std::string::npos;
}

}  // namespace axle::testing
