// From opening a session to its first output, in a fresh process, through axle; prints times and memory as JSON.
//   axle_benchmark_start_axle MODEL INPUTS.flat ENGINE THREADS
#include <chrono>
#include <cstdio>
#include <stdexcept>

#include "axle/session.h"
#include "axle_calls.h"
#include "flat_tensor.h"
#include "process_memory.h"
#include "run_main.h"

namespace axle_benchmarks {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

int run(int argc, char** argv) {
  if (argc != 5) throw std::runtime_error("usage: MODEL INPUTS.flat ENGINE THREADS");
  std::vector<FlatTensor> inputs = read_flat(argv[2]);
  const int64_t before_kib = memory_kib("VmRSS");
  const Clock::time_point start = Clock::now();
  axle::SessionOptions options;
  if (std::string(argv[3]) != "auto") options.policy.engines.allow = {argv[3]};
  options.policy.execution.threads = std::stoi(argv[4]);
  const std::vector<axle::NamedTensor> feeds = feeds_of(inputs);
  options.samples = feeds;
  const axle::Session session = value_of(axle::Session::create(argv[1], std::move(options)));
  const double open_ms = milliseconds_since(start);
  const auto outputs = value_of(session.run(feeds));
  const double first_ms = milliseconds_since(start);
  std::printf(
      "{\"open_ms\":%.3f,\"first_output_ms\":%.3f,\"plan_ms\":%.3f,\"compile_ms\":%.3f,\"load_ms\":%.3f,\"cache\":\"%s\","
      "\"candidate\":\"%s\",\"start_kib\":%lld,\"rss_kib\":%lld,\"peak_kib\":%lld,\"anonymous_kib\":%lld,\"outputs\":%zu}\n",
      open_ms, first_ms, static_cast<double>(session.timing().plan_ns) / 1e6,
      static_cast<double>(session.timing().compile_ns) / 1e6, static_cast<double>(session.timing().load_ns) / 1e6,
      session.timing().cache.c_str(), session.plan().partitions.front().candidate.format().c_str(),
      static_cast<long long>(before_kib), static_cast<long long>(memory_kib("VmRSS")),
      static_cast<long long>(memory_kib("VmHWM")), static_cast<long long>(memory_kib("RssAnon")), outputs.size());
  return 0;
}

}  // namespace
}  // namespace axle_benchmarks

int main(int argc, char** argv) { return axle_benchmarks::run_main(axle_benchmarks::run, argc, argv); }
