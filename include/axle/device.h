// Resources (things that can execute) and the machine that holds them, as plain data: discovered, recorded and planned for.
// All types are values. Selector grammar: kind[:index][/part][@vendor][#tag], "igpu" = gpu#integrated, "cuda:N".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/export.h"
#include "axle/status.h"

namespace axle {

enum class ResourceKind : uint8_t { kCpu, kGpu, kNpu, kPim, kRemote, kHybrid };

// "cpu", "gpu", "npu", "pim", "remote", "hybrid".
AXLE_API std::string_view resource_kind_name(ResourceKind kind) noexcept;
AXLE_API std::optional<ResourceKind> parse_resource_kind(std::string_view name) noexcept;

// The tag of every simulated resource: "npu#sim" is the emulator of an NPU, "npu" a real one.
inline constexpr std::string_view kSimulatedTag = "sim";

struct Resource {
  std::string id;            // "cpu:0", "gpu:1", "cpu:0/1"; unique on its machine
  ResourceKind kind = ResourceKind::kCpu;
  int32_t index = 0;         // within its kind, ordered by PCI address
  int32_t part = -1;         // core set of a split; -1 = the whole resource
  std::string vendor;        // "amd", "intel", "nvidia", "qualcomm", ... lower case
  std::string name;          // as the vendor writes it
  uint64_t memory_bytes = 0; // own memory, or what a CPU resource may use (cgroup limit applied); 0 = unknown
  std::string pci_address;   // "0000:c4:00.0" or ""
  std::string uuid;          // or ""
  std::string driver;        // kernel driver and version: "amdxdna 6.14", or "" when no driver is bound
  std::vector<std::string> tags;                 // "integrated", "discrete", "ampere", ...
  std::map<std::string, std::string> attributes; // everything else that was found, sorted
  std::vector<int32_t> cpus; // CPU resources: logical CPUs it may use, ascending
  bool simulated = false;
  friend bool operator==(const Resource&, const Resource&) = default;
};

struct CpuCache {
  int32_t level = 0;
  std::string type;           // "data", "instruction", "unified"
  uint64_t size_bytes = 0;
  int32_t shared_by_cpus = 1; // logical CPUs that share one instance
  friend bool operator==(const CpuCache&, const CpuCache&) = default;
};

struct LogicalCpu {
  int32_t id = 0;
  int32_t core = 0;
  int32_t package = 0;   // socket
  int32_t numa_node = 0;
  int32_t smt_index = 0; // 0 = first thread of its core
  int64_t max_khz = 0;
  friend bool operator==(const LogicalCpu&, const LogicalCpu&) = default;
};

struct NumaNode {
  int32_t id = 0;
  uint64_t memory_bytes = 0;
  std::vector<int32_t> cpus;
  friend bool operator==(const NumaNode&, const NumaNode&) = default;
};

struct PowerCounter {
  std::string name;    // "package-0", "gpu:0"
  std::string source;  // "rapl", "hwmon", "nvml"
  std::string path;
  bool readable = false;
  friend bool operator==(const PowerCounter&, const PowerCounter&) = default;
};

// Values at one moment; never part of a key.
struct MachineState {
  double load_1min = 0;
  std::vector<int64_t> cpu_khz;     // per allowed CPU, same order as Machine::allowed_cpus; empty = not readable
  uint64_t memory_available_bytes = 0;
  double cpu_pressure_some_10s = -1; // PSI percent; -1 = not readable
  double steal_percent = -1;         // -1 = not readable
  std::string governor;
  friend bool operator==(const MachineState&, const MachineState&) = default;
};

struct Machine {
  std::string architecture;  // "x86_64", "aarch64"
  std::string os;            // "linux 6.1.0"
  std::string cpu_vendor;    // "amd", "intel", "arm", ...
  std::string cpu_model;
  std::vector<std::string> isa;  // sorted subset that matters: "avx2", "avx512_bf16", "amx_tile", "asimd", "sve", ...
  std::vector<LogicalCpu> cpus;  // all present, ascending
  std::vector<int32_t> allowed_cpus;  // affinity and cpuset applied
  double cpu_quota = 0;          // cgroup cpu.max in CPUs; 0 = no limit
  std::vector<CpuCache> caches;
  std::vector<NumaNode> numa_nodes;
  uint64_t memory_bytes = 0;
  uint64_t memory_limit_bytes = 0;  // cgroup; 0 = no limit
  bool virtual_machine = false;
  std::vector<Resource> resources;  // ordered: kind, index, part
  std::vector<PowerCounter> power_counters;
  std::string recorded_name;        // set when this machine was read from a record rather than discovered
  MachineState state;

