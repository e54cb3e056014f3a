#include "probe/machine_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "probe/cgroup.h"
#include "probe/cpu_model.h"
#include "probe/memory.h"

namespace axle {
namespace {

constexpr size_t kCpuinfoBytes = 16u << 20;

// "0.02" and the like; absent for anything that is not a finite number of at least 0.
std::optional<double> parse_decimal(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 0) || value > 1e9) return std::nullopt;
  return value;
}

// x86 tells all frequencies in one file; elsewhere each CPU has its own. All or nothing: a gap would shift the rest.
std::vector<int64_t> frequencies(const SystemFiles& files, const std::vector<int32_t>& cpus) {
  std::map<int32_t, int64_t> khz;
  const std::string cpuinfo = files.content("/proc/cpuinfo", kCpuinfoBytes).value_or("");
  for (const CpuinfoBlock& block : parse_cpuinfo(cpuinfo)) {
    if (block.khz > 0) khz[block.processor] = block.khz;
  }
  std::vector<int64_t> out;
  for (const int32_t cpu : cpus) {
    const auto found = khz.find(cpu);
    const std::string path = fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_cur_freq", cpu);
    const int64_t value = found != khz.end() ? found->second : files.number(path).value_or(0);
    if (value <= 0 || value > 100'000'000) return {};
    out.push_back(value);
  }
  return out;
}

}  // namespace

std::optional<CpuTimes> read_cpu_times(const SystemFiles& files) {
  const std::string first = files.line("/proc/stat").value_or("");
  const std::vector<std::string_view> words = split_words(first);
  if (words.size() < 9 || words[0] != "cpu") return std::nullopt;
  CpuTimes times;
  for (size_t i = 1; i <= 8; ++i) {  // user nice system idle iowait irq softirq steal; guest times are inside user and nice
    const std::optional<int64_t> ticks = parse_number(words[i]);
    if (!ticks || *ticks < 0 || *ticks > int64_t{1} << 56) return std::nullopt;
    times.total += static_cast<uint64_t>(*ticks);
    if (i == 8) times.steal = static_cast<uint64_t>(*ticks);
    if (i != 4 && i != 5 && i != 8) times.busy += static_cast<uint64_t>(*ticks);
  }
  return times;
}

// Per thread "running waiting slices", nanoseconds.
std::optional<int64_t> read_waiting_ns(const SystemFiles& files) {
  int64_t waiting_ns = 0;
  bool counted = false;
  for (const std::string& thread : files.list("/proc/self/task")) {
    const std::string line = files.line("/proc/self/task/" + thread + "/schedstat").value_or("");
    const std::vector<std::string_view> words = split_words(line);
    if (words.size() < 2) continue;
    const std::optional<int64_t> waited = parse_number(words[1]);
    if (!waited || *waited < 0 || *waited > int64_t{1} << 56) continue;
    waiting_ns += *waited;
    counted = true;
  }
  if (!counted) return std::nullopt;
  return waiting_ns;
}

double steal_percent(const CpuTimes& before, const CpuTimes& after) {
  if (after.total <= before.total || after.steal < before.steal) return -1;
  return 100.0 * static_cast<double>(after.steal - before.steal) / static_cast<double>(after.total - before.total);
}

double cpu_pressure_some_10s(const SystemFiles& files) {
  const std::string first = files.line("/proc/pressure/cpu").value_or("");
  const size_t at = first.find("avg10=");
  if (!first.starts_with("some ") || at == std::string::npos) return -1;
  const std::string_view rest = std::string_view(first).substr(at + 6);
  return parse_decimal(rest.substr(0, rest.find(' '))).value_or(-1);
}

MachineState read_machine_state(const SystemFiles& files, const std::vector<int32_t>& allowed_cpus,
                                const std::optional<CpuTimes>& since) {
  MachineState state;
  const std::string load = files.line("/proc/loadavg").value_or("");
  state.load_1min = parse_decimal(std::string_view(load).substr(0, load.find(' '))).value_or(0);
  state.cpu_khz = frequencies(files, allowed_cpus);
  state.memory_available_bytes = read_memory(files).available_bytes;
  const CgroupLimits limits = read_cgroup_limits(files);
  if (limits.memory_limit_bytes > 0) {
    const uint64_t left = limits.memory_limit_bytes - std::min(limits.memory_limit_bytes, limits.memory_used_bytes);
    state.memory_available_bytes = std::min(state.memory_available_bytes, left);
  }
  state.cpu_pressure_some_10s = cpu_pressure_some_10s(files);
  if (const std::optional<CpuTimes> now = read_cpu_times(files))
    state.steal_percent = steal_percent(since.value_or(CpuTimes{}), *now);
  const int32_t first_cpu = allowed_cpus.empty() ? 0 : allowed_cpus.front();
  state.governor = files.line(fmt::format("/sys/devices/system/cpu/cpu{}/cpufreq/scaling_governor", first_cpu)).value_or("");
  return state;
}

}  // namespace axle
