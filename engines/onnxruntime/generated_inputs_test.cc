// Generated inputs run: ONNX Runtime refuses indices, sizes and lengths that are out of bounds.
#include "model/model_graph.h"
#include "runtime/testing/generated_cases.h"

#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

class OnnxRuntimeGenerated : public EngineCase, public ::testing::WithParamInterface<GeneratedCase> {
 protected:
  OnnxRuntimeGenerated() : EngineCase("onnxruntime") {}
};

TEST_P(OnnxRuntimeGenerated, InputsRun) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, model_of(GetParam()));
  AXLE_ASSERT_OK_AND_ASSIGN(auto graph, graph_of(model));
  AXLE_ASSERT_OK_AND_ASSIGN(auto index, GraphIndex::create(std::move(graph)));
  const auto executable = load(request(std::move(index)));
  ASSERT_NE(executable, nullptr);
  for (const uint64_t seed : {0, 1}) {
    GenerateOptions options;
    options.seed = seed;
    AXLE_ASSERT_OK_AND_ASSIGN(auto inputs, generate_inputs(model, options));
    std::map<std::string, Tensor> feeds;
    for (NamedTensor& input : inputs) feeds.emplace(input.name, std::move(input.tensor));
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, feeds));
    for (const auto& [name, tensor] : outputs) EXPECT_GT(tensor.element_count(), 0) << name;
  }
}

std::vector<GeneratedCase> with_kernels() {
  std::vector<GeneratedCase> cases = generated_cases();
  std::erase_if(cases, [](const GeneratedCase& one) { return !one.onnxruntime; });
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Cases, OnnxRuntimeGenerated, ::testing::ValuesIn(with_kernels()),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace axle::testing
