// What most engine tests need: a registry that sees given engines only, and f32 tensors at the ABI level.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "base/testing/status_matchers.h"
#include "engine/engine.h"
#include "engine/testing/fake_engine.h"
#include "engine/testing/graph_builder.h"

namespace axle::testing {

// Dense f32 values with a shape, viewed as the ABI's tensor.
struct FloatTensor {
  std::vector<int64_t> shape;
  std::vector<float> values;
  axle_tensor_t abi() {
    axle_tensor_t tensor{};
    tensor.struct_size = sizeof(tensor);
    tensor.dtype = static_cast<int32_t>(DataType::kFloat32);
    tensor.rank = static_cast<int32_t>(shape.size());
    tensor.shape = shape.data();
    tensor.data = values.data();
    tensor.size_bytes = values.size() * sizeof(float);
    return tensor;
  }
};

inline std::vector<float> floats(const OutputView& view) {
  const auto* data = static_cast<const float*>(view.data);
  const size_t count = view.size_bytes / sizeof(float);
  return {data, data + count};
}

inline EngineRegistryOptions only(const FakeEngine& fake, const std::string& name = "fake") {
  EngineRegistryOptions options;
  options.default_folders = false;
  options.in_process[name] = fake.query();
  return options;
}

inline std::shared_ptr<const GraphIndex> index_of(const std::shared_ptr<const Graph>& graph) {
  auto index = GraphIndex::create(graph);
  EXPECT_TRUE(index.ok()) << index.status().to_string();
  return index.ok() ? *index : nullptr;
}

// y = relu(x + w), x: [n, 4].
inline std::shared_ptr<const Graph> small_graph() {
  return GraphBuilder()
      .input("x", {{-1, "n"}, {4, ""}})
      .weight("w", {4}, {1, -2, 3, -4})
      .node("Add", {"x", "w"}, "sum", SymbolicShape{{-1, "n"}, {4, ""}})
      .node("Relu", {"sum"}, "y", SymbolicShape{{-1, "n"}, {4, ""}})
      .output("y")
      .build();
}

}  // namespace axle::testing
