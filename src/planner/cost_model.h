// Roofline estimates from machine facts, in integer nanoseconds. They order what was never measured and are always marked
// as estimates; they know nothing of how well an engine uses the hardware.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "axle/device.h"
#include "axle/device_profile.h"
#include "planner/bank_costs.h"
#include "spec/planner_input.h"

namespace axle {

// What a resource can do at a precision with a number of threads, by its profile where it has one. Zero rates = not known.
struct Roofline {
  uint64_t megaflops = 0;             // per microsecond 1, per second 10^6
  uint64_t megabytes_per_second = 0;
  uint64_t launch_ns = 0;             // per node
  uint64_t call_ns = 0;               // per run
  BankRoofline banks = {};            // where known, nodes cost what they cost there
};
Roofline roofline_of(const Machine& machine, const Resource& resource, std::string_view precision, int32_t threads,
                     const DeviceProfile* profile = nullptr);

// Per node, bytes of the tensors that it makes; half of its activations where tensors are not known.
std::vector<uint64_t> output_bytes(const ModelFacts& model);

// Time of one node within a run, its launch included; 0 when the resource is not known well enough. `made_bytes` = of what it makes.
int64_t estimate_node_ns(const ModelFacts& model, const NodeFacts& node, uint64_t made_bytes, const Roofline& roofline,
                         std::string_view precision);

// Time of one run; 0 when the resource is not known well enough. At most 2^61. Linear in the nodes.
int64_t estimate_ns(const ModelFacts& model, const Roofline& roofline, std::string_view precision);

// Weights plus the largest working set of one node, at that precision.
uint64_t estimate_memory_bytes(const ModelFacts& model, std::string_view precision);

}  // namespace axle
