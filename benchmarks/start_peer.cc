// The same without axle: a minimal program on an engine's C API, with the engine's own caching when CACHE is not "-".
//   axle_benchmark_start_peer MODEL INPUTS.flat ENGINE THREADS LIBRARY CACHE [OUTPUT]
// OUTPUT: file that the bytes of the outputs are written to, as `axle run` writes its outputs.
#include <chrono>
#include <cstdio>
#include <fstream>
#include <stdexcept>

#include "peer.h"
#include "process_memory.h"
#include "run_main.h"

namespace axle_benchmarks {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

void write_outputs(Peer& peer, const std::string& path) {
  std::ofstream out(path, std::ios::binary);
  for (const FlatView& view : peer.outputs()) {
    size_t count = 1;
    for (const int64_t size : view.shape) count *= static_cast<size_t>(size);
    out.write(static_cast<const char*>(view.data), static_cast<std::streamsize>(count * sizeof(float)));
  }
  if (!out.flush()) throw std::runtime_error("cannot write " + path);
}

int run(int argc, char** argv) {
  if (argc < 7 || argc > 8) throw std::runtime_error("usage: MODEL INPUTS.flat ENGINE THREADS LIBRARY CACHE [OUTPUT]");
  std::vector<FlatTensor> inputs = read_flat(argv[2]);
  const int64_t before_kib = memory_kib("VmRSS");
  const Clock::time_point start = Clock::now();
  const std::string cache = argv[6];
  const auto peer = open_peer(argv[3], {argv[5], argv[1], std::stoi(argv[4]), cache == "-" ? "" : cache});
  const double open_ms = milliseconds_since(start);
  peer->bind_inputs(inputs);
  peer->first_run();
  const double first_ms = milliseconds_since(start);
  if (argc == 8) write_outputs(*peer, argv[7]);
  std::printf(
      "{\"open_ms\":%.3f,\"first_output_ms\":%.3f,\"start_kib\":%lld,\"rss_kib\":%lld,\"peak_kib\":%lld,\"anonymous_kib\":%lld}"
      "\n",
      open_ms, first_ms, static_cast<long long>(before_kib), static_cast<long long>(memory_kib("VmRSS")),
      static_cast<long long>(memory_kib("VmHWM")), static_cast<long long>(memory_kib("RssAnon")));
  return 0;
}

}  // namespace
}  // namespace axle_benchmarks

int main(int argc, char** argv) { return axle_benchmarks::run_main(axle_benchmarks::run, argc, argv); }
