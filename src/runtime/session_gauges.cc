// What of a session's memory and power its policy bounds.
#include <algorithm>

#include "runtime/session_impl.h"

namespace axle {
namespace {

// The most that the processes of the parts held, together; nothing where one of them does not tell, or there is none.
std::optional<uint64_t> workers_peak(const std::vector<std::shared_ptr<const Executable>>& isolated) {
  uint64_t sum = 0;
  for (const auto& executable : isolated) {
    const auto counters = executable->process_counters();
    const auto peak = counters.find("worker_peak_memory_bytes");
    if (peak == counters.end()) return std::nullopt;
    sum += static_cast<uint64_t>(std::max(peak->second, 0.0));
  }
  return isolated.empty() ? std::nullopt : std::optional(sum);
}

}  // namespace

Result<std::vector<QosGauge>> Session::Impl::gauges(uint64_t resident_before) const {
  std::vector<QosGauge> gauges;
  const Constraints& bounds = policy.constraints;
  if (bounds.memory_bytes > 0) {
    std::vector<std::shared_ptr<const Executable>> elsewhere;
    size_t parts = 0;
    for (const Replicas* const replicas : all_replicas()) {
      for (size_t replica = 0; replica < replicas->size(); ++replica) {
        for (const LoadedPartition& part : replicas->loaded(replica).partitions) {
          ++parts;
          if (!part.executable->process_counters().empty()) elsewhere.push_back(part.executable);
        }
      }
    }
    const bool in_process = elsewhere.size() < parts;
    gauges.push_back(memory_gauge(bounds.memory_bytes, resident_before, in_process,
                                  [workers = std::move(elsewhere)] { return workers_peak(workers); }));
  }
  if (bounds.power_watts > 0) {
    AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime->machine());
    std::set<std::string> resources;
    for (const Partition& part : plan.partitions) resources.insert(part.candidate.resource);
    gauges.push_back(power_gauge(bounds.power_watts, machine, resources));
  }
  return gauges;
}

}  // namespace axle
