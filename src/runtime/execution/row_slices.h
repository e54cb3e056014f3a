// Rows of a tensor: what lies behind one index of its first axis. Dense, so that rows are stretches of bytes.
#pragma once

#include <cstring>
#include <span>

#include "axle/tensor.h"

namespace axle {

// The tensor has at least one row, of whole bytes.
inline std::span<const std::byte> rows_in(const Tensor& whole, int64_t first, int64_t count) {
  const size_t row = whole.size_bytes() / static_cast<size_t>(whole.shape().front());
  return whole.bytes().subspan(static_cast<size_t>(first) * row, static_cast<size_t>(count) * row);
}

// All of `rows` into `whole` from row `first` on; both have the same other axes, and there is room.
inline void put_rows(const Tensor& rows, int64_t first, Tensor& whole) {
  const std::span<const std::byte> from = rows.bytes();
  if (from.empty()) return;
  const size_t row = from.size() / static_cast<size_t>(rows.shape().front());
  std::memcpy(static_cast<std::byte*>(whole.mutable_data()) + static_cast<size_t>(first) * row, from.data(), from.size());
}

}  // namespace axle
