#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "ai_vmm/vmm.hpp"
#include "axle/tensor.h"
#include "testing/fixture.h"
#include "testing/tiny_model.h"

namespace ai_vmm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Deploy = testing::VmmTest;
using testing::error_of;
using testing::relu_model;
using testing::write_model;

const Tensor kInput = Tensor::from<float>({2, 3}, {-1, 2, -3, 4, -5, 6});

TEST_F(Deploy, DeploysAndExecutes) {
  VMM vmm = this->vmm();
  auto model = vmm.deploy(write_model(relu_model(), folder_, "relu"));
  auto out = model.execute(kInput);
  EXPECT_EQ(out.shape(), (std::vector<int64_t>{2, 3}));
  EXPECT_THAT(out.values<float>(), ElementsAre(0, 2, 0, 4, 0, 6));
  EXPECT_THAT(model.candidate(), HasSubstr("null@cpu:0/f32"));
  EXPECT_THAT(model.explain(), HasSubstr("null@cpu:0/f32"));
  EXPECT_EQ(model.inputs().front().name, "x");
  EXPECT_EQ(model.outputs().front().shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(model.category(), ModelCategory::OTHER);
  EXPECT_FALSE(model.category_reason().empty());
}

TEST_F(Deploy, ExecutesInTheBackgroundAndKeepsTheInput) {
  VMM vmm = this->vmm();
  const auto model = vmm.deploy(write_model(relu_model(), folder_, "relu"));
  std::vector<std::future<Tensor>> futures;
  for (int i = 0; i < 8; ++i) futures.push_back(model.execute_async(kInput.clone()));
  for (auto& future : futures) EXPECT_THAT(future.get().values<float>(), ElementsAre(0, 2, 0, 4, 0, 6));
  auto wrong = model.execute_async(Tensor::from<float>({1}, {1}));
  EXPECT_THROW(wrong.get(), RuntimeError);
}

TEST_F(Deploy, SeveralTensorsGoByName) {
  VMM vmm = this->vmm();
  const testing::TinyModel two{{{"a", {2}}, {"b", {2}}},
                               {{"sum", {2}}, {"product", {2}}},
                               {{"Add", {"a", "b"}, {"sum"}}, {"Mul", {"a", "b"}, {"product"}}}};
  const auto model = vmm.deploy(write_model(two, folder_, "two"));
  const Tensor a = Tensor::from<float>({2}, {1, 2}), b = Tensor::from<float>({2}, {3, 4});
  const TensorMap out = model.execute({{"a", a}, {"b", b}});
  EXPECT_THAT(out.at("sum").values<float>(), ElementsAre(4, 6));
  EXPECT_THAT(out.at("product").values<float>(), ElementsAre(3, 8));
  EXPECT_THAT(model.execute_async(TensorMap{{"a", a}, {"b", b}}).get().at("sum").values<float>(), ElementsAre(4, 6));
  const auto error = error_of<RuntimeError>([&] { model.execute(a); });
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("one input, and the model has 2: a, b"));
}

TEST_F(Deploy, MeasuresOnceAndUsesTheEvidenceAfterwards) {
  const std::string path = write_model(relu_model(), folder_, "relu");
  DeploymentConstraints constraints;
  constraints.measure_for_s = 1;
  int measured = 0;
  for (int round = 0; round < 2; ++round) {
    VMM vmm = this->vmm();
    int rounds = 0;
    VMM telling({runtime_, [&](const std::string& what, double) { rounds += what == "measuring candidates" ? 1 : 0; }});
    const auto model = telling.deploy(path, constraints);
    EXPECT_TRUE(model.session().plan().partitions.front().expected_from_evidence);
    if (round == 0) {
      measured = rounds;
    } else {
      EXPECT_EQ(rounds, 0);
    }
  }
  EXPECT_GT(measured, 0);
}

TEST_F(Deploy, AMissingOrBrokenModelIsACompilationError) {
  VMM vmm = this->vmm();
  const auto missing = error_of<CompilationError>([&] { vmm.deploy(folder_ + "/none.onnx"); });
  ASSERT_TRUE(missing);
  EXPECT_EQ(missing->code(), axle::StatusCode::kNotFound);
  EXPECT_EQ(missing->category(), ErrorCategory::COMPILATION);
}

TEST_F(Deploy, AnOperatorThatNobodyRunsIsACompilationErrorThatNamesIt) {
  VMM vmm = this->vmm();
  const testing::TinyModel model{{{"x", {2}}}, {{"y", {2}}}, {{"Cosh", {"x"}, {"y"}}}};
  const auto error = error_of<CompilationError>([&] { vmm.deploy(write_model(model, folder_, "cosh")); });
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("Cosh"));
}

