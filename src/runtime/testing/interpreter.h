// An interpreter for the fake engines: element by element, in f32, over the graph that was loaded.
#pragma once

#include <algorithm>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "engine/testing/fake_engine.h"

namespace axle::testing {

using Values = std::map<std::string, std::vector<float>>;

// Add, Sub, Mul, Max of two equal tensors; Relu, Neg of one. In place on `values`, in the order of the nodes.
inline void interpret(const std::vector<FakeNode>& nodes, Values& values) {
  for (const FakeNode& node : nodes) {
    std::vector<float> result = values.at(node.inputs.at(0));
    const std::vector<float>* other = node.inputs.size() > 1 ? &values.at(node.inputs[1]) : nullptr;
    for (size_t i = 0; i < result.size(); ++i) {
      const float a = result[i], b = other != nullptr ? other->at(i) : 0;
      if (node.op_type == "Add")
        result[i] = a + b;
      else if (node.op_type == "Sub")
        result[i] = a - b;
      else if (node.op_type == "Mul")
        result[i] = a * b;
      else if (node.op_type == "Max")
        result[i] = std::max(a, b);
      else if (node.op_type == "Relu")
        result[i] = std::max(a, 0.0F);
      else if (node.op_type == "Neg")
        result[i] = -a;
      else
        throw std::runtime_error("the interpreter has no " + node.op_type);
    }
    values[node.outputs.at(0)] = std::move(result);
  }
}

// compute for FakeScript.
inline FakeCompute interpreted() {
  return [](const FakeLoad& load, std::span<const axle_tensor_t> inputs, std::span<FakeOutput> outputs) {
    Values values;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto* data = static_cast<const float*>(inputs[i].data);
      values[load.inputs.at(i)].assign(data, data + inputs[i].size_bytes / sizeof(float));
    }
    interpret(load.nodes, values);
    for (FakeOutput& out : outputs)
      out.set(std::vector<int64_t>(inputs[0].shape, inputs[0].shape + inputs[0].rank), values.at(out.spec->name));
  };
}

}  // namespace axle::testing
