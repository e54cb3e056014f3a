// Random models for differential tests: whatever way such a graph is divided among engines, the results are the same.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axle/tensor.h"

namespace axle::conformance {

struct RandomOutput {
  std::string name;
  // Whole numbers throughout, small enough that every order of computing gives the same bits.
  bool exact = false;
};

struct RandomModel {
  std::string bytes;                     // a ModelProto, opset 17
  std::vector<NamedTensor> inputs;       // f32, whole numbers; leading axis symbolic in every other model
  std::vector<RandomOutput> outputs;
  std::vector<std::string> nodes;        // names, in the graph's order
};

// The same seed gives the same model: 2 to 24 nodes, among them operators with several outputs, values of f32, i64 and bool that
// several nodes read, weights that several nodes share, reductions, changes of shape, and If with outer values in its branches.
RandomModel random_model(uint64_t seed);

}  // namespace axle::conformance
