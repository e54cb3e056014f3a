// Rows of four equal floats, for models of testing/fake_engines.h.
#pragma once

#include <algorithm>
#include <vector>

#include "axle/tensor.h"

namespace axle::testing {

// x[1,4]
inline NamedTensor row_of(float value) {
  auto tensor = Tensor::allocate(DataType::kFloat32, {1, 4});
  std::fill_n(tensor->mutable_as<float>().begin(), 4, value);
  return {"x", std::move(*tensor)};
}

inline float first_of(const std::vector<NamedTensor>& outputs) { return outputs.at(0).tensor.as<float>()[0]; }

}  // namespace axle::testing
