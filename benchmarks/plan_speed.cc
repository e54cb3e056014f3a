// How long one decision takes when graph and verdicts are in memory, and what memory it needs beside them; prints JSON.
//   axle_benchmark_plan_speed NODES [REPETITIONS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "base/file.h"
#include "plan_case.h"
#include "planner/planner.h"
#include "process_memory.h"
#include "run_main.h"
#include "runtime/measuring/paired_stats.h"

namespace axle_benchmarks {
namespace {

// Nodes that the engines refuse: none; every second one by the first engine; those, and some of the others by the second, so
// that only a mixed plan runs the model.
enum class Refused { kNone, kHalfByOne, kSomeByEach };

void refuse(axle::VerdictRow& row, size_t count, size_t start, size_t every) {
  row.verdict.graph.kind = axle::VerdictKind::kNo;
  for (size_t i = start; i < count; i += every) {
    row.verdict.nodes.push_back({static_cast<uint32_t>(i), {axle::VerdictKind::kNo, "UNSUPPORTED_OP", "no kernel", -1}});
  }
}

// The rows of a golden case with a chain of `count` nodes instead of its own.
axle::PlannerInput input_of(size_t count, Refused refused) {
  auto text = axle::read_file(std::string(AXLE_SOURCE_DIR) + "/tests/plans/evidence_decides.plan", 1u << 20);
  if (!text) throw std::runtime_error(text.error().to_string());
  auto parsed = axle::testing::parse_plan_case(*text);
  if (!parsed) throw std::runtime_error(parsed.error().to_string());
  axle::PlannerInput input = std::move(parsed->input);
  input.model.nodes.clear();
  input.model.tensors.clear();
  for (size_t i = 0; i < count; ++i) {
    input.model.nodes.push_back({"block/" + std::to_string(i), i % 2 != 0 ? "Relu" : "Conv", "", 1'000'000, 1000, 4000});
    const auto node = static_cast<int32_t>(i);
    input.model.tensors.push_back({"value/" + std::to_string(i), "f32[1,1000]", 4000, node - 1, {node}});
  }
  for (axle::VerdictRow& row : input.verdicts) {
    row.verdict.nodes.clear();
    row.verdict.otherwise.kind = axle::VerdictKind::kYes;
    const bool first = row.engine == input.verdicts.front().engine;
    if (refused != Refused::kNone && first) refuse(row, count, 1, 2);
    if (refused == Refused::kSomeByEach && !first) refuse(row, count, 4, 96);
  }
  return input;
}

// The kernel forgets the peak so far, so that the next one is this case's own.
void forget_peak() { std::ofstream("/proc/self/clear_refs") << "5"; }

void time_case(const char* name, const axle::PlannerInput& input, int repetitions) {
  std::vector<int64_t> times_ns;
  size_t decisions = 0, partitions = 0;
  forget_peak();
  const int64_t before_kib = memory_kib("VmRSS");
  for (int i = 0; i < repetitions; ++i) {
    const auto started = std::chrono::steady_clock::now();
    const auto output = axle::make_plan(input);
    times_ns.push_back(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - started).count());
    if (!output) throw std::runtime_error(output.error().to_string());
    decisions = output->plan.decisions.size();
    partitions = output->plan.partitions.size();
  }
  std::printf(
      "\"%s\":{\"p50_us\":%.1f,\"p95_us\":%.1f,\"max_us\":%.1f,\"added_kib\":%lld,\"decisions\":%zu,\"partitions\":%zu}", name,
      static_cast<double>(axle::quantile(times_ns, 0.5)) / 1e3, static_cast<double>(axle::quantile(times_ns, 0.95)) / 1e3,
      static_cast<double>(*std::max_element(times_ns.begin(), times_ns.end())) / 1e3,
      static_cast<long long>(memory_kib("VmHWM") - before_kib), decisions, partitions);
}

int run(int argc, char** argv) {
  if (argc < 2) throw std::runtime_error("usage: NODES [REPETITIONS]");
  const size_t nodes = std::stoul(argv[1]);
  const int repetitions = argc > 2 ? std::stoi(argv[2]) : 200;
  std::printf("{\"nodes\":%zu,\"repetitions\":%d,", nodes, repetitions);
  time_case("all_supported", input_of(nodes, Refused::kNone), repetitions);
  std::printf(",");
  time_case("half_refused", input_of(nodes, Refused::kHalfByOne), repetitions);
  std::printf(",");
  time_case("mixed", input_of(nodes, Refused::kSomeByEach), repetitions);
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace axle_benchmarks

int main(int argc, char** argv) { return axle_benchmarks::run_main(axle_benchmarks::run, argc, argv); }
