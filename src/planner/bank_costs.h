// What a node costs in memory that computes: weights lie in banks, each with a processor that sees no other bank, so that whatever a
// node reads or makes besides is moved from and to the host. Integer nanoseconds.
#pragma once

#include <cstdint>
#include <string_view>

#include "axle/device_profile.h"
#include "spec/planner_input.h"

namespace axle {

struct BankRoofline {
  uint64_t count = 0;  // 0 = the resource has no banks
  uint64_t bank_bytes = 0;  // memory of one
  uint64_t megaflops = 0, integer_megaflops = 0;  // of all together, per second 10^6
  uint64_t bank_megabytes = 0;  // that one processor reads of its bank, per second
  uint64_t to_megabytes = 0, broadcast_megabytes = 0, from_megabytes = 0;
  bool known() const { return count > 0 && megaflops > 0; }
};

// The profile's figures, less what no kernel reaches; without banks when it has none.
BankRoofline bank_roofline(const DeviceProfile& profile, std::string_view precision);

// One node, its launch not included. `output_bytes` of its activations are what it makes.
// - A product: the vector is sent to every bank that shares the work. As many share it as make it fastest.
// - A table lookup: row numbers in, rows out.
// - Anything without weights: operands in, spread over all banks, results out.
uint64_t bank_node_ns(const NodeFacts& node, uint64_t output_bytes, const BankRoofline& banks);

}  // namespace axle
