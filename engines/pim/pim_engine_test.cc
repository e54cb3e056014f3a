// The plugin through the C ABI, driven by the host's own classes: what it says of itself, takes, computes and counts.
#include <cmath>
#include <random>

#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

using ::testing::HasSubstr;

constexpr const char* kModel = "pim functional model (simulated)";

class PimEngine : public EngineCase {
 protected:
  PimEngine() : EngineCase("pim", "pim:0") {}

  GraphVerdict verdict(const std::string& text, std::map<std::string, std::string> options = {},
                       const std::string& precision = "f32") const {
    EngineLoadRequest asked = request(graph_of_text(text), std::move(options));
    asked.precision = precision;
    auto answer = engine_->support(asked);
    EXPECT_THAT(answer, IsOk());
    return answer.ok() ? *answer : GraphVerdict();
  }
};

template <typename T>
Tensor tensor_of(DataType dtype, Shape shape, const std::vector<T>& values) {
  Tensor tensor = Tensor::allocate(dtype, shape).value();
  std::copy(values.begin(), values.end(), tensor.mutable_as<T>().begin());
  return tensor;
}

TEST_F(PimEngine, SaysEverywhereThatItIsSimulated) {
  EXPECT_THAT(engine_->info().description, HasSubstr(kModel));
  EXPECT_TRUE(engine_->info().honours_cpu_set);
  const std::vector<EngineResource> resources = engine_->resources();
  ASSERT_EQ(resources.size(), 1u);
  const Resource& resource = resources.front().resource;
  EXPECT_EQ(resource.kind, ResourceKind::kPim);
  EXPECT_TRUE(resource.simulated);
  EXPECT_THAT(resource.name, HasSubstr(kModel));
  EXPECT_EQ(resource.attributes.at("banks"), "2556");
  EXPECT_EQ(resource.memory_bytes, uint64_t{2556} << 26);
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine_->capability("pim:0"));
  EXPECT_FALSE(capability.precisions.at(0).native) << "floats are done in software";
  EXPECT_TRUE(capability.precisions.at(1).native);
  EXPECT_THAT(engine_->capability("cpu:0"), StatusIs(StatusCode::kNotFound));
}

constexpr const char* kLayers = R"(<ir_version: 8, opset_import: ["": 17]>
  layers (float[1, 4] x) => (float[1, 2] y)
  <float[4, 3] w = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, float[2, 3] v = {1, -1, 0.5, 2, 0, -2}, float[2] c = {100, 200}>
  { h = MatMul(x, w)  r = Relu(h)  y = Gemm<transB = 1, alpha = 2.0, beta = 0.5>(r, v, c) })";

TEST_F(PimEngine, ComputesProductsAndCountsWhatWouldMove) {
  EXPECT_EQ(verdict(kLayers).graph.kind, VerdictKind::kYes);
  const auto executable = load(request(graph_of_text(kLayers)));
  ASSERT_NE(executable, nullptr);
  EXPECT_EQ(executable->effective().precision, "f32");
  ASSERT_EQ(executable->effective().kernels.size(), 3u);
  for (const auto& kernel : executable->effective().kernels) EXPECT_THAT(kernel.kernel, HasSubstr(kModel));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  // h = 22, 26, 30
  EXPECT_EQ(outputs.at("y").as<float>()[0], 2 * (22 - 26 + 15) + 50.0f);
  EXPECT_EQ(outputs.at("y").as<float>()[1], 2 * (44 - 60) + 100.0f);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto counters, executable->counters());
  EXPECT_EQ(counters.at("simulated"), 1);
  EXPECT_EQ(counters.at("runs"), 1);
  EXPECT_GT(counters.at("weight_bytes_to_banks"), 4 * (12 + 6));
  EXPECT_GT(counters.at("bytes_to_banks"), 0);
  EXPECT_GT(counters.at("bytes_from_banks"), 0);
  EXPECT_GE(counters.at("modelled_us"), 60) << "three launches of 20 us";
}

