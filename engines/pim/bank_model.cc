#include "bank_model.h"

#include <cmath>

namespace axle::pim {
namespace {

uint64_t transfer_ns(uint64_t bytes, uint64_t megabytes_per_second) {
  return megabytes_per_second == 0
             ? 0
             : static_cast<uint64_t>(static_cast<double>(bytes) * 1000.0 / static_cast<double>(megabytes_per_second));
}

uint64_t cycles_ns(const Geometry& geometry, uint64_t cycles) {
  return geometry.megahertz == 0
             ? 0
             : static_cast<uint64_t>(static_cast<double>(cycles) * 1000.0 / static_cast<double>(geometry.megahertz));
}

std::string in_mebibytes(uint64_t bytes) {
  const uint64_t tenths = bytes * 10 / (uint64_t{1} << 20);
  return std::to_string(tenths / 10) + '.' + std::to_string(tenths % 10) + " MiB";
}

int64_t even(int64_t rows) { return rows + rows % 2; }

}  // namespace

// At 350 MHz and with the pipeline full, a processor was measured to do 4.91, 1.91 (floats), 58.56 and 10.27 (32-bit integers)
// million additions and multiplications in a second (Gomez-Luna et al., arXiv 2105.03814).
Cycles float_cycles() noexcept { return {254, 71, 183}; }
Cycles integer_cycles() noexcept { return {40, 6, 34}; }
// Two loads, a byte multiplication, an addition and its share of the loop: an estimate.
Cycles byte_cycles() noexcept { return {5, 6, 6}; }

// 77 cycles and half a cycle for each byte, for every block (the same paper).
uint64_t copy_cycles(uint64_t bytes) noexcept {
  const uint64_t blocks = (bytes + kBlockBytes - 1) / kBlockBytes;
  return 77 * blocks + bytes / 2;
}

Cut cut_rows(const Geometry& geometry, int64_t rows, uint64_t row_bytes, int64_t wanted_banks, uint64_t used_bytes) {
  Cut cut;
  const uint64_t kept = kExchangeBytes + used_bytes;
  const uint64_t room = geometry.bank_bytes > kept ? geometry.bank_bytes - kept : 0;
  const uint64_t padded = words(row_bytes);
  const auto pairs_that_fit = static_cast<int64_t>(std::min<uint64_t>(room / (2 * padded), uint64_t{1} << 40));
  const std::string left = in_mebibytes(room) + " of " + in_mebibytes(geometry.bank_bytes) + " are left in each bank";
  if (pairs_that_fit == 0) {
    cut.refusal = "two rows of " + std::to_string(padded) + " bytes do not fit into a bank: " + left;
    return cut;
  }
  const int64_t wanted = std::clamp<int64_t>(wanted_banks, 1, geometry.banks);
  const int64_t balanced = even((rows + wanted - 1) / wanted);
  const int64_t per_bank = std::min(std::max<int64_t>(balanced, 2), 2 * pairs_that_fit);
  const int64_t banks = (rows + per_bank - 1) / per_bank;
  if (banks > geometry.banks) {
    const uint64_t needed = static_cast<uint64_t>(even((rows + geometry.banks - 1) / geometry.banks)) * padded;
    cut.refusal = std::to_string(rows) + " rows of " + std::to_string(padded) + " bytes need " + in_mebibytes(needed) +
                  " in each of " + std::to_string(geometry.banks) + " banks: " + left;
    return cut;
  }
  cut.layout = {rows, row_bytes, banks, per_bank};
  return cut;
}

int64_t product_banks(const Geometry& geometry, int64_t rows, int64_t row_length, uint64_t element_bytes,
                      const Cycles& cycles) {
  const double row_cycles = static_cast<double>(row_length) * static_cast<double>(cycles.multiply_add);
  const double copied = static_cast<double>(copy_cycles(words(static_cast<uint64_t>(row_length) * element_bytes)));
  const double work_ns =
      std::max(row_cycles, copied) * static_cast<double>(rows) * 1000.0 / static_cast<double>(geometry.megahertz);
  const double vector_ns = static_cast<double>(words(static_cast<uint64_t>(row_length) * element_bytes)) * 1000.0 /
                           static_cast<double>(geometry.broadcast);
  const double best = std::sqrt(work_ns / std::max(vector_ns, 1e-9));
  return static_cast<int64_t>(std::clamp(best, 1.0, static_cast<double>(geometry.banks)));
}

Cost& Cost::operator+=(const Cost& more) noexcept {
  to_banks_bytes += more.to_banks_bytes;
  from_banks_bytes += more.from_banks_bytes;
  bank_cycles += more.bank_cycles;
  modelled_ns += more.modelled_ns;
  return *this;
}

Cost product_cost(const Geometry& geometry, const Layout& layout, int64_t row_length, uint64_t element_bytes,
                  const Cycles& cycles, uint64_t extra) {
  constexpr uint64_t kResultBytes = 4;
  const auto rows = static_cast<uint64_t>(layout.rows_per_bank);
  const auto banks = static_cast<uint64_t>(layout.banks);
  Cost cost;
  cost.to_banks_bytes = banks * words(static_cast<uint64_t>(row_length) * element_bytes);
  cost.from_banks_bytes = banks * words(rows * kResultBytes);
  const uint64_t compute = rows * (static_cast<uint64_t>(row_length) * cycles.multiply_add + extra);
  // Copies of one thread are hidden behind the work of the others.
  cost.bank_cycles = std::max(compute, copy_cycles(layout.bank_bytes()));
  cost.modelled_ns = geometry.launch_ns + transfer_ns(cost.to_banks_bytes, geometry.broadcast) +
                     cycles_ns(geometry, cost.bank_cycles) + transfer_ns(cost.from_banks_bytes, geometry.from_banks);
  return cost;
}

Cost lookup_cost(const Geometry& geometry, const Layout& layout, int64_t most, int64_t banks_asked) {
  constexpr uint64_t kRowNumberBytes = 4;
  Cost cost;
  if (most == 0) return cost;
  const auto rows = static_cast<uint64_t>(most);
  const auto banks = static_cast<uint64_t>(banks_asked);
  const uint64_t results = rows * layout.padded_row_bytes();
  cost.to_banks_bytes = banks * words(rows * kRowNumberBytes);
  cost.from_banks_bytes = banks * results;
  // Each row goes through the scratchpad: out of the table, into the results.
  cost.bank_cycles = rows * 2 * copy_cycles(layout.padded_row_bytes());
  const uint64_t rounds = (results + kExchangeBytes - 1) / kExchangeBytes;
  cost.modelled_ns = rounds * geometry.launch_ns + transfer_ns(cost.to_banks_bytes, geometry.to_banks) +
                     cycles_ns(geometry, cost.bank_cycles) + transfer_ns(cost.from_banks_bytes, geometry.from_banks);
  return cost;
}

Cost elementwise_cost(const Geometry& geometry, int64_t elements, uint64_t element_bytes, int64_t inputs, uint64_t cycles) {
  Cost cost;
  if (elements == 0) return cost;
  const auto count = static_cast<uint64_t>(elements);
  const auto all = static_cast<uint64_t>(geometry.banks);
  const uint64_t per_bank = words((count + all - 1) / all * element_bytes) / element_bytes;
  const uint64_t banks = (count + per_bank - 1) / per_bank;
  const uint64_t moved = banks * per_bank * element_bytes;
  cost.to_banks_bytes = moved * static_cast<uint64_t>(inputs);
  cost.from_banks_bytes = moved;
  cost.bank_cycles = std::max(per_bank * cycles, copy_cycles(per_bank * element_bytes * static_cast<uint64_t>(inputs + 1)));
  cost.modelled_ns = geometry.launch_ns + transfer_ns(cost.to_banks_bytes, geometry.to_banks) +
                     cycles_ns(geometry, cost.bank_cycles) + transfer_ns(cost.from_banks_bytes, geometry.from_banks);
  return cost;
}

Cost residence_cost(const Geometry& geometry, const Layout& layout) {
  Cost cost;
  cost.to_banks_bytes = layout.moved_bytes();
  cost.modelled_ns = transfer_ns(cost.to_banks_bytes, geometry.to_banks);
  return cost;
}

}  // namespace axle::pim
