// Arithmetic on times and rates that cannot overflow, and what cost formulas need to know of a node.
#pragma once

#include <algorithm>
#include <cstdint>

#include "spec/planner_input.h"

namespace axle {

inline constexpr uint64_t kForever = uint64_t{1} << 61;  // 73 years; also what documents bound times by

// a * b / c without overflow, saturated.
inline uint64_t scaled(uint64_t a, uint64_t b, uint64_t c) {
  __extension__ typedef unsigned __int128 Wide;
  const Wide wide = static_cast<Wide>(a) * b / std::max<uint64_t>(c, 1);
  return wide > kForever ? kForever : static_cast<uint64_t>(wide);
}

inline uint64_t saturated_add(uint64_t a, uint64_t b) { return a > kForever - std::min(b, kForever) ? kForever : a + b; }

// It reads the rows that are asked for, not its table.
inline bool is_lookup(const NodeFacts& node) { return node.domain.empty() && node.op_type == "Gather"; }

// Its operands are integers in the file already: they are read as they are at every precision.
inline bool holds_integers(const NodeFacts& node) {
  const auto& op = node.op_type;
  return node.domain.empty() && (op == "MatMulInteger" || op == "ConvInteger" || op == "QLinearMatMul" || op == "QLinearConv");
}

}  // namespace axle