// The columns of MatMul's weight are cut, as many as there are banks or as few.
TEST_F(PimEngine, TheNumberOfBanksChangesNoResult) {
  std::mt19937 random(11);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 12; ++i) {
    const int64_t length = 1 + random() % 40, rows = 1 + random() % 60, vectors = 1 + random() % 4;
    std::string numbers;
    for (int64_t k = 0; k < length * rows; ++k) numbers += (k == 0 ? "" : ", ") + std::to_string(normal(random));
    const std::string dims = std::to_string(length) + ", " + std::to_string(rows);
    const std::string text = "<ir_version: 8, opset_import: [\"\": 17]> g (float[" + std::to_string(vectors) + ", " +
                             std::to_string(length) + "] x) => (float[" + std::to_string(vectors) + ", " +
                             std::to_string(rows) + "] y) <float[" + dims + "] w = {" + numbers + "}> { y = MatMul(x, w) }";
    std::vector<float> x(static_cast<size_t>(vectors * length));
    for (float& value : x) value = normal(random);
    std::vector<float> first;
    for (const char* banks : {"1", "3", "2556"}) {
      const auto executable = load(request(graph_of_text(text), {{"banks", banks}}));
      ASSERT_NE(executable, nullptr);
      EXPECT_EQ(executable->effective().options.at("banks"), banks);
      AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({vectors, length}, x)}}));
      const auto y = outputs.at("y").as<float>();
      const std::vector<float> values(y.begin(), y.end());
      if (first.empty()) first = values;
      EXPECT_EQ(values, first) << dims;
    }
  }
}

constexpr const char* kBytes = R"(<ir_version: 8, opset_import: ["": 17]>
  bytes (uint8[2, 3] x, uint8 xz) => (int32[2, 2] y)
  <int8[3, 2] w = {1, -2, 3, -4, 5, -6}, int8[2] wz = {1, -1}>
  { y = MatMulInteger(x, w, xz, wz) })";

TEST_F(PimEngine, ComputesProductsOfBytesExactly) {
  EXPECT_EQ(verdict(kBytes, {}, "int8").graph.kind, VerdictKind::kYes);
  EngineLoadRequest asked = request(graph_of_text(kBytes), {{"banks", "2"}});
  asked.precision = "int8";
  const auto executable = load(asked);
  ASSERT_NE(executable, nullptr);
  EXPECT_EQ(executable->effective().precision, "int8");
  EXPECT_TRUE(executable->effective().precision_read_back);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs,
                            run_once(*executable, {{"x", tensor_of<uint8_t>(DataType::kUint8, {2, 3}, {10, 20, 30, 0, 255, 1})},
                                                   {"xz", tensor_of<uint8_t>(DataType::kUint8, {}, {10})}}));
  const auto y = outputs.at("y").as<int32_t>();
  EXPECT_EQ(std::vector<int32_t>(y.begin(), y.end()),
            (std::vector<int32_t>{0 * 0 + 10 * 2 + 20 * 4, 0 * -1 + 10 * -3 + 20 * -5, -10 * 0 + 245 * 2 - 9 * 4,
                                  -10 * -1 + 245 * -3 - 9 * -5}));
}

constexpr const char* kTable = R"(<ir_version: 8, opset_import: ["": 17]>
  table (int64[n, 2] rows) => (float[n, 2, 3] y)
  <float[5, 3] t = {0, 1, 2, 10, 11, 12, 20, 21, 22, 30, 31, 32, 40, 41, 42}>
  { y = Gather(t, rows) })";

TEST_F(PimEngine, LooksRowsUpInTheirBanks) {
  EXPECT_EQ(verdict(kTable).graph.kind, VerdictKind::kYes) << "how many are looked up may stay open";
  const auto executable = load(request(graph_of_text(kTable), {{"banks", "2"}}));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs,
                            run_once(*executable, {{"rows", tensor_of<int64_t>(DataType::kInt64, {2, 2}, {4, 0, -1, -5})}}));
  EXPECT_EQ(outputs.at("y").shape(), (Shape{2, 2, 3}));
  const auto y = outputs.at("y").as<float>();
  EXPECT_EQ(std::vector<float>(y.begin(), y.end()), (std::vector<float>{40, 41, 42, 0, 1, 2, 40, 41, 42, 0, 1, 2}));
  for (const int64_t row : {5, -6})
    EXPECT_THAT(run_once(*executable, {{"rows", tensor_of<int64_t>(DataType::kInt64, {1, 2}, {0, row})}}),
                StatusIs(StatusCode::kInvalidArgument, "a table of 5"));
}

std::string zeros(int64_t count) {
  std::string text = "0";
  for (int64_t i = 1; i < count; ++i) text += ",0";
  return text;
}

