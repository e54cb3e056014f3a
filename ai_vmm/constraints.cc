#include "constraints.h"

#include <cmath>
#include <utility>

namespace ai_vmm {
namespace {

axle::Status check_bound(const char* name, double value) {
  if (std::isfinite(value) && value >= 0) return axle::ok_status();
  return axle::invalid_argument_error(std::string("constraint ") + name + " is " + std::to_string(value) +
                                      "; it must be a number of at least 0 (0 = none)");
}

axle::Status check_bounds(const DeploymentConstraints& c) {
  for (const auto& [name, value] : {std::pair{"max_latency_ms", c.max_latency_ms},
                                    {"min_throughput", c.min_throughput},
                                    {"max_power_watts", c.max_power_watts},
                                    {"max_relative_error", c.max_relative_error},
                                    {"measure_for_s", c.measure_for_s}}) {
    AXLE_RETURN_IF_ERROR(check_bound(name, value));
  }
  constexpr double kMostSeconds = 1e9;  // nanoseconds fit 64 bits
  if (c.max_latency_ms > kMostSeconds * 1e3 || c.measure_for_s > kMostSeconds) {
    return axle::invalid_argument_error("max_latency_ms or measure_for_s is longer than 30 years");
  }
  if (c.threads < 0) return axle::invalid_argument_error("constraint threads is negative; 0 leaves it to axle");
  if (!c.preferred_hardware.empty() && !c.required_hardware.empty()) {
    return axle::invalid_argument_error("preferred_hardware and required_hardware are both given")
        .with_hint("required_hardware lets nothing stand in, preferred_hardware does: give one of them");
  }
  return axle::ok_status();
}

axle::Status set_latency(const DeploymentConstraints& c, axle::Constraints& out) {
  const auto bound_ns = static_cast<int64_t>(std::llround(c.max_latency_ms * 1e6));
  switch (c.latency_percentile) {
    case 50: out.latency_p50_ns = bound_ns; return axle::ok_status();
    case 95: out.latency_p95_ns = bound_ns; return axle::ok_status();
    case 99: out.latency_p99_ns = bound_ns; return axle::ok_status();
    default:
      return axle::invalid_argument_error("latency_percentile is " + std::to_string(c.latency_percentile) +
                                          "; it can be 50, 95 or 99");
  }
}

axle::Objective objective_of(HardwareProfile profile) {
  switch (profile) {
    case HardwareProfile::HIGH_THROUGHPUT: return axle::Objective::kThroughput;
    case HardwareProfile::LOW_MEMORY: return axle::Objective::kMemory;
    case HardwareProfile::LOW_POWER: return axle::Objective::kEnergy;
    case HardwareProfile::BALANCED:
    case HardwareProfile::LOW_LATENCY: break;
  }
  return axle::Objective::kLatency;
}

void set_schedule(SchedulingStrategy strategy, axle::ScheduleRules& out) {
  switch (strategy) {
    case SchedulingStrategy::AUTO: break;
    case SchedulingStrategy::SINGLE_DEVICE:
      out.kind = axle::ScheduleKind::kSingle;
      out.mixing = axle::Mixing::kNever;
      break;
    case SchedulingStrategy::MODEL_PARALLEL: out.kind = axle::ScheduleKind::kSplit; break;
    case SchedulingStrategy::PIPELINE_PARALLEL: out.kind = axle::ScheduleKind::kPipeline; break;
    case SchedulingStrategy::HYBRID: out.mixing = axle::Mixing::kAllowed; break;
  }
}

}  // namespace

axle::Result<axle::Policy> policy_of(const DeploymentConstraints& constraints) {
  AXLE_RETURN_IF_ERROR(check_bounds(constraints));
  axle::Policy policy;
  policy.objective = objective_of(constraints.profile);
  AXLE_RETURN_IF_ERROR(set_latency(constraints, policy.constraints));
  policy.constraints.throughput_min_per_s = constraints.min_throughput;
  policy.constraints.power_watts = constraints.max_power_watts;
  policy.constraints.memory_bytes = constraints.max_memory_bytes;
  if (constraints.max_relative_error > 0) policy.accuracy.max_relative_error = constraints.max_relative_error;
  policy.execution.precisions = constraints.precisions;
  policy.execution.threads = constraints.threads;
  policy.execution.targets = constraints.required_hardware;
  if (!constraints.preferred_hardware.empty()) {
    policy.execution.targets = constraints.preferred_hardware;
    policy.fallback.resource = {"auto"};  // a preference: whatever stands in is in the plan's ledger
  }
  policy.resources.deny = constraints.excluded_hardware;
  set_schedule(constraints.strategy, policy.schedule);
  AXLE_RETURN_IF_ERROR(axle::check_policy(policy));
  return policy;
}

}  // namespace ai_vmm
