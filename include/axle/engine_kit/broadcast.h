// Broadcasting of two operands as ONNX defines it (and numpy): the shape of the result, and the elements each of its own is made of.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "axle/engine_kit/base.h"

namespace axle::kit {

inline constexpr size_t kMostBroadcastAxes = 8;

// Throws UNIMPLEMENTED for more axes than that, INVALID_ARGUMENT for axes that do not fit. Allocates nothing where `out` has room.
inline void broadcast_shape(std::span<const int64_t> left, std::span<const int64_t> right, std::vector<int64_t>& out) {
  const size_t rank = std::max(left.size(), right.size());
  if (rank > kMostBroadcastAxes) throw unimplemented("more than 8 axes");
  out.resize(rank);
  for (size_t i = 0; i < rank; ++i) {
    const int64_t a = i < left.size() ? left[left.size() - 1 - i] : 1;
    const int64_t b = i < right.size() ? right[right.size() - 1 - i] : 1;
    if (a != b && a != 1 && b != 1)
      throw invalid_argument("axes of " + std::to_string(a) + " and " + std::to_string(b) + " do not broadcast");
    out[rank - 1 - i] = a == 1 ? b : a;
  }
}

// Goes over the elements of the result in order.
class BroadcastWalk {
 public:
  // `out` is broadcast_shape of both, and must outlive this.
  BroadcastWalk(std::span<const int64_t> left, std::span<const int64_t> right, std::span<const int64_t> out) : out_(out) {
    set_strides(left, left_stride_);
    set_strides(right, right_stride_);
  }

  // Indices of the operands' elements.
  int64_t left() const noexcept { return left_; }
  int64_t right() const noexcept { return right_; }

  void next() noexcept {
    for (size_t axis = out_.size(); axis-- > 0;) {
      left_ += left_stride_[axis];
      right_ += right_stride_[axis];
      if (++index_[axis] < out_[axis]) break;
      left_ -= left_stride_[axis] * out_[axis];
      right_ -= right_stride_[axis] * out_[axis];
      index_[axis] = 0;
    }
  }

 private:
  void set_strides(std::span<const int64_t> shape, int64_t* strides) const noexcept {
    int64_t step = 1;
    for (size_t i = 0; i < shape.size(); ++i) {
      const int64_t size = shape[shape.size() - 1 - i];
      strides[out_.size() - 1 - i] = size == 1 ? 0 : step;
      step *= size;
    }
  }

  std::span<const int64_t> out_;
  int64_t index_[kMostBroadcastAxes] = {}, left_stride_[kMostBroadcastAxes] = {}, right_stride_[kMostBroadcastAxes] = {};
  int64_t left_ = 0, right_ = 0;
};

}  // namespace axle::kit
