// Resident memory of the host library with no engine loaded: after start, after making a runtime and discovering the machine,
// and after reading a model. Prints JSON.
//   axle_benchmark_host_memory MODEL
#include <cstdio>
#include <stdexcept>

#include "axle/runtime.h"
#include "axle_calls.h"
#include "process_memory.h"
#include "run_main.h"

namespace axle_benchmarks {
namespace {

int run(int argc, char** argv) {
  if (argc != 2) throw std::runtime_error("usage: MODEL");
  const int64_t started_kib = memory_kib("VmRSS");
  const int64_t started_anonymous_kib = memory_kib("RssAnon");
  axle::RuntimeOptions options;
  options.engines = {"none"};
  auto runtime = axle::Runtime::create(options);
  check(runtime.status());
  check((*runtime)->machine().status());
  const int64_t runtime_kib = memory_kib("VmRSS");
  const int64_t runtime_anonymous_kib = memory_kib("RssAnon");
  const auto model = axle::open_model(**runtime, argv[1]);
  check(model.status());
  std::printf(
      "{\"start_kib\":%lld,\"start_anonymous_kib\":%lld,\"runtime_kib\":%lld,\"runtime_anonymous_kib\":%lld,\"model_kib\":%lld,"
      "\"model_anonymous_kib\":%lld}\n",
      static_cast<long long>(started_kib), static_cast<long long>(started_anonymous_kib), static_cast<long long>(runtime_kib),
      static_cast<long long>(runtime_anonymous_kib), static_cast<long long>(memory_kib("VmRSS")),
      static_cast<long long>(memory_kib("RssAnon")));
  return 0;
}

}  // namespace
}  // namespace axle_benchmarks

int main(int argc, char** argv) { return axle_benchmarks::run_main(axle_benchmarks::run, argc, argv); }
