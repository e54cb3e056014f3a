// Calls of axle in programs that end when one fails: its error becomes an exception, which run_main prints.
#pragma once

#include <stdexcept>
#include <utility>
#include <vector>

#include "axle/status.h"
#include "axle/tensor.h"
#include "flat_tensor.h"

namespace axle_benchmarks {

template <typename T>
T value_of(axle::Result<T> result) {
  if (!result) throw std::runtime_error("axle: " + result.error().to_string());
  return std::move(*result);
}

inline void check(const axle::Status& status) {
  if (!status.ok()) throw std::runtime_error("axle: " + status.to_string());
}

// Views of the inputs, which must outlive them.
inline std::vector<axle::NamedTensor> feeds_of(std::vector<FlatTensor>& inputs) {
  std::vector<axle::NamedTensor> feeds;
  for (FlatTensor& input : inputs) {
    feeds.push_back({input.name, value_of(axle::Tensor::borrow(static_cast<axle::DataType>(input.dtype), input.shape,
                                                               input.data.get(), input.size_bytes))});
  }
  return feeds;
}

}  // namespace axle_benchmarks
