#include "runtime/measuring/peak_memory.h"

#include <fmt/core.h>

#include "runtime/loading/isolate.h"

namespace axle {
namespace {

constexpr int kRuns = 3;  // the first allocates, and some engines keep what a second one needs

}  // namespace

Result<uint64_t> measure_peak_memory(Runtime& runtime, const Model& model, Plan plan, const std::vector<NamedTensor>& samples,
                                     const CancelToken& cancel) {
  for (Partition& part : plan.partitions) part.isolated = true;
  end_idle_engines(runtime, plan);  // a process that has compiled or answered before tells more than this candidate takes
  SessionOptions options;
  options.runtime = std::shared_ptr<Runtime>(&runtime, [](Runtime*) {});
  options.cancel = cancel;
  AXLE_ASSIGN_OR_RETURN(const Session session, Session::load(model, plan, std::move(options)));
  RunOptions run;
  run.cancel = cancel;
  for (int i = 0; i < kRuns; ++i) AXLE_RETURN_IF_ERROR(session.run(samples, run).status());
  uint64_t total = 0;
  for (const auto& counters : session.counters()) {
    const auto peak = counters.find("worker_peak_memory_bytes");
    if (peak == counters.end() || peak->second <= 0)
      return unavailable_error(
          fmt::format("the process that ran {} did not tell its memory", plan.partitions.front().candidate.engine));
    total += static_cast<uint64_t>(peak->second);
  }
  return total;
}

}  // namespace axle
