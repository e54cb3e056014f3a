// What a call of an engine in a process of its own costs: the null engine's Identity, in this process and in axle-worker, caller
// and worker each on a core of their own or on the same; prints JSON.
//   axle_benchmark_worker_call PLUGIN.so [FLOATS [ROUNDS [BLOCK_MS]]]
#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>
#include <stdexcept>
#include <thread>

#include "axle_calls.h"
#include "base/file.h"
#include "engine/engine.h"
#include "engine/testing/graph_builder.h"
#include "engine/worker.h"
#include "paired.h"
#include "run_main.h"
#include "runtime/measuring/paired_stats.h"

namespace axle_benchmarks {
namespace {

std::vector<int32_t> allowed_cpus() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof(set), &set) != 0) throw std::runtime_error("sched_getaffinity");
  std::vector<int32_t> cpus;
  for (int32_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

void stay_on(int32_t cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (::sched_setaffinity(0, sizeof(set), &set) != 0) throw std::runtime_error("sched_setaffinity");
}

// Identity over `count` floats, tensors bound in advance.
class Call {
 public:
  Call(const std::shared_ptr<const axle::Plugin>& plugin, int64_t count, bool spin, std::vector<int32_t> cpus)
      : scratch_(value_of(axle::ScratchDir::create())), x_(static_cast<size_t>(count), 1), y_(x_), shape_{count} {
    axle::EngineCreateOptions create;
    create.scratch_folder = scratch_.path();
    const auto engine = value_of(axle::Engine::create(plugin, create));
    axle::EngineLoadRequest request;
    request.graph = value_of(axle::GraphIndex::create(axle::testing::GraphBuilder()
                                                          .input("x", {{count, ""}})
                                                          .node("Identity", {"x"}, "y", axle::SymbolicShape{{count, ""}})
                                                          .output("y")
                                                          .build()));
    request.resource = "cpu:0";
    request.spin = spin;
    request.cpu_set = std::move(cpus);
    context_.emplace(value_of(value_of(engine->load(request))->make_context()));
    check(context_->bind_input(0, tensor(x_)));
    check(context_->bind_output(0, tensor(y_)));
  }
  void operator()() {
    if (const axle::Status status = context_->run(); !status.ok()) [[unlikely]]
      check(status);
  }

 private:
  axle_tensor_t tensor(std::vector<float>& values) {
    axle_tensor_t made{};
    made.struct_size = sizeof(made);
    made.dtype = 1;
    made.rank = 1;
    made.shape = shape_.data();
    made.data = values.data();
    made.size_bytes = values.size() * sizeof(float);
    return made;
  }
  axle::ScratchDir scratch_;
  std::vector<float> x_, y_;
  std::vector<int64_t> shape_;
  std::optional<axle::Context> context_;
};

std::shared_ptr<const axle::Plugin> worker_on(const std::string& path, int32_t cpu) {
  axle::WorkerOptions options;
  options.plugin_path = path;
  options.cpu_set = {cpu};
  return value_of(axle::start_worker(options));
}

// Single calls, the caller idle for a while before each: neither side is awake.
std::vector<int64_t> after_idle(Call& call, int calls) {
  std::vector<int64_t> times;
  for (int i = 0; i < calls; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const auto started = std::chrono::steady_clock::now();
    call();
    times.push_back((std::chrono::steady_clock::now() - started).count());
  }
  return times;
}

void time_together(const char* group, std::vector<Contender> contenders, const PairedOptions& options) {
  const PairedResult result = run_paired(contenders, options);
  std::printf(",\"%s\":{\"rounds\":%lld,\"disturbed_rounds\":%lld,\"noisy\":%s", group, static_cast<long long>(result.rounds),
              static_cast<long long>(result.disturbed), result.noisy ? "true" : "false");
  for (const Contender& contender : contenders) {
    const Difference added = paired_difference(contenders.front().block_ns, contender.block_ns);
    std::printf(",\"%s\":{\"call_ns\":%.0f,\"added_ns\":%.0f,\"low_ns\":%.0f,\"high_ns\":%.0f}", contender.name.c_str(),
                axle::median(contender.block_ns), added.median_ns, added.low_ns, added.high_ns);
  }
  std::printf("}");
}

int run(int argc, char** argv) {
  if (argc < 2) throw std::runtime_error("usage: PLUGIN.so [FLOATS [ROUNDS [BLOCK_MS]]]");
  const std::string path = argv[1];
  const int64_t count = argc > 2 ? std::stoll(argv[2]) : 4;
  PairedOptions options;
  options.rounds = argc > 3 ? std::stoll(argv[3]) : 16;
  options.block_ns = (argc > 4 ? std::stoll(argv[4]) : 60) * 1'000'000;
  const std::vector<int32_t> cpus = allowed_cpus();
  const int32_t here = cpus.front(), there = cpus.back();
  // Before this thread stays on one CPU: whether a worker may spin follows from what this process may use.
  Call inside(value_of(axle::Plugin::open(path)), count, false, {});
  Call spinning(worker_on(path, there), count, true, {there});
  Call blocking(worker_on(path, there), count, false, {there});
  Call same(worker_on(path, here), count, true, {here});
  stay_on(here);
  std::printf("{\"floats\":%lld,\"cpus\":%zu", static_cast<long long>(count), cpus.size());
  if (here != there) {
    time_together(
        "apart",
        {{"in_process", [&] { inside(); }, {}}, {"spinning", [&] { spinning(); }, {}}, {"blocking", [&] { blocking(); }, {}}},
        options);
  }
  // Apart from the others: a worker on the caller's own core takes it from the caller, which looks like a disturbance.
  time_together("together", {{"in_process", [&] { inside(); }, {}}, {"same_core", [&] { same(); }, {}}}, options);
  for (const auto& [name, call] :
       {std::pair<const char*, Call*>{"blocking_after_idle", &blocking}, {"same_core_after_idle", &same}}) {
    const std::vector<int64_t> times = after_idle(*call, 300);
    std::printf(",\"%s\":{\"p50_ns\":%lld,\"p95_ns\":%lld}", name, static_cast<long long>(axle::quantile(times, 0.5)),
                static_cast<long long>(axle::quantile(times, 0.95)));
  }
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace axle_benchmarks

int main(int argc, char** argv) { return axle_benchmarks::run_main(axle_benchmarks::run, argc, argv); }
