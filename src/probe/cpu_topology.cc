#include "probe/cpu_topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace axle {
namespace {

constexpr int64_t kMaxId = 1 << 20;

std::string cpu_folder(int32_t cpu) { return fmt::format("/sys/devices/system/cpu/cpu{}", cpu); }

int32_t small_number(const SystemFiles& files, const std::string& path, int32_t absent) {
  const int64_t value = files.number(path).value_or(absent);
  return value >= 0 && value < kMaxId ? static_cast<int32_t>(value) : absent;
}

std::vector<int32_t> online_cpus(const SystemFiles& files, const std::vector<CpuinfoBlock>& cpuinfo) {
  for (const char* path : {"/sys/devices/system/cpu/online", "/sys/devices/system/cpu/present"}) {
    std::vector<int32_t> cpus = parse_cpu_list(files.line(path).value_or(""));
    if (!cpus.empty()) return cpus;
  }
  std::set<int32_t> cpus;
  for (const CpuinfoBlock& block : cpuinfo) {
    if (block.processor < 8192) cpus.insert(block.processor);
  }
  return {cpus.begin(), cpus.end()};
}

// Names a core: its first CPU where the kernel lists siblings, else the pair (package, core id), else the CPU itself.
using CoreKey = std::tuple<int32_t, int32_t, int32_t>;

CoreKey core_key(const SystemFiles& files, const LogicalCpu& cpu, const CpuinfoBlock* block) {
  const std::string topology = cpu_folder(cpu.id) + "/topology";
  for (const char* name : {"/core_cpus_list", "/thread_siblings_list"}) {
    const std::vector<int32_t> siblings = parse_cpu_list(files.line(topology + name).value_or(""));
    if (std::binary_search(siblings.begin(), siblings.end(), cpu.id)) return {0, siblings.front(), 0};
  }
  const int32_t core = small_number(files, topology + "/core_id", block ? block->core : -1);
  if (core >= 0) return {1, cpu.package, core};
  return {2, cpu.id, 0};
}

uint64_t parse_cache_size(const std::string& text) {
  if (text.empty()) return 0;
  const char unit = text.back();
  const int shift = unit == 'K' ? 10 : unit == 'M' ? 20 : unit == 'G' ? 30 : 0;
  const std::optional<int64_t> value = parse_number(shift ? text.substr(0, text.size() - 1) : text);
  return value && *value > 0 && *value < (int64_t{1} << 22) << (shift ? 0 : 10) ? static_cast<uint64_t>(*value) << shift : 0;
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

std::optional<CpuCache> read_cache(const SystemFiles& files, const std::string& folder) {
  CpuCache cache;
  cache.level = small_number(files, folder + "/level", 0);
  cache.type = lower(files.line(folder + "/type").value_or(""));
  cache.size_bytes = parse_cache_size(files.line(folder + "/size").value_or(""));
  const size_t sharers = parse_cpu_list(files.line(folder + "/shared_cpu_list").value_or("")).size();
  cache.shared_by_cpus = static_cast<int32_t>(std::max<size_t>(sharers, 1));
  if (cache.level < 1 || cache.level > 8 || cache.size_bytes == 0) return std::nullopt;
  return cache;
}

}  // namespace

std::vector<LogicalCpu> read_cpus(const SystemFiles& files, const std::vector<CpuinfoBlock>& cpuinfo) {
  std::map<int32_t, const CpuinfoBlock*> blocks;
  for (const CpuinfoBlock& block : cpuinfo) blocks.emplace(block.processor, &block);
  std::map<CoreKey, std::pair<int32_t, int32_t>> cores;  // -> (dense number, threads seen)
  std::vector<LogicalCpu> cpus;
  for (const int32_t id : online_cpus(files, cpuinfo)) {
    const auto found = blocks.find(id);
    const CpuinfoBlock* block = found == blocks.end() ? nullptr : found->second;
    LogicalCpu cpu;
    cpu.id = id;
    cpu.package = small_number(files, cpu_folder(id) + "/topology/physical_package_id", block ? block->package : 0);
    cpu.max_khz = std::clamp<int64_t>(files.number(cpu_folder(id) + "/cpufreq/cpuinfo_max_freq").value_or(0), 0, 100'000'000);
    auto& [number, threads] =
        cores.try_emplace(core_key(files, cpu, block), static_cast<int32_t>(cores.size()), 0).first->second;
    cpu.core = number;
    cpu.smt_index = threads++;
    cpus.push_back(cpu);
  }
  return cpus;
}

std::vector<NumaNode> read_numa_nodes(const SystemFiles& files, std::vector<LogicalCpu>& cpus, uint64_t memory_bytes) {
  std::vector<NumaNode> nodes;
  for (const std::string& name : files.list("/sys/devices/system/node")) {
    const std::optional<int64_t> id = name.starts_with("node") ? parse_number(std::string_view(name).substr(4)) : std::nullopt;
    if (!id || *id < 0 || *id >= kMaxId || nodes.size() >= 1024) continue;
    const std::string folder = "/sys/devices/system/node/" + name;
    NumaNode node;
    node.id = static_cast<int32_t>(*id);
    const std::string meminfo = files.content(folder + "/meminfo").value_or("");
    const std::string total = value_of(meminfo, fmt::format("Node {} MemTotal", *id));
    const int64_t kib = parse_number(total.substr(0, total.find(' '))).value_or(0);
    if (kib > 0 && kib < int64_t{1} << 43) node.memory_bytes = static_cast<uint64_t>(kib) << 10;
    const std::vector<int32_t> listed = parse_cpu_list(files.line(folder + "/cpulist").value_or(""));
    for (LogicalCpu& cpu : cpus) {
      if (!std::binary_search(listed.begin(), listed.end(), cpu.id)) continue;
      cpu.numa_node = node.id;
      node.cpus.push_back(cpu.id);
    }
    nodes.push_back(std::move(node));
  }
  if (!nodes.empty()) return nodes;
  NumaNode whole{.id = 0, .memory_bytes = memory_bytes, .cpus = {}};
  for (const LogicalCpu& cpu : cpus) whole.cpus.push_back(cpu.id);
  return {whole};
}

std::vector<CpuCache> read_caches(const SystemFiles& files, const std::vector<LogicalCpu>& cpus) {
  std::map<std::tuple<int32_t, std::string, uint64_t, int32_t>, CpuCache> kinds;
  for (const LogicalCpu& cpu : cpus) {
    if (cpu.smt_index > 0) continue;  // threads of a core share its caches
    for (int index = 0; index < 8; ++index) {
      const std::string folder = fmt::format("{}/cache/index{}", cpu_folder(cpu.id), index);
      const std::optional<CpuCache> cache = read_cache(files, folder);
      if (cache && kinds.size() < 256)
        kinds.try_emplace({cache->level, cache->type, cache->size_bytes, cache->shared_by_cpus}, *cache);
    }
  }
  std::vector<CpuCache> caches;
  for (const auto& [key, cache] : kinds) caches.push_back(cache);
  return caches;
}

}  // namespace axle
