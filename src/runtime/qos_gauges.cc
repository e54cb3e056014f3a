#include "runtime/qos_gauges.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "base/clock.h"
#include "probe/energy_meter.h"

namespace axle {
namespace {

constexpr int64_t kPowerWindowNs = 1'000'000'000;  // counters are updated about a thousand times in it

// Draws a figure once a window; in between the last one holds.
class PowerReader {
 public:
  explicit PowerReader(EnergyMeter meter) : meter_(std::move(meter)) { restart(); }
  std::optional<double> watts() {
    const int64_t passed_ns = steady_ns() - since_ns_;
    if (passed_ns < kPowerWindowNs) return last_;
    const std::optional<int64_t> drawn = meter_.microjoules();
    last_ = drawn ? std::optional(static_cast<double>(*drawn) * 1e3 / static_cast<double>(passed_ns)) : std::nullopt;
    restart();
    return last_;
  }

 private:
  void restart() {
    meter_.start();
    since_ns_ = steady_ns();
  }
  EnergyMeter meter_;
  int64_t since_ns_ = 0;
  std::optional<double> last_;
};

}  // namespace

uint64_t resident_bytes() noexcept {
  const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[128] = {};
  const ssize_t size = ::read(file, text, sizeof(text) - 1);
  ::close(file);
  if (size <= 0) return 0;
  char* resident = nullptr;  // the second of its numbers, in pages
  (void)std::strtoull(text, &resident, 10);
  return std::strtoull(resident, nullptr, 10) * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

QosGauge memory_gauge(uint64_t limit_bytes, uint64_t resident_before, bool in_process, WorkersPeak workers) {
  QosGauge gauge{"memory", static_cast<double>(limit_bytes), {}, ""};
  if (in_process && resident_before == 0) {
    gauge.not_measured = "the system does not tell what memory this process holds";
    return gauge;
  }
  gauge.read = [=, most = uint64_t{0}, workers = std::move(workers)]() mutable -> std::optional<double> {
    if (in_process) {
      const uint64_t now = resident_bytes();
      most = std::max(most, now > resident_before ? now - resident_before : 0);
    }
    const std::optional<uint64_t> elsewhere = workers ? workers() : std::nullopt;
    if (!in_process && !elsewhere) return std::nullopt;
    return static_cast<double>(most + elsewhere.value_or(0));
  };
  return gauge;
}

QosGauge power_gauge(double limit_watts, const Machine& machine, const std::set<std::string>& resources) {
  QosGauge gauge{"power", limit_watts, {}, ""};
  auto meter = EnergyMeter::open(SystemFiles(), machine, resources);
  if (!meter) {
    gauge.not_measured = fmt::format("no counter of what {} draws can be read by this process", fmt::join(resources, ", "));
    return gauge;
  }
  gauge.read = [reader = std::make_shared<PowerReader>(*std::move(meter))] { return reader->watts(); };
  return gauge;
}

}  // namespace axle