  // Identity fingerprint "sha256:..." over hardware, drivers and limits: everything but state, recorded_name, core sets of a
  // split, simulated resources, serial numbers (uuid: machines of a fleet that are built alike are one) and what moves between
  // two boots (power counters, NUMA memory, attributes "path.*" and "env.*"; memory sizes count in whole GiB).
  AXLE_API std::string fingerprint() const;
  // The same without what an update changes (os, drivers, what drivers tell in attributes): tells evidence of this hardware
  // under other drivers from evidence of other hardware.
  AXLE_API std::string hardware_fingerprint() const;
  // Physical cores among allowed_cpus, at least 1; the sensible number of compute threads.
  AXLE_API int32_t allowed_cores() const;
  friend bool operator==(const Machine&, const Machine&) = default;
};

// A parsed selector. Matches a resource when every present field does.
struct Selector {
  std::string text;  // as written
  std::optional<ResourceKind> kind;  // absent for "auto"
  std::optional<int32_t> index;
  std::optional<int32_t> part;
  std::string vendor;
  std::vector<std::string> tags;
  std::optional<int32_t> cuda_index;  // cuda:N, resolved within CUDA_VISIBLE_DEVICES
  friend bool operator==(const Selector&, const Selector&) = default;
};

// INVALID_ARGUMENT with the place and the grammar. "auto" matches everything. Case does not matter. cuda:N matches the GPU
// whose attribute "env.cuda_index" is N (discovery sets it from CUDA_VISIBLE_DEVICES); a selector without a part matches
// core sets too.
AXLE_API Result<Selector> parse_selector(std::string_view text);
AXLE_API bool matches(const Selector& selector, const Resource& resource);
// Ids of the matching resources in machine order; empty when none.
AXLE_API std::vector<std::string> select(const Selector& selector, const Machine& machine);
// Null when there is no resource of that id.
AXLE_API const Resource* find_resource(const Machine& machine, std::string_view id);
// Adds core sets of a split ("cpu:0" -> {{0},{1}}) as resources cpu:0/0, cpu:0/1, in place of an earlier split.
// INVALID_ARGUMENT when a CPU is not allowed here, appears twice, or a set is empty; NOT_FOUND when there is no such
// resource. The machine is unchanged on failure.
AXLE_API Status apply_split(Machine& machine, const std::string& resource_id,
                            const std::vector<std::vector<int32_t>>& core_sets);

// This machine, discovered from /proc, /sys and driver nodes. Never fails for hardware it does not know; UNAVAILABLE when
// even /proc cannot be read. About 1-20 ms.
AXLE_API Result<Machine> discover_machine();
// Machine records (docs/formats/machine.md): canonical JSON, strictly read. load_machine names a nameless record after its
// file. INVALID_ARGUMENT says where; NOT_FOUND and PERMISSION_DENIED for the file.
AXLE_API Result<Machine> load_machine(const std::string& path);
AXLE_API Result<Machine> parse_machine(std::string_view json);
AXLE_API Result<std::string> machine_to_json(const Machine& machine);
AXLE_API Status save_machine(const std::string& path, const Machine& machine);

}  // namespace axle
