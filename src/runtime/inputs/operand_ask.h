// One operand of one node, and what is known around it: sizes, constants, attributes.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "model/attributes.h"
#include "model/graph.h"
#include "tensor/convert.h"

namespace axle {

// Nothing where it is more than 64 bits hold; sizes are not negative.
inline std::optional<int64_t> checked_product(std::span<const int64_t> sizes) {
  int64_t count = 1;
  bool fits = true;
  for (const int64_t size : sizes) {
    if (size == 0) return 0;
    fits = fits && !__builtin_mul_overflow(count, size, &count);
  }
  return fits ? std::optional(count) : std::nullopt;
}

inline bool all_known(const std::vector<int64_t>& sizes) {
  return std::ranges::none_of(sizes, [](int64_t size) { return size < 0; });
}
// 0: of nothing, or more than anything has.
inline int64_t product(std::span<const int64_t> sizes) { return checked_product(sizes).value_or(0); }

// Views into the graph, which must outlive it.
class Ask {
 public:
  static constexpr int64_t kMostConstants = 4096;

  Ask(const Graph& graph, const Node& node, size_t operand, int64_t usual_size)
      : graph_(graph), node_(node), operand_(operand), usual_size_(usual_size) {}

  const Node& node() const { return node_; }
  size_t operand() const { return operand_; }
  int64_t usual_size() const { return usual_size_; }
  int64_t attribute(std::string_view name, int64_t fallback) const { return int_attribute(node_, name, fallback); }

  const Value* value(size_t operand) const {
    return operand < node_.inputs.size() && node_.inputs[operand] >= 0
               ? &graph_.values[static_cast<size_t>(node_.inputs[operand])]
               : nullptr;
  }
  bool is_input(size_t operand) const {
    const Value* found = value(operand);
    return found != nullptr && found->producer < 0 && found->weight < 0;
  }
  // -1: an axis of unknown size. Empty: a scalar, or the rank is unknown.
  std::vector<int64_t> sizes(size_t operand) const { return sizes_of(value(operand)); }
  std::vector<int64_t> output_sizes() const {
    return node_.outputs.empty() || node_.outputs[0] < 0 ? std::vector<int64_t>{}
                                                         : sizes_of(&graph_.values[static_cast<size_t>(node_.outputs[0])]);
  }
  int64_t size(size_t operand, int64_t axis) const { return at(sizes(operand), axis); }
  int64_t output_size(int64_t axis) const { return at(output_sizes(), axis); }
  // Of a tensor of one axis; -1 unknown.
  int64_t length() const { return sizes(operand_).size() == 1 ? size(operand_, 0) : -1; }

  // Nothing when it is not constant, or not numbers.
  std::optional<std::vector<int64_t>> constants(size_t operand) const {
    const Value* found = value(operand);
    if (found == nullptr || found->weight < 0) return std::nullopt;
    const Weight& weight = *graph_.weights[static_cast<size_t>(found->weight)];
    const auto count = checked_product(weight.shape);
    if (!count || *count < 0 || *count > kMostConstants) return std::nullopt;
    std::vector<double> numbers(static_cast<size_t>(*count));
    if (!read_as_doubles(weight.dtype, weight.bytes, 0, numbers).ok()) return std::nullopt;
    if (std::ranges::any_of(numbers, [](double number) { return !(std::abs(number) < 0x1p62); })) return std::nullopt;
    return std::vector<int64_t>(numbers.begin(), numbers.end());
  }
  std::optional<int64_t> constant(size_t operand) const {
    const auto values = constants(operand);
    return values && !values->empty() ? std::optional(values->front()) : std::nullopt;
  }

 private:
  static int64_t at(const std::vector<int64_t>& sizes, int64_t axis) {
    const auto rank = static_cast<int64_t>(sizes.size());
    if (axis < 0) axis += rank;
    return axis < 0 || axis >= rank ? -1 : sizes[static_cast<size_t>(axis)];
  }
  static std::vector<int64_t> sizes_of(const Value* value) {
    std::vector<int64_t> sizes;
    if (value == nullptr || !value->rank_known) return sizes;
    for (const Dim& dim : value->shape) sizes.push_back(dim.size);
    return sizes;
  }

  const Graph& graph_;
  const Node& node_;
  size_t operand_;
  int64_t usual_size_;
};

}  // namespace axle
