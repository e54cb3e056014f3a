#include "planner/cost_model.h"

#include <algorithm>

#include "planner/cores.h"
#include "planner/precision.h"
#include "planner/saturated.h"

namespace axle {
namespace {

bool has(const Machine& machine, std::string_view feature) {
  return std::binary_search(machine.isa.begin(), machine.isa.end(), feature);
}

// f32 operations per core and cycle at full rate (two vector units, fused multiply-add).
uint64_t f32_per_cycle(const Machine& machine) {
  if (has(machine, "avx512f")) return 64;
  if (has(machine, "avx2")) return 32;
  if (has(machine, "avx")) return 16;
  if (has(machine, "sve")) return 32;
  if (has(machine, "asimd")) return 16;
  return 8;
}

// Rate against f32, in quarters. A type without instructions of its own is converted and gains nothing.
uint64_t quarters_of_f32(const Machine& machine, std::string_view precision) {
  if (precision == "f64") return 2;
  if (precision == "bf16") {
    if (has(machine, "amx_bf16")) return 32;
    return has(machine, "avx512_bf16") || has(machine, "bf16") || has(machine, "svebf16") ? 8 : 3;
  }
  if (precision == "f16") {
    if (has(machine, "amx_fp16")) return 32;
    return has(machine, "avx512_fp16") || has(machine, "asimdhp") ? 8 : 3;
  }
  if (precision == "int8") {
    if (has(machine, "amx_int8")) return 64;
    return has(machine, "avx512_vnni") || has(machine, "avx_vnni") || has(machine, "asimddp") || has(machine, "i8mm") ? 16 : 4;
  }
  return 4;
}

uint64_t core_megahertz(const Machine& machine, const Resource& resource) {
  int64_t khz = 0;
  for (const LogicalCpu& cpu : machine.cpus) {
    if (std::find(resource.cpus.begin(), resource.cpus.end(), cpu.id) != resource.cpus.end()) khz = std::max(khz, cpu.max_khz);
  }
  return khz > 0 ? static_cast<uint64_t>(khz) / 1000 : 2500;
}

constexpr uint64_t kPercentOfPeak = 60;        // what good kernels reach
constexpr uint64_t kPercentOfBandwidth = 80;
constexpr uint64_t kSerialPercent = 5;         // of the work does not spread over threads
constexpr uint64_t kCoreMegabytes = 10'000;    // bandwidth of one core, per second
constexpr uint64_t kSocketMegabytes = 40'000;  // of one NUMA node

// What was measured of all cores, shared out; a precision without a figure by its rate against f32. Else by clock and instructions.
uint64_t core_megaflops(const Machine& machine, const Resource& resource, std::string_view precision,
                        const DeviceProfile* profile) {
  const auto measured = [&](std::string_view name) -> uint64_t {
    if (profile == nullptr) return 0;
    const auto found = profile->peaks.find(std::string(name));
    return found != profile->peaks.end() && found->second.kind == FigureKind::kMeasured ? found->second.value : 0;
  };
  const auto all_cores = static_cast<uint64_t>(machine.allowed_cores());
  if (const uint64_t own = measured(precision); own > 0) return std::max<uint64_t>(own / all_cores, 1);
  const uint64_t f32 = measured("f32") / all_cores;
  const uint64_t by_clock = core_megahertz(machine, resource) * f32_per_cycle(machine);
  return (f32 > 0 ? f32 : by_clock) * quarters_of_f32(machine, precision) / 4;
}

Roofline cpu_roofline(const Machine& machine, const Resource& resource, std::string_view precision, int32_t threads,
                      const DeviceProfile* profile) {
  const auto cores = static_cast<uint64_t>(std::min(threads, usable_cores(machine, resource)));
  const uint64_t one_core = core_megaflops(machine, resource, precision, profile);
  Roofline roofline;
  roofline.megaflops = scaled(one_core * kPercentOfPeak / 100, 100 * cores, kSerialPercent * cores + 100 - kSerialPercent);
  const uint64_t sockets = std::max<size_t>(machine.numa_nodes.size(), 1);
  const Figure bandwidth = profile != nullptr ? profile->memory_bandwidth : Figure{};
  const bool measured = bandwidth.value > 0 && bandwidth.kind == FigureKind::kMeasured;
  const uint64_t socket = measured              ? bandwidth.value
                          : bandwidth.value > 0 ? scaled(bandwidth.value, kPercentOfBandwidth, 100)
                                                : kSocketMegabytes;
  // All cores of a node together were measured: one reads its share at least.
  const uint64_t node_cores = std::max<uint64_t>(static_cast<uint64_t>(machine.allowed_cores()) / sockets, 1);
  const uint64_t core = measured ? std::max(kCoreMegabytes, socket / node_cores) : kCoreMegabytes;
  roofline.megabytes_per_second = std::min(core * cores, socket * sockets);
  roofline.launch_ns = threads > 1 ? 2'000 : 1'000;
  return roofline;
}

// Round figures per kind: enough to order kinds on one machine, no more.
Roofline device_roofline(const Resource& resource, std::string_view precision) {
  const bool integrated = std::find(resource.tags.begin(), resource.tags.end(), "integrated") != resource.tags.end();
  const uint64_t narrow = static_cast<uint64_t>(32 / std::clamp(precision_bits(precision), 4, 64));
  switch (resource.kind) {
    case ResourceKind::kGpu:
      return integrated ? Roofline{1'500'000 * std::max<uint64_t>(narrow, 1), 50'000, 6'000, 20'000}
                        : Roofline{15'000'000 * std::max<uint64_t>(narrow, 1), 500'000, 5'000, 30'000};
    case ResourceKind::kNpu: return {1'000'000 * std::max<uint64_t>(narrow * narrow, 1), 40'000, 500, 100'000};
    default: return {};
  }
}

// The data sheet's figures, less what no kernel reaches. A precision that it does not list is not known.
Roofline profiled_roofline(const Resource& resource, std::string_view precision, const DeviceProfile& profile) {
  const auto peak = profile.peaks.find(std::string(precision));
  if (peak == profile.peaks.end()) return {};
  const Roofline usual = device_roofline(resource, precision);
  return {scaled(peak->second.value, kPercentOfPeak, 100), scaled(profile.memory_bandwidth.value, kPercentOfBandwidth, 100),
          profile.node_launch.value > 0 ? profile.node_launch.value : usual.launch_ns,
          profile.call_launch.value > 0 ? profile.call_launch.value : usual.call_ns, bank_roofline(profile, precision)};
}

// The longer of computing and moving, at one precision on one resource.
struct Work {
  Work(const ModelFacts& model, const Roofline& on, std::string_view precision)
      : roofline(on), own_bits(static_cast<uint64_t>(precision_bits(own_precision(model)))),
        bits(static_cast<uint64_t>(precision_bits(precision))) {}
  uint64_t ns(uint64_t flops, uint64_t bytes) const {
    return std::max(scaled(flops, 1000, roofline.megaflops), scaled(bytes, 1000, roofline.megabytes_per_second));
  }
  uint64_t converted(uint64_t bytes) const { return scaled(bytes, bits, own_bits); }
  // Launch included.
  uint64_t node_ns(const NodeFacts& node, uint64_t output_bytes) const {
    if (roofline.banks.known()) return saturated_add(bank_node_ns(node, output_bytes, roofline.banks), roofline.launch_ns);
    const uint64_t weights = is_lookup(node) ? std::min(node.weight_bytes, node.activation_bytes) : node.weight_bytes;
    const uint64_t bytes = saturated_add(weights, node.activation_bytes);
    return saturated_add(ns(node.flops, holds_integers(node) ? bytes : converted(bytes)), roofline.launch_ns);
  }
  const Roofline& roofline;
  uint64_t own_bits, bits;
};

}  // namespace

Roofline roofline_of(const Machine& machine, const Resource& resource, std::string_view precision, int32_t threads,
                     const DeviceProfile* profile) {
  if (resource.kind == ResourceKind::kCpu) return cpu_roofline(machine, resource, precision, threads, profile);
  return profile != nullptr ? profiled_roofline(resource, precision, *profile) : device_roofline(resource, precision);
}

std::vector<uint64_t> output_bytes(const ModelFacts& model) {
  std::vector<uint64_t> bytes(model.nodes.size(), 0);
  if (model.tensors.empty()) {
    for (size_t n = 0; n < bytes.size(); ++n) bytes[n] = model.nodes[n].activation_bytes / 2;
  }
  for (const TensorFacts& tensor : model.tensors) {
    if (tensor.producer < 0 || static_cast<size_t>(tensor.producer) >= bytes.size()) continue;
    uint64_t& made = bytes[static_cast<size_t>(tensor.producer)];
    made = saturated_add(made, tensor.bytes);
  }
  return bytes;
}

int64_t estimate_node_ns(const ModelFacts& model, const NodeFacts& node, uint64_t made_bytes, const Roofline& roofline,
                         std::string_view precision) {
  if (roofline.megaflops == 0 || roofline.megabytes_per_second == 0) return 0;
  return static_cast<int64_t>(Work(model, roofline, precision).node_ns(node, made_bytes));
}

int64_t estimate_ns(const ModelFacts& model, const Roofline& roofline, std::string_view precision) {
  if (roofline.megaflops == 0 || roofline.megabytes_per_second == 0) return 0;
  if (model.nodes.empty() && model.flops == 0 && model.weight_bytes == 0) return 0;
  const Work work(model, roofline, precision);
  uint64_t total = roofline.call_ns;
  if (model.nodes.empty()) {
    total =
        saturated_add(total, work.ns(model.flops, work.converted(saturated_add(model.weight_bytes, model.activation_bytes))));
  }
  const std::vector<uint64_t> made = roofline.banks.known() ? output_bytes(model) : std::vector<uint64_t>{};
  for (size_t n = 0; n < model.nodes.size(); ++n)
    total = saturated_add(total, work.node_ns(model.nodes[n], made.empty() ? 0 : made[n]));
  return static_cast<int64_t>(std::max<uint64_t>(total, 1));
}

uint64_t estimate_memory_bytes(const ModelFacts& model, std::string_view precision) {
  uint64_t working = 0;
  for (const NodeFacts& node : model.nodes) working = std::max(working, node.activation_bytes);
  return scaled(saturated_add(model.weight_bytes, working), static_cast<uint64_t>(precision_bits(precision)),
                static_cast<uint64_t>(precision_bits(own_precision(model))));
}

}  // namespace axle
