#include "probe/discover.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>

#include "probe/accelerators.h"
#include "probe/cgroup.h"
#include "probe/cpu_model.h"
#include "probe/cpu_topology.h"
#include "probe/machine_state.h"
#include "probe/memory.h"
#include "probe/power.h"
#include "spec/resource.h"

namespace axle {
namespace {

constexpr size_t kCpuinfoBytes = 16u << 20;
constexpr int kMaxCpus = 8192;

std::optional<std::vector<int32_t>> affinity_of_process() {
  const std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> set(CPU_ALLOC(kMaxCpus), [](cpu_set_t* s) { CPU_FREE(s); });
  const size_t bytes = CPU_ALLOC_SIZE(kMaxCpus);
  if (!set || ::sched_getaffinity(0, bytes, set.get()) != 0) return std::nullopt;
  std::vector<int32_t> cpus;
  for (int cpu = 0; cpu < kMaxCpus; ++cpu) {
    if (CPU_ISSET_S(static_cast<size_t>(cpu), bytes, set.get())) cpus.push_back(cpu);
  }
  return cpus;
}

// Online CPUs that both the affinity and the cpuset allow. A limit that would leave nothing is not believed.
std::vector<int32_t> allowed(const std::vector<LogicalCpu>& cpus, const std::optional<std::vector<int32_t>>& affinity,
                             const std::vector<int32_t>& cpuset) {
  std::vector<int32_t> all;
  for (const LogicalCpu& cpu : cpus) all.push_back(cpu.id);
  const auto keep = [&](const std::vector<int32_t>& limit) {
    const std::set<int32_t> permitted(limit.begin(), limit.end());
    std::vector<int32_t> left;
    std::copy_if(all.begin(), all.end(), std::back_inserter(left), [&](int32_t cpu) { return permitted.contains(cpu); });
    if (!left.empty()) all = std::move(left);
  };
  if (affinity) keep(*affinity);
  if (!cpuset.empty()) keep(cpuset);
  return all;
}

Resource cpu_resource(const Machine& machine) {
  Resource cpu;
  cpu.kind = ResourceKind::kCpu;
  cpu.id = resource_id(cpu.kind, 0);
  cpu.vendor = machine.cpu_vendor;
  cpu.name = machine.cpu_model;
  cpu.cpus = machine.allowed_cpus;
  cpu.memory_bytes = machine.memory_limit_bytes > 0 ? machine.memory_limit_bytes : machine.memory_bytes;
  std::set<int32_t> packages;
  for (const LogicalCpu& c : machine.cpus) packages.insert(c.package);
  cpu.attributes["cores"] = std::to_string(machine.allowed_cores());
  cpu.attributes["numa_nodes"] = std::to_string(machine.numa_nodes.size());
  cpu.attributes["packages"] = std::to_string(packages.size());
  return cpu;
}

// Indices count within a kind: PCI devices first, by address.
void number_resources(std::vector<Resource>& resources) {
  std::map<ResourceKind, int32_t> next;
  for (Resource& resource : resources) {
    resource.index = next[resource.kind]++;
    resource.id = resource_id(resource.kind, resource.index);
  }
  std::sort(resources.begin(), resources.end(), resource_before);
}

void add_accelerators(const SystemFiles& files, const std::optional<std::string>& cuda_visible_devices, Machine& machine) {
  std::vector<Resource> found = pci_accelerators(files, read_pci_devices(files));
  for (auto source : {platform_accelerators, usb_accelerators, memory_accelerators}) {
    for (Resource& resource : source(files)) found.push_back(std::move(resource));
  }
  set_cuda_indices(found, cuda_visible_devices);
  number_resources(found);
  for (Resource& resource : found) machine.resources.push_back(std::move(resource));
}

void add_cpu(const SystemFiles& files, const ProbeSurroundings& surroundings, Machine& machine) {
  const std::string cpuinfo = files.content("/proc/cpuinfo", kCpuinfoBytes).value_or("");
  const std::vector<CpuinfoBlock> blocks = parse_cpuinfo(cpuinfo);
  machine.cpu_vendor = cpu_vendor_of(cpuinfo);
  machine.cpu_model = cpu_model_of(cpuinfo, blocks);
  machine.isa = isa_of(blocks);
  machine.virtual_machine = is_virtual_machine(files, cpuinfo);
  machine.memory_bytes = read_memory(files).total_bytes;
  machine.cpus = read_cpus(files, blocks);
  machine.numa_nodes = read_numa_nodes(files, machine.cpus, machine.memory_bytes);
  machine.caches = read_caches(files, machine.cpus);
  const CgroupLimits limits = read_cgroup_limits(files);
  machine.cpu_quota = limits.cpu_quota;
  // A limit above the machine's memory limits nothing.
  const bool limited = machine.memory_bytes == 0 || limits.memory_limit_bytes < machine.memory_bytes;
  machine.memory_limit_bytes = limited ? limits.memory_limit_bytes : 0;
  machine.allowed_cpus = allowed(machine.cpus, surroundings.affinity, limits.cpuset);
}

}  // namespace

ProbeSurroundings real_surroundings() {
  ProbeSurroundings surroundings;
  utsname name{};
  if (::uname(&name) == 0) surroundings.architecture = clean_text(name.machine);
  surroundings.affinity = affinity_of_process();
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) surroundings.cuda_visible_devices = visible;
  return surroundings;
}

Result<Machine> discover(const SystemFiles& files, const ProbeSurroundings& surroundings) {
  Machine machine;
  machine.architecture = surroundings.architecture;
  const std::string release = files.line("/proc/sys/kernel/osrelease").value_or("");
  machine.os = release.empty() ? "linux" : "linux " + release;
  add_cpu(files, surroundings, machine);
  if (machine.cpus.empty()) {
    return unavailable_error("this machine cannot be discovered: neither /proc/cpuinfo nor /sys/devices/system/cpu can be read")
        .with_hint("mount /proc (and /sys) in this container, or pass a recorded machine");
  }
  machine.resources.push_back(cpu_resource(machine));
  add_accelerators(files, surroundings.cuda_visible_devices, machine);
  machine.power_counters = read_power_counters(files, machine.resources);
  machine.state = read_machine_state(files, machine.allowed_cpus);
  return machine;
}

Result<Machine> discover_machine() { return discover(SystemFiles("/"), real_surroundings()); }

}  // namespace axle
