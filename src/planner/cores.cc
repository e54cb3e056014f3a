#include "planner/cores.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace axle {
namespace {

using CoreId = std::pair<int32_t, int32_t>;  // package, core

// The resource's CPUs by physical core, cores in the order of their lowest CPU.
std::vector<std::vector<int32_t>> cores_of(const Machine& machine, const Resource& resource) {
  std::map<int32_t, const LogicalCpu*> known;
  for (const LogicalCpu& cpu : machine.cpus) known.emplace(cpu.id, &cpu);
  std::vector<std::vector<int32_t>> cores;
  std::map<CoreId, size_t> place;
  std::vector<int32_t> cpus = resource.cpus;
  std::sort(cpus.begin(), cpus.end());
  for (const int32_t id : cpus) {
    const auto found = known.find(id);
    const CoreId core = found == known.end() ? CoreId{-1, id} : CoreId{found->second->package, found->second->core};
    const auto [at, fresh] = place.emplace(core, cores.size());
    if (fresh) cores.emplace_back();
    cores[at->second].push_back(id);
  }
  return cores;
}

}  // namespace

int32_t usable_cores(const Machine& machine, const Resource& resource) {
  auto count = static_cast<int32_t>(cores_of(machine, resource).size());
  if (machine.cpu_quota > 0 && machine.cpu_quota < count) count = static_cast<int32_t>(machine.cpu_quota);
  return std::max(count, 1);
}

std::vector<int32_t> thread_counts(const Machine& machine, const Resource& resource) {
  if (resource.kind != ResourceKind::kCpu) return {1};
  std::set<int32_t> counts;
  for (int32_t count = usable_cores(machine, resource); count >= 1; count /= 2) counts.insert(count);
  return {counts.begin(), counts.end()};
}

std::vector<int32_t> pick_cpus(const Machine& machine, const Resource& resource, int32_t threads) {
  if (resource.kind != ResourceKind::kCpu) return {};
  const auto cores = cores_of(machine, resource);
  std::vector<int32_t> picked;
  for (size_t sibling = 0, before = 1; picked.size() != before && static_cast<int32_t>(picked.size()) < threads; ++sibling) {
    before = picked.size();
    for (const auto& core : cores) {
      if (sibling < core.size() && static_cast<int32_t>(picked.size()) < threads) picked.push_back(core[sibling]);
    }
  }
  std::sort(picked.begin(), picked.end());
  return picked;
}

std::vector<std::vector<int32_t>> even_split(const Machine& machine, const Resource& resource, int32_t parts) {
  const auto cores = cores_of(machine, resource);
  if (parts < 1 || cores.size() < static_cast<size_t>(parts)) return {};
  std::vector<std::vector<int32_t>> sets(static_cast<size_t>(parts));
  for (size_t i = 0; i < cores.size(); ++i) {
    auto& set = sets[i * static_cast<size_t>(parts) / cores.size()];
    set.insert(set.end(), cores[i].begin(), cores[i].end());
  }
  for (auto& set : sets) std::sort(set.begin(), set.end());
  return sets;
}

}  // namespace axle
