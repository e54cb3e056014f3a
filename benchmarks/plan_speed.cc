// How long one decision takes when graph and verdicts are in memory; prints JSON.
//   axle_benchmark_plan_speed NODES [REPETITIONS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "base/file.h"
#include "plan_case.h"
#include "planner/planner.h"
#include "run_main.h"
#include "runtime/paired_stats.h"

namespace axle_benchmarks {
namespace {

// The rows of a golden case with `count` nodes instead of its own; `half`: the first engine refuses every second node.
axle::PlannerInput input_of(size_t count, bool half) {
  auto text = axle::read_file(std::string(AXLE_SOURCE_DIR) + "/tests/plans/evidence_decides.plan", 1u << 20);
  if (!text) throw std::runtime_error(text.error().to_string());
  auto parsed = axle::testing::parse_plan_case(*text);
  if (!parsed) throw std::runtime_error(parsed.error().to_string());
  axle::PlannerInput input = std::move(parsed->input);
  input.model.nodes.clear();
  for (size_t i = 0; i < count; ++i) {
    input.model.nodes.push_back({"block/" + std::to_string(i), i % 2 != 0 ? "Relu" : "Conv", "", 1'000'000, 1000, 4000});
  }
  for (axle::VerdictRow& row : input.verdicts) {
    row.verdict.nodes.clear();
    row.verdict.otherwise.kind = axle::VerdictKind::kYes;
    if (!half || &row != &input.verdicts.front()) continue;
    row.verdict.graph.kind = axle::VerdictKind::kNo;
    for (uint32_t i = 1; i < count; i += 2) {
      row.verdict.nodes.push_back({i, {axle::VerdictKind::kNo, "UNSUPPORTED_OP", "no kernel", -1}});
    }
  }
  return input;
}

void time_case(const char* name, const axle::PlannerInput& input, int repetitions) {
  std::vector<int64_t> times_ns;
  size_t decisions = 0;
  for (int i = 0; i < repetitions; ++i) {
    const auto started = std::chrono::steady_clock::now();
    const auto output = axle::make_plan(input);
    times_ns.push_back(
        std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - started).count());
    if (!output) throw std::runtime_error(output.error().to_string());
    decisions = output->plan.decisions.size();
  }
  std::printf("\"%s\":{\"p50_us\":%.1f,\"p95_us\":%.1f,\"max_us\":%.1f,\"decisions\":%zu}", name,
              static_cast<double>(axle::quantile(times_ns, 0.5)) / 1e3,
              static_cast<double>(axle::quantile(times_ns, 0.95)) / 1e3,
              static_cast<double>(*std::max_element(times_ns.begin(), times_ns.end())) / 1e3, decisions);
}

int run(int argc, char** argv) {
  if (argc < 2) throw std::runtime_error("usage: NODES [REPETITIONS]");
  const size_t nodes = std::stoul(argv[1]);
  const int repetitions = argc > 2 ? std::stoi(argv[2]) : 200;
  std::printf("{\"nodes\":%zu,\"repetitions\":%d,", nodes, repetitions);
  time_case("all_supported", input_of(nodes, false), repetitions);
  std::printf(",");
  time_case("half_refused", input_of(nodes, true), repetitions);
  std::printf("}\n");
  return 0;
}

}  // namespace
}  // namespace axle_benchmarks

int main(int argc, char** argv) { return axle_benchmarks::run_main(axle_benchmarks::run, argc, argv); }
