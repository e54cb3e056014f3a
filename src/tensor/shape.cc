#include <fmt/format.h>

#include "axle/tensor.h"
#include "base/checked.h"

namespace axle {

Result<int64_t> element_count(std::span<const int64_t> shape) {
  int64_t count = 1;
  bool empty = false;
  for (const int64_t size : shape) {
    if (size < 0) return out_of_range_error(fmt::format("the shape {} has a negative dimension", format_shape(shape)));
    if (size == 0) {
      empty = true;
      continue;
    }
    // Without the zeros too: strides are products of the other dimensions.
    const auto product = checked_mul(count, size);
    if (!product) return out_of_range_error(fmt::format("the shape {} has too many elements", format_shape(shape)));
    count = *product;
  }
  return empty ? 0 : count;
}

Result<size_t> dense_size_bytes(DataType type, std::span<const int64_t> shape) {
  const int bits = data_type_bits(type);
  if (bits == 0) {
    return invalid_argument_error(fmt::format("elements of type {} have no fixed size", data_type_name(type)));
  }
  AXLE_ASSIGN_OR_RETURN(const int64_t count, element_count(shape));
  if (bits < 8) return static_cast<size_t>(count / (8 / bits) + (count % (8 / bits) != 0 ? 1 : 0));
  const auto size = checked_mul(count, int64_t{bits / 8});
  if (!size) {
    return out_of_range_error(fmt::format("{} {} does not fit in memory", data_type_name(type), format_shape(shape)));
  }
  return static_cast<size_t>(*size);
}

std::string format_shape(std::span<const int64_t> shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::string format_shape(const SymbolicShape& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    if (shape[i].is_static()) {
      text += fmt::format("{}", shape[i].size);
    } else {
      text += shape[i].symbol.empty() ? "?" : shape[i].symbol;
    }
  }
  return text + "]";
}

}  // namespace axle
