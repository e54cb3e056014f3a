// The device that is modelled: memory modules whose banks each have a small processor of their own (UPMEM's DPU, with MRAM and
// WRAM). How a weight is cut over the banks, what has to be moved, and how long that would take. Pure arithmetic: nothing here
// computes a tensor, and every time is modelled, never measured.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

namespace axle::pim {

// What every text that leaves this engine calls it.
inline constexpr const char* kModelName = "pim functional model (simulated)";

// One machine of the kind. The figures are those of profiles/devices/upmem-pim-20dimm.json, where their sources stand; a test
// holds the two together.
struct Geometry {
  int64_t banks = 2556;
  uint64_t bank_bytes = uint64_t{64} << 20;  // of one bank's own memory (MRAM)
  uint64_t working_bytes = uint64_t{64} << 10;  // of one processor's scratchpad (WRAM)
  uint64_t megahertz = 350;
  // Host and banks, 10^6 bytes per second, counted in bytes that arrive in or leave banks.
  uint64_t to_banks = 6'680;  // different bytes to each bank
  uint64_t broadcast = 16'880;  // the same bytes to each bank
  uint64_t from_banks = 4'740;
  uint64_t launch_ns = 20'000;  // starting the processors and waiting for the last
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

// Rules of the transfers: whole words of 8 bytes, and all banks of one transfer give or take equally much.
inline constexpr uint64_t kWordBytes = 8;
inline constexpr uint64_t kBlockBytes = 2048;  // what a processor copies at once between its bank and its scratchpad
// Kept free in every bank for what moves in and out (vectors, row numbers, results).
inline constexpr uint64_t kExchangeBytes = uint64_t{4} << 20;

constexpr uint64_t words(uint64_t bytes) { return (bytes + kWordBytes - 1) / kWordBytes * kWordBytes; }

// Cycles of one operation on operands in the scratchpad, and of copying a block into it.
struct Cycles {
  uint64_t multiply_add = 0;
  uint64_t add = 0;
  uint64_t multiply = 0;
};
Cycles float_cycles() noexcept;  // done in software
Cycles integer_cycles() noexcept;  // of 32 bits
Cycles byte_cycles() noexcept;  // bytes into 32-bit sums
uint64_t copy_cycles(uint64_t bytes) noexcept;

// A weight cut by rows: bank i holds rows [i * rows_per_bank, ...). The last bank may hold fewer and is padded to the same size.
struct Layout {
  int64_t rows = 0;
  uint64_t row_bytes = 0;  // as the tensor has them
  int64_t banks = 0;
  int64_t rows_per_bank = 0;

  uint64_t padded_row_bytes() const { return words(row_bytes); }
  uint64_t bank_bytes() const { return static_cast<uint64_t>(rows_per_bank) * padded_row_bytes(); }
  uint64_t moved_bytes() const { return static_cast<uint64_t>(banks) * bank_bytes(); }
  int64_t first_row(int64_t bank) const { return bank * rows_per_bank; }
  int64_t row_count(int64_t bank) const { return std::clamp<int64_t>(rows - first_row(bank), 0, rows_per_bank); }
  int64_t bank_of(int64_t row) const { return row / rows_per_bank; }
  friend bool operator==(const Layout&, const Layout&) = default;
};

struct Cut {
  Layout layout;
  std::string refusal;  // "" = it fits
  bool fits() const { return refusal.empty(); }
};

// Into about `wanted_banks` banks, more where less would not hold it. `used_bytes` of every bank are taken already. Each bank
// gets an even number of rows, so that results of 4 bytes fill whole words.
Cut cut_rows(const Geometry& geometry, int64_t rows, uint64_t row_bytes, int64_t wanted_banks, uint64_t used_bytes);

// Banks for a matrix of `rows` rows of `row_length` numbers that one vector is multiplied with: more banks share the work, but
// each has to be sent the whole vector. The least sum of both.
int64_t product_banks(const Geometry& geometry, int64_t rows, int64_t row_length, uint64_t element_bytes, const Cycles& cycles);

// What one step costs.
struct Cost {
  uint64_t to_banks_bytes = 0;  // arriving in banks
  uint64_t from_banks_bytes = 0;
  uint64_t bank_cycles = 0;  // of the bank that works longest
  uint64_t modelled_ns = 0;
  Cost& operator+=(const Cost& more) noexcept;
};

// One vector against a matrix that lies in banks; one result of `result_bytes` for each row. `extra` cycles for each row.
Cost product_cost(const Geometry& geometry, const Layout& layout, int64_t row_length, uint64_t element_bytes,
                  const Cycles& cycles, uint64_t extra);
// Rows of a table; `most` = lookups in the bank that is asked for most.
Cost lookup_cost(const Geometry& geometry, const Layout& layout, int64_t most, int64_t banks_asked);
// Element by element: `inputs` operands in, one result out, spread over all banks.
Cost elementwise_cost(const Geometry& geometry, int64_t elements, uint64_t element_bytes, int64_t inputs, uint64_t cycles);
// Weights are sent once, when a model is loaded.
Cost residence_cost(const Geometry& geometry, const Layout& layout);

}  // namespace axle::pim