TEST_F(Deploy, ABoundThatIsNotMetIsAPerformanceError) {
  VMM vmm = this->vmm();
  DeploymentConstraints constraints;
  constraints.max_latency_ms = 1e-6;
  constraints.latency_percentile = 50;
  constraints.measure_for_s = 1;
  const std::string path = write_model(relu_model(), folder_, "relu");
  const auto error = error_of<PerformanceError>([&] { vmm.deploy(path, constraints); });
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("latency_p50"));
  constraints.measure_for_s = 0;
  constraints.latency_percentile = 99;
  const testing::TinyModel other{{{"x", {7}}}, {{"y", {7}}}, {{"Relu", {"x"}, {"y"}}}};
  const auto unknown = error_of<PerformanceError>([&] { vmm.deploy(write_model(other, folder_, "other"), constraints); });
  ASSERT_TRUE(unknown);
  EXPECT_THAT(unknown->what(), HasSubstr("not enough evidence for latency_p99"));
}

TEST_F(Deploy, ReportsHowExecutionsKeptToTheBound) {
  VMM vmm = this->vmm();
  DeploymentConstraints constraints;
  constraints.max_latency_ms = 60'000;
  constraints.latency_percentile = 50;
  constraints.measure_for_s = 1;
  const auto model = vmm.deploy(write_model(relu_model(), folder_, "relu"), constraints);
  for (int i = 0; i < 3; ++i) model.execute(kInput);
  const QosReport qos = model.qos();
  EXPECT_EQ(qos.executions, 3);
  EXPECT_EQ(qos.violations, 0);
  EXPECT_EQ(qos.limit_ms, 60'000);
  EXPECT_GT(qos.worst_ms, 0);
}

TEST_F(Deploy, WhatCannotBeHadIsRefusedByName) {
  VMM vmm = this->vmm();
  const std::string path = write_model(relu_model(), folder_, "relu");
  const auto refused = [&](auto change, axle::StatusCode code, const char* words) {
    DeploymentConstraints constraints;
    change(constraints);
    const auto error = error_of<Error>([&] { vmm.deploy(path, constraints); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), code) << error->what();
    EXPECT_THAT(error->what(), HasSubstr(words));
  };
  using enum axle::StatusCode;
  refused([](DeploymentConstraints& c) { c.max_power_watts = 0.001; }, kFailedPrecondition, "power");
  // One CPU without core sets is one resource.
  refused([](DeploymentConstraints& c) { c.strategy = SchedulingStrategy::MODEL_PARALLEL; }, kFailedPrecondition,
          "a split needs two resources");
  refused([](DeploymentConstraints& c) { c.strategy = SchedulingStrategy::PIPELINE_PARALLEL; }, kFailedPrecondition,
          "a pipeline needs two resources");
}

TEST_F(Deploy, AModelIsSplitOverTwoCoreSets) {
  VMM vmm = this->vmm();
  const auto machine = runtime_->machine();
  ASSERT_TRUE(machine.ok());
  if (machine->resources.front().cpus.size() < 2) GTEST_SKIP() << "a split over core sets needs two CPUs";
  const testing::TinyModel chain{
      {{"x", {4}}},
      {{"y", {4}}},
      {{"Relu", {"x"}, {"a"}}, {"Add", {"a", "a"}, {"b"}}, {"Relu", {"b"}, {"c"}}, {"Add", {"c", "a"}, {"y"}}}};
  DeploymentConstraints constraints;
  constraints.strategy = SchedulingStrategy::MODEL_PARALLEL;
  constraints.required_hardware = {"cpu:0/0", "cpu:0/1"};
  constraints.measure_for_s = 0;
  const auto model = vmm.deploy(write_model(chain, folder_, "chain"), constraints);
  EXPECT_EQ(model.session().plan().schedule, "split");
  EXPECT_EQ(model.session().plan().partitions.size(), 2u);
  EXPECT_THAT(model.candidate(), HasSubstr("cpu:0/0"));
  EXPECT_THAT(model.candidate(), HasSubstr("cpu:0/1"));
  const auto out = model.execute(Tensor::from<float>({4}, {-1, 1, 2, 3}));
  EXPECT_THAT(out.values<float>(), ElementsAre(0, 3, 6, 9));
}

TEST_F(Deploy, HardwareIsPreferredRequiredAndExcluded) {
  VMM vmm = this->vmm();
  const std::string path = write_model(relu_model(), folder_, "relu");
  DeploymentConstraints constraints;
  constraints.measure_for_s = 0;
  constraints.preferred_hardware = {"pim"};
  const auto model = vmm.deploy(path, constraints);
  ASSERT_EQ(model.substitutions().size(), 1u);
  EXPECT_THAT(model.substitutions().front().wanted,
              ::testing::StartsWith("pim"));  // and a backend's that is registered by then
  constraints = {};
  constraints.required_hardware = {"pim"};
  EXPECT_THROW(vmm.deploy(path, constraints), CompilationError);
  constraints = {};
  constraints.excluded_hardware = {"cpu"};
  const auto excluded = error_of<CompilationError>([&] { vmm.deploy(path, constraints); });
  ASSERT_TRUE(excluded);
  EXPECT_THAT(excluded->what(), HasSubstr("denies cpu:0"));
}

TEST_F(Deploy, ConstraintsThatMakeNoSenseAreRefused) {
  VMM vmm = this->vmm();
  const auto refused = [&](auto change, const char* words) {
    DeploymentConstraints constraints;
    change(constraints);
    const auto error = error_of<CompilationError>([&] { vmm.deploy("unused.onnx", constraints); });
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code(), axle::StatusCode::kInvalidArgument) << error->what();
    EXPECT_THAT(error->what(), HasSubstr(words));
  };
  refused([](DeploymentConstraints& c) { c.max_latency_ms = -1; }, "max_latency_ms");
  refused([](DeploymentConstraints& c) { c.min_throughput = std::nan(""); }, "min_throughput");
  refused([](DeploymentConstraints& c) { c.latency_percentile = 42; }, "50, 95 or 99");
  refused([](DeploymentConstraints& c) { c.preferred_hardware = c.required_hardware = {"cpu"}; }, "required_hardware");
  refused([](DeploymentConstraints& c) { c.excluded_hardware = {"gpuu:x"}; }, "gpuu");
}

