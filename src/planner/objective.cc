#include "planner/objective.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "planner/cores.h"
#include "planner/mixed_plan.h"

namespace axle {
namespace {

__extension__ typedef __int128 Wide;

constexpr int64_t kForever = int64_t{1} << 61;
constexpr int64_t kIdlePercent = 33;          // of a processor's power, whatever its cores do
constexpr int64_t kNanosecondsPerHourMicro = 3'600;  // 3.6e12 ns per hour x 1e-6 of a unit per 1e-15 of a unit
constexpr int64_t kMostMicros = 1'000'000'000'000;

bool by_energy(const PlanningContext& context) { return context.input.policy.objective == Objective::kEnergy; }

// Millionths of the unit per hour; -1 = no price. The longest selector that matches says most.
int64_t price_micros(const PlanningContext& context, const Resource& resource) {
  const std::pair<const std::string, double>* found = nullptr;
  for (const auto& price : context.input.policy.prices) {
    const Result<Selector> selector = parse_selector(price.first);
    if (!selector.has_value() || !matches(*selector, resource)) continue;
    if (found == nullptr || price.first.size() > found->first.size()) found = &price;
  }
  if (found == nullptr) return -1;
  return std::min<int64_t>(std::llround(std::min(found->second, 1e6) * 1e6), kMostMicros);
}

int64_t rated(Wide time_ns, int64_t rate, int64_t divisor) {
  const Wide wide = time_ns * rate / divisor;
  return wide > kForever ? kForever : std::max<int64_t>(static_cast<int64_t>(wide), 1);
}

int64_t taken_on(const PlanningContext& context, const Considered& on, int64_t time_ns) {
  if (time_ns <= 0) return 0;
  const Resource& resource = *on.place.resource;
  if (by_energy(context)) {
    const int64_t milliwatts = power_milliwatts(context, resource, on.candidate.threads);
    return milliwatts > 0 ? rated(time_ns, milliwatts, 1) : 0;  // nanoseconds x milliwatts are picojoules
  }
  const int64_t micros = price_micros(context, resource);
  return micros >= 0 ? rated(time_ns, micros, kNanosecondsPerHourMicro) : 0;
}

}  // namespace

bool by_rate(const PlanningContext& context) {
  return by_energy(context) || context.input.policy.objective == Objective::kCost;
}

int64_t power_milliwatts(const PlanningContext& context, const Resource& resource, int32_t threads) {
  const DeviceProfile* profile = find_profile(context.input, resource.id);
  if (profile == nullptr || profile->power.value == 0) return 0;
  const auto full = static_cast<int64_t>(std::min<uint64_t>(profile->power.value, 1'000'000'000));
  if (resource.kind != ResourceKind::kCpu) return full;
  const Resource* whole = find_resource(context.machine, resource.id.substr(0, resource.id.find('/')));
  const int64_t sockets = std::max<int64_t>(static_cast<int64_t>(context.machine.numa_nodes.size()), 1);
  const int64_t cores = std::max<int64_t>(usable_cores(context.machine, whole == nullptr ? resource : *whole) / sockets, 1);
  return full * kIdlePercent / 100 + full * (100 - kIdlePercent) / 100 * std::max(threads, 1) / cores;
}

int64_t drawn_milliwatts(const PlanningContext& context, const Considered& considered) {
  const auto drawn = [&](const Considered& on) { return power_milliwatts(context, *on.place.resource, on.candidate.threads); };
  if (!considered.mixed) return drawn(considered);
  int64_t together = 0, most = 0;
  for (const MixedPart& part : considered.mixed->parts) {
    const int64_t one = drawn(part.on);
    if (one == 0) return 0;
    together += one;
    most = std::max(most, one);
  }
  return considered.mixed->run != PartsRun::kInTurn ? together : most;
}

int64_t taken(const PlanningContext& context, const Considered& considered, int64_t time_ns) {
  if (!considered.mixed) return taken_on(context, considered, time_ns);
  const int64_t whole = considered.mixed->expected_ns;
  int64_t sum = 0;
  for (const MixedPart& part : considered.mixed->parts) {
    // What was measured of the whole is spread over the parts as they were estimated.
    const Wide share = whole > 0 ? static_cast<Wide>(part.expected_ns) * time_ns / whole : Wide{0};
    const int64_t one = taken_on(context, part.on, static_cast<int64_t>(std::min<Wide>(share, kForever)));
    if (one == 0) return 0;
    sum = std::min(sum + one, kForever);
  }
  return sum;
}

std::string taken_text(const PlanningContext& context, int64_t taken) {
  const auto amount = static_cast<double>(taken);
  if (!by_energy(context)) return fmt::format("{:.4g} per million runs", amount * 1e-9);
  if (taken >= 1'000'000'000'000) return fmt::format("{:.3g} J", amount * 1e-12);
  return taken >= 1'000'000'000 ? fmt::format("{:.3g} mJ", amount * 1e-9) : fmt::format("{:.3g} uJ", amount * 1e-6);
}

const EvidenceRow* measured_energy(const PlanningContext& context, const Considered& considered) {
  const EvidenceRow* row = considered.evidence.timing;
  return by_energy(context) && row != nullptr && row->energy_pj > 0 ? row : nullptr;
}

std::string rate_note(const PlanningContext& context, const Considered& chosen, int64_t taken) {
  if (const EvidenceRow* row = measured_energy(context, chosen)) {
    return fmt::format("energy was measured, {} a run by {}: all that draws from these counters is in it",
                       taken_text(context, taken), row->energy_source);
  }
  return by_energy(context)
             ? fmt::format(
                   "energy is an estimate, {} a run: the power that the profile gives times the time; no counter was read",
                   taken_text(context, taken))
             : fmt::format("cost is the price per hour times the time: {}", taken_text(context, taken));
}

Status check_rates(const PlanningContext& context, const std::vector<Considered>& admitted) {
  if (!by_rate(context)) return ok_status();
  const bool known = std::any_of(admitted.begin(), admitted.end(), [&](const Considered& c) {
    return measured_energy(context, c) != nullptr || taken(context, c, 1'000'000) > 0;
  });
  if (known) return ok_status();
  if (by_energy(context)) {
    return failed_precondition_error(
               fmt::format("objective.minimize = \"energy\" cannot be judged: {}", unknown_text(context, admitted.front())))
        .with_hint(
            "`axle tune` reads energy counters where this process may (`axle devices --json` lists them); else minimize "
            "latency, or plan for a machine of `axle devices --profiles`");
  }
  return failed_precondition_error(
             fmt::format("objective.minimize = \"cost\" cannot be judged: {}", unknown_text(context, admitted.front())))
      .with_hint(fmt::format("[prices] \"{}\" = PRICE", resource_kind_name(admitted.front().place.resource->kind)));
}

std::string unknown_text(const PlanningContext& context, const Considered& considered) {
  const std::string& resource = considered.place.resource->id;
  return by_energy(context) ? fmt::format("no profile gives the power of {}", resource)
                            : fmt::format("[prices] names no price per hour for {}", resource);
}

}  // namespace axle
