#include "planner/bank_costs.h"

#include <algorithm>

#include "planner/saturated.h"

namespace axle {
namespace {

constexpr uint64_t kPercentOfPeak = 60;
constexpr uint64_t kPercentOfBandwidth = 80;

uint64_t percent(uint64_t value, uint64_t of_hundred) { return scaled(value, of_hundred, 100); }

// Of a transfer or of reading, at 10^6 bytes per second.
uint64_t moving_ns(uint64_t bytes, uint64_t megabytes) { return scaled(bytes, 1000, megabytes); }

uint64_t square_root(uint64_t value) {
  uint64_t root = 0;
  for (uint64_t bit = uint64_t{1} << 31; bit > 0; bit >>= 1) {
    const uint64_t tried = root | bit;
    if (tried <= value / tried) root = tried;
  }
  return root;
}

bool computes_integers(const NodeFacts& node) { return node.domain.empty() && node.op_type == "MatMulInteger"; }

uint64_t product_ns(const NodeFacts& node, uint64_t in, const BankRoofline& banks) {
  const uint64_t rate = computes_integers(node) && banks.integer_megaflops > 0 ? banks.integer_megaflops : banks.megaflops;
  // As if one bank did it all.
  const uint64_t alone =
      std::max(scaled(scaled(node.flops, banks.count, 1), 1000, rate), moving_ns(node.weight_bytes, banks.bank_megabytes));
  const uint64_t vector = std::max<uint64_t>(moving_ns(in, banks.broadcast_megabytes), 1);
  const uint64_t fewest = banks.bank_bytes == 0 ? 1 : node.weight_bytes / banks.bank_bytes + 1;
  const uint64_t sharing = std::clamp(square_root(alone / vector), std::min(fewest, banks.count), banks.count);
  return saturated_add(alone / sharing, scaled(vector, sharing, 1));
}

}  // namespace

BankRoofline bank_roofline(const DeviceProfile& profile, std::string_view precision) {
  const BankFigures& figures = profile.banks;
  const auto peak = profile.peaks.find(std::string(precision));
  const auto integers = profile.peaks.find("int8");
  if (figures.count.value == 0 || peak == profile.peaks.end()) return {};
  BankRoofline banks;
  banks.count = figures.count.value;
  banks.bank_bytes = figures.memory.value;
  banks.megaflops = percent(peak->second.value, kPercentOfPeak);
  banks.integer_megaflops = integers == profile.peaks.end() ? 0 : percent(integers->second.value, kPercentOfPeak);
  banks.bank_megabytes = percent(figures.bandwidth.value, kPercentOfBandwidth);
  banks.to_megabytes = figures.to_banks.value;
  banks.broadcast_megabytes = figures.broadcast.value;
  banks.from_megabytes = figures.from_banks.value;
  return banks;
}

uint64_t bank_node_ns(const NodeFacts& node, uint64_t output_bytes, const BankRoofline& banks) {
  const uint64_t out = std::min(output_bytes, node.activation_bytes);
  const uint64_t in = node.activation_bytes - out;
  const uint64_t leaving = moving_ns(out, banks.from_megabytes);
  if (node.weight_bytes > 0 && is_lookup(node)) return saturated_add(moving_ns(in, banks.to_megabytes), leaving);
  if (node.weight_bytes > 0 && node.flops > 0) return saturated_add(product_ns(node, in, banks), leaving);
  const uint64_t computing = scaled(node.flops, 1000, banks.megaflops);
  return saturated_add(saturated_add(moving_ns(in, banks.to_megabytes), computing), leaving);
}

}  // namespace axle
