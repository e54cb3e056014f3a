// Small loops that keep one core's units busy: what a core can compute and read at most. Each picks, once, the widest instructions that
// this processor has.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace axle {

// Independent multiply-adds in registers; `run(rounds)` returns how many operations that were (a multiply-add is two).
struct PeakKernel {
  std::string precision;  // "f32", "f64", "bf16", "f16", "int8"
  std::string instructions;  // "avx512f", "avx2", "neon", "baseline"
  uint64_t (*run)(int64_t rounds) = nullptr;
};

// Of the precisions that this processor computes in instructions of their own: f32 and f64 always.
std::vector<PeakKernel> peak_kernels();

// Reads all of it once; the sum, so that nothing is left out.
uint64_t read_through(std::span<const uint64_t> words) noexcept;

}  // namespace axle