TEST_F(Deploy, ListsThisMachinesHardware) {
  VMM vmm = this->vmm();
  const auto hardware = vmm.hardware();
  ASSERT_FALSE(hardware.empty());
  EXPECT_EQ(hardware.front().id, "cpu:0");
  EXPECT_EQ(hardware.front().type, HardwareType::CPU);
  EXPECT_THAT(hardware.front().backends, ::testing::Contains("null"));
}

TEST_F(Deploy, AnEmptyModelRefusesToExecute) {
  EXPECT_THROW(Model().execute(kInput), RuntimeError);
  EXPECT_THROW(Model(std::any(1)).inputs(), RuntimeError);
}

TEST_F(Deploy, TheExampleRuns) {
  const std::string path = write_model(relu_model(), folder_, "relu");
  ASSERT_EQ(::setenv("AXLE_CACHE_DIR", (folder_ + "/cache").c_str(), 1), 0);
  const std::string command = std::string(AXLE_EXAMPLE) + " " + path + " 1000 > " + folder_ + "/out.txt 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << std::system(("cat " + folder_ + "/out.txt").c_str());
}

// Real models through the real engines of this machine.
class RealModel : public testing::VmmTest, public ::testing::WithParamInterface<std::pair<const char*, ModelCategory>> {};

TEST_P(RealModel, GivesTheExpectedOutputs) {
  const char* set = std::getenv("AXLE_SHARED_MODELS");
  const auto folder =
      (set != nullptr ? std::filesystem::path(set) : std::filesystem::path(AXLE_SOURCE_DIR) / "../shared/models") /
      GetParam().first;
  if (!std::filesystem::exists(folder / "model.onnx"))
    GTEST_SKIP() << "no real model at " << folder << ": set AXLE_SHARED_MODELS";
  VMM vmm = this->vmm({"onnxruntime", "openvino"});
  TensorMap inputs;
  auto given = axle::load_npz((folder / "input.npz").string());
  ASSERT_TRUE(given.ok()) << given.status().to_string();
  for (axle::NamedTensor& tensor : *given) inputs.emplace(tensor.name, Tensor(std::move(tensor.tensor)));
  DeploymentConstraints constraints;
  constraints.measure_for_s = 2;
  std::optional<Model> model;
  try {
    model = vmm.deploy((folder / "model.onnx").string(), constraints, inputs);
  } catch (const RuntimeError& error) {
    if (error.code() != axle::StatusCode::kUnavailable) throw;
    GTEST_SKIP() << "no engine is installed: " << error.what();
  }
  EXPECT_EQ(model->category(), GetParam().second);
  const TensorMap outputs = model->execute(inputs);
  auto expected = axle::load_npz((folder / "expected.npz").string());
  ASSERT_TRUE(expected.ok());
  int compared = 0;
  for (const axle::NamedTensor& want : *expected) {
    const auto found = outputs.find(want.name);
    if (found == outputs.end() || want.tensor.dtype() != DataType::kFloat32) continue;
    const auto got = found->second.values<float>();
    ASSERT_EQ(got.size(), want.tensor.as<float>().size());
    for (size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], want.tensor.as<float>()[i], 1e-4 + 1e-4 * std::abs(want.tensor.as<float>()[i]))
          << want.name << " " << i;
    }
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

INSTANTIATE_TEST_SUITE_P(Shared, RealModel,
                         ::testing::Values(std::pair{"ultraface-rfb-320", ModelCategory::VISION_CNN},
                                           std::pair{"all-minilm-l6-v2", ModelCategory::LLM_TRANSFORMER},
                                           std::pair{"ncf-recommender", ModelCategory::RECOMMENDATION_SYSTEM}),
                         [](const auto& test) {
                           std::string name = test.param.first;
                           for (char& c : name) c = std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace ai_vmm
