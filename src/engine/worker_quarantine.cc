#include "engine/worker_quarantine.h"

#include <fmt/core.h>

#include <algorithm>

namespace axle {

Quarantine& Quarantine::of_process() {
  static Quarantine* const quarantine = new Quarantine;  // watchers may outlive static destructors
  return *quarantine;
}

Status Quarantine::check(const std::string& plugin, int64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  const auto found = records_.find(plugin);
  if (found == records_.end() || now_ns >= found->second.until_ns) return ok_status();
  const Record& record = found->second;
  return unavailable_error(
             fmt::format("{} is in quarantine for {} s more: its process ended {} times in a row, the last time: {}",
                         plugin.substr(plugin.rfind('/') + 1), (record.until_ns - now_ns) / 1'000'000'000 + 1, record.deaths,
                         record.how))
      .with_hint("choose another engine meanwhile (engines.deny), or start the program anew to try at once");
}

// The first after a quarantine that dies again sends it back for twice as long.
void Quarantine::died(const std::string& plugin, const std::string& how, int64_t now_ns) {
  const std::lock_guard lock(mutex_);
  Record& record = records_[plugin];
  record.how = how;
  if (++record.deaths < kDeathsInARow) return;
  record.pause_ns = std::clamp(2 * record.pause_ns, kFirstNs, kLongestNs);
  record.until_ns = now_ns + record.pause_ns;
}

void Quarantine::went_well(const std::string& plugin) {
  const std::lock_guard lock(mutex_);
  records_.erase(plugin);
}

}  // namespace axle
