// What this machine can compute and move at most, measured with loops of our own, kept in the cache folder for its fingerprint.
#include "runtime/measuring/machine_figures.h"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <latch>
#include <memory>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/logging.h"
#include "runtime/measuring/blocks.h"
#include "runtime/measuring/peak_kernels.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

constexpr int kTries = 5;
constexpr int64_t kKernelNs = 10'000'000;  // a try of a kernel takes about so long
constexpr size_t kMostFileBytes = 1u << 20;
constexpr uint64_t kLeastBytes = uint64_t{64} << 20;  // read by a thread, and at least four times the last cache
constexpr uint64_t kMostBytes = uint64_t{1} << 30;  // read on a node
constexpr const char* kSource = "measured here by axle devices --measure";

bool stay_on(int32_t cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  return ::pthread_setaffinity_np(::pthread_self(), sizeof(set), &set) == 0;
}

// Runs `work(index)` on a thread of each CPU at the same time, after `prepare(index)` there; nanoseconds from the common start to the
// last end. 0 when a thread could not stay on its CPU.
template <typename Prepare, typename Work>
int64_t together(const std::vector<int32_t>& cpus, Prepare prepare, Work work) {
  std::latch ready(static_cast<std::ptrdiff_t>(cpus.size()));
  std::vector<int64_t> began(cpus.size()), ended(cpus.size());
  std::vector<std::thread> threads;
  for (size_t i = 0; i < cpus.size(); ++i) {
    threads.emplace_back([&, i] {
      const bool there = stay_on(cpus[i]);
      if (there) prepare(i);
      ready.arrive_and_wait();
      began[i] = steady_ns();
      if (there) work(i);
      ended[i] = there ? steady_ns() : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (std::find(ended.begin(), ended.end(), 0) != ended.end()) return 0;
  return *std::max_element(ended.begin(), ended.end()) - *std::min_element(began.begin(), began.end());
}

// One CPU of each core that this process may use, on the node or (-1) anywhere.
std::vector<int32_t> cores_on(const Machine& machine, int32_t node) {
  std::vector<int32_t> cpus;
  std::vector<std::pair<int32_t, int32_t>> taken;
  for (const LogicalCpu& cpu : machine.cpus) {
    const std::pair core(cpu.package, cpu.core);
    const bool allowed = std::binary_search(machine.allowed_cpus.begin(), machine.allowed_cpus.end(), cpu.id);
    if (!allowed || (node >= 0 && cpu.numa_node != node) || std::find(taken.begin(), taken.end(), core) != taken.end())
      continue;
    taken.push_back(core);
    cpus.push_back(cpu.id);
  }
  return cpus;
}

uint64_t bytes_per_thread(const Machine& machine, size_t threads) {
  uint64_t last_cache = 0;
  for (const CpuCache& cache : machine.caches) last_cache = std::max(last_cache, cache.size_bytes);
  const uint64_t wanted = std::max(kLeastBytes, 4 * last_cache / std::max<size_t>(threads, 1));
  const uint64_t free_share = machine.state.memory_available_bytes / 4 / std::max<size_t>(threads, 1);
  const uint64_t most = std::min(kMostBytes / std::max<size_t>(threads, 1), free_share > 0 ? free_share : kMostBytes);
  return std::min(wanted, most);
}

// Best of a few tries, in 10^6 bytes per second; each thread reads memory that it touched first, which lies on its node.
uint64_t bandwidth(const Machine& machine, const std::vector<int32_t>& cpus, const CancelToken& cancel) {
  const size_t words = bytes_per_thread(machine, cpus.size()) / sizeof(uint64_t);
  if (words == 0) return 0;
  std::vector<std::unique_ptr<uint64_t[]>> memory(cpus.size());
  std::vector<uint64_t> sums(cpus.size());
  uint64_t best = 0;
  for (int i = 0; i < kTries && !cancel.cancelled(); ++i) {
    const int64_t ns = together(
        cpus,
        [&](size_t t) {
          if (memory[t]) return;
          memory[t] = std::make_unique_for_overwrite<uint64_t[]>(words);
          for (size_t w = 0; w < words; ++w) memory[t][w] = w;
        },
        [&](size_t t) { sums[t] = read_through({memory[t].get(), words}); });
    const bool right = std::all_of(sums.begin(), sums.end(), [&](uint64_t sum) { return sum == words * (words - 1) / 2; });
    if (ns > 0 && right) best = std::max(best, words * sizeof(uint64_t) * cpus.size() * 1000 / static_cast<uint64_t>(ns));
  }
  return best;
}

// Best of a few tries, in 10^6 operations per second of all these CPUs together.
uint64_t peak(const PeakKernel& kernel, const std::vector<int32_t>& cpus, const CancelToken& cancel) {
  int64_t rounds = 1000;
  for (int64_t ns = 0; ns < kKernelNs / 4 && rounds < (int64_t{1} << 40); rounds *= 2) {
    const int64_t started = steady_ns();
    (void)kernel.run(rounds);
    ns = steady_ns() - started;
  }
  uint64_t best = 0;
  std::vector<uint64_t> done(cpus.size());
  for (int i = 0; i < kTries && !cancel.cancelled(); ++i) {
    const int64_t ns = together(cpus, [](size_t) {}, [&](size_t t) { done[t] = kernel.run(rounds); });
    uint64_t operations = 0;
    for (const uint64_t count : done) operations += count;
    if (ns > 0) best = std::max(best, static_cast<uint64_t>(static_cast<double>(operations) * 1000 / static_cast<double>(ns)));
  }
  return best;
}

std::string source_of(const MachineFigures& figures) {
  const auto seconds = static_cast<std::time_t>(figures.recorded_unix_s);
  std::tm utc = {};
  char date[32] = "";
  if (gmtime_r(&seconds, &utc) != nullptr) std::strftime(date, sizeof date, "%Y-%m-%d", &utc);
  return fmt::format("{} on {}{}", kSource, date, figures.noisy_machine ? ", while the machine was busy elsewhere" : "");
}

// The figures as a profile of the CPU: bandwidth of one node, the least.
DeviceProfile profile_from(const Machine& machine, const Resource& cpu, const MachineFigures& figures) {
  DeviceProfile profile;
  profile.name = "measured";
  profile.title = machine.cpu_model;
  profile.kind = ResourceKind::kCpu;
  profile.vendor = machine.cpu_vendor;
  profile.names = {cpu.name};
  profile.cpu_models = {machine.cpu_model};
  const std::string source = source_of(figures);
  for (const PeakFigure& one : figures.peaks)
    profile.peaks[one.precision] = {one.megaflops, FigureKind::kMeasured, source + ", " + one.instructions};
  uint64_t least = 0;
  for (const NodeBandwidth& node : figures.nodes)
    least = least == 0 ? node.megabytes_per_second : std::min(least, node.megabytes_per_second);
  if (least > 0) profile.memory_bandwidth = {least, FigureKind::kMeasured, source};
  return profile;
}

const Resource* whole_cpu(const Machine& machine) {
  for (const Resource& resource : machine.resources) {
    if (resource.kind == ResourceKind::kCpu && resource.part < 0 && !resource.simulated) return &resource;
  }
  return nullptr;
}

// What writers that were killed left in the folder. A writer that lives needs its own for less than a second.
void sweep_leftovers(const std::string& folder) {
  constexpr int64_t kOldNs = 3600 * 1'000'000'000LL;
  const auto entries = list_dir(folder);
  if (!entries) return;
  for (const DirEntry& entry : *entries) {
    if (!entry.is_file || !entry.name.ends_with(".tmp")) continue;
    const std::string path = folder + "/" + entry.name;
    const auto stamp = FileStamp::of_path(path);
    if (stamp && stamp->mtime_ns < system_time_ns() - kOldNs) ::unlink(path.c_str());
  }
}

}  // namespace

std::string machine_figures_folder(Runtime& runtime) {
  Cache* cache = runtime.cache();
  return cache == nullptr ? "" : cache->path() + "/machine-figures-1";
}

std::string machine_figures_path(Runtime& runtime, const Machine& machine) {
  const std::string folder = machine_figures_folder(runtime);
  return folder.empty() ? "" : folder + "/" + machine.fingerprint().substr(7) + ".json";
}

Status keep_machine_figures(Runtime& runtime, const Machine& machine, const MachineFigures& figures) {
  const std::string folder = machine_figures_folder(runtime);
  if (folder.empty()) return failed_precondition_error("there is no cache folder to keep the figures in");
  const Resource* cpu = whole_cpu(machine);
  if (cpu == nullptr) return failed_precondition_error("this machine has no CPU that figures could be of");
  AXLE_ASSIGN_OR_RETURN(const std::string json, device_profile_to_json(profile_from(machine, *cpu, figures)));
  AXLE_RETURN_IF_ERROR(make_dirs(folder, 0700));
  AXLE_RETURN_IF_ERROR(write_file_atomic(machine_figures_path(runtime, machine), json + "\n", kPrivateFileMode));
  sweep_leftovers(folder);
  return ok_status();
}

Result<MachineFigures> measure_machine(Runtime& runtime, const CancelToken& cancel) {
  AXLE_ASSIGN_OR_RETURN(const Machine machine, runtime.machine());
  if (whole_cpu(machine) == nullptr) return failed_precondition_error("this machine has no CPU to measure");
  MachineFigures figures;
  figures.machine = machine.fingerprint();
  figures.recorded_unix_s = unix_seconds();
  Sentinel sentinel;
  sentinel.start();
  std::vector<NumaNode> nodes = machine.numa_nodes;
  if (nodes.empty()) nodes.push_back({-1, 0, {}});
  for (const NumaNode& node : nodes) {
    const std::vector<int32_t> cpus = cores_on(machine, node.id);
    if (cpus.empty()) continue;
    figures.nodes.push_back({std::max(node.id, 0), bandwidth(machine, cpus, cancel), static_cast<int32_t>(cpus.size())});
  }
  const std::vector<int32_t> cpus = cores_on(machine, -1);
  for (const PeakKernel& kernel : peak_kernels())
    figures.peaks.push_back(
        {kernel.precision, kernel.instructions, peak(kernel, cpus, cancel), static_cast<int32_t>(cpus.size())});
  AXLE_RETURN_IF_ERROR(cancel.check());
  figures.noisy_machine = sentinel.disturbed();
  std::erase_if(figures.nodes, [](const NodeBandwidth& node) { return node.megabytes_per_second == 0; });
  std::erase_if(figures.peaks, [](const PeakFigure& one) { return one.megaflops == 0; });
  if (figures.nodes.empty() || figures.peaks.empty())
    return unavailable_error("this process cannot keep threads on the machine's cores: nothing was measured");
  if (const Status kept = keep_machine_figures(runtime, machine, figures); !kept.ok())
    figures.notes.push_back("the figures are not kept, and plans do not use them: " + kept.message());
  return figures;
}

void use_machine_figures(Runtime& runtime, const Machine& machine, std::vector<ResourceProfile>& profiles) {
  const std::string path = machine_figures_path(runtime, machine);
  const Resource* cpu = whole_cpu(machine);
  if (path.empty() || cpu == nullptr) return;
  const auto text = read_file(path, kMostFileBytes);
  if (!text) return;  // never measured
  auto measured = parse_device_profile(*text);
  if (!measured) {
    AXLE_LOG(kWarning, "runtime",
             "the measured figures of this machine are not used: {}: {}; axle devices --measure makes them anew", path,
             measured.error().to_string());
    return;
  }
  const auto known =
      std::find_if(profiles.begin(), profiles.end(), [&](const ResourceProfile& one) { return one.resource == cpu->id; });
  if (known == profiles.end()) {
    profiles.insert(profiles.begin(), {cpu->id, *std::move(measured)});
    return;
  }
  // What was measured goes before what the data sheet says; the rest of the sheet stays.
  for (auto& [precision, figure] : measured->peaks) known->profile.peaks[precision] = figure;
  if (measured->memory_bandwidth.value > 0) known->profile.memory_bandwidth = measured->memory_bandwidth;
}

}  // namespace axle