TEST_F(PimEngine, WhatDoesNotFitTheBanksIsRefusedWithTheFigures) {
  const std::string large = R"(<ir_version: 8, opset_import: ["": 17]>
    g (int64[2] rows, float[1, 600000] v) => (float[2, 512] y, float[1, 1] z)
    <float[1024, 512] t = {)" +
                            zeros(1024 * 512) + "}, float[600000, 1] w = {" + zeros(600000) +
                            "}> { y = Gather(t, rows)  z = MatMul(v, w) }";
  const GraphVerdict whole = verdict(large);
  EXPECT_EQ(whole.of_node(0).kind, VerdictKind::kYes) << whole.of_node(0).text;
  EXPECT_EQ(whole.of_node(1).code, "MEMORY");
  EXPECT_THAT(whole.of_node(1).text, HasSubstr("a vector of 2400000 bytes does not fit"));
  const GraphVerdict few = verdict(large, {{"banks", "1"}, {"bank_memory_mib", "5"}});
  EXPECT_EQ(few.of_node(0).code, "MEMORY");
  EXPECT_THAT(few.of_node(0).text,
              HasSubstr("its table does not fit: 1024 rows of 2048 bytes need 2.0 MiB in each of 1 banks: 1.0 MiB of 5.0 MiB"));
}

TEST_F(PimEngine, MemoryThatOneTableTakesIsNotThereForTheNext) {
  const std::string two = R"(<ir_version: 8, opset_import: ["": 17]>
    g (int64[2] rows) => (float[2, 512] y, float[2, 512] z)
    <float[300, 512] t = {)" +
                          zeros(300 * 512) + "}, float[300, 512] u = {" + zeros(300 * 512) +
                          "}> { y = Gather(t, rows)  z = Gather(u, rows) }";
  const GraphVerdict answer = verdict(two, {{"banks", "1"}, {"bank_memory_mib", "5"}});
  EXPECT_EQ(answer.of_node(0).kind, VerdictKind::kYes) << answer.of_node(0).text;
  EXPECT_EQ(answer.of_node(1).code, "MEMORY") << "0.6 of 1 MiB are taken";
}

TEST_F(PimEngine, EveryRefusalHasItsReason) {
  struct Case {
    const char* text;
    const char* code;
    const char* reason;
  };
  const Case cases[] = {
      {R"(g (float[32, 2] x) => (float[32, 2] y) <float[2, 2] w = {1, 2, 3, 4}> { y = MatMul(x, w) })", "SHAPE",
       "a product of 32 vectors"},
      {R"(g (float[n, 2] x) => (float[n, 2] y) <float[2, 2] w = {1, 2, 3, 4}> { y = MatMul(x, w) })", "DYNAMIC_SHAPE",
       "how many vectors it multiplies is open"},
      {R"(g (float[1, 2] x, float[2, 2] w) => (float[1, 2] y) { y = MatMul(x, w) })", "OTHER", "both operands are computed"},
      {R"(g (float[1, 2] x) => (float[1, 2] y) <float[2, 2] w = {1, 2, 3, 4}> { y = Gemm<transA = 1>(x, w) })", "ATTRIBUTE",
       "transA"},
      {R"(g (int64[2] r) => (float[2, 2] y) <float[2, 2] t = {1, 2, 3, 4}> { y = Gather<axis = 1>(t, r) })", "ATTRIBUTE",
       "axis 1"},
      {R"(g (float[2, 2] t, int64[2] r) => (float[2, 2] y) { y = Gather(t, r) })", "OTHER", "the table is computed"},
      {R"(g (double[2] x) => (double[2] y) { y = Add(x, x) })", "DTYPE", "f64"},
      {R"(g (float[2] x) => (float[2] y) { y = Tanh(x) })", "UNSUPPORTED_OP", "it takes products of vectors"},
  };
  for (const Case& one : cases) {
    const GraphVerdict answer = verdict(std::string(R"(<ir_version: 8, opset_import: ["": 17]> )") + one.text);
    EXPECT_EQ(answer.graph.kind, VerdictKind::kNo) << one.text;
    EXPECT_EQ(answer.of_node(0).code, one.code) << one.text;
    EXPECT_THAT(answer.of_node(0).text, HasSubstr(one.reason)) << one.text;
  }
  EXPECT_THAT(engine_->load(request(graph_of_text(kMlp))), StatusIs(StatusCode::kUnimplemented, "is open"));
}

TEST_F(PimEngine, NothingIsQuantisedInInt8) {
  const GraphVerdict answer = verdict(kLayers, {}, "int8");
  EXPECT_EQ(answer.of_node(0).code, "PRECISION");
  EXPECT_EQ(answer.of_node(1).kind, VerdictKind::kYes);
}

TEST_F(PimEngine, RefusesOptionsOutsideTheirDomain) {
  for (const auto& [option, value] : std::map<std::string, std::string>{{"banks", "0"}, {"bank_memory_mib", "4"}}) {
    EngineLoadRequest asked = request(graph_of_text(kLayers));
    asked.options[option] = value;
    EXPECT_THAT(engine_->load(asked), StatusIs(StatusCode::kInvalidArgument, option));
  }
}

}  // namespace
}  // namespace axle::testing
