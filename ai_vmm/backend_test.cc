#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "ai_vmm/vmm.hpp"
#include "testing/fixture.h"
#include "testing/tiny_model.h"

namespace ai_vmm {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Backend = testing::VmmTest;
using testing::error_of;
using testing::relu_model;
using testing::write_model;

const Tensor kInput = Tensor::from<float>({2, 3}, {-1, 2, -3, 4, -5, 6});

// What it compiles a graph to: the same operations, one after the other.
struct Steps {
  std::vector<std::string> ops;
};

// The seed's interface, and nothing more: Relu and Neg on one tensor.
class ReluBackend : public ComputeBackend {
 public:
  bool initialize() override { return ready; }
  std::shared_ptr<Model> compile(const ModelGraph& graph) override {
    ++compiled;
    categories.push_back(graph.category);
    Steps steps;
    for (const GraphNode& node : graph.nodes) steps.ops.push_back(node.op_type);
    return std::make_shared<Model>(std::any(std::move(steps)));
  }
  std::future<Tensor> execute(Model model, const Tensor& input) override {
    ++executed;
    return std::async(std::launch::async, [model, &input, fails = fails.load()] {
      if (fails) throw std::runtime_error("the device fell off the bus");
      Tensor out = input.clone();
      for (const std::string& op : std::any_cast<const Steps&>(model.compiled()).ops) {
        for (float& value : out.mutable_values<float>()) value = op == "Neg" ? -value : std::max(value, 0.0f);
      }
      return out;
    });
  }
  HardwareCapabilities get_capabilities() override { return capabilities; }
  double get_performance_score(ModelCategory) override { return score; }
  std::string refusal(const GraphNode& node) override {
    return node.op_type == "Relu" || node.op_type == "Neg" ? "" : "only Relu and Neg, not " + node.op_type;
  }

  bool ready = true;
  double score = 1;
  HardwareCapabilities capabilities = [] {
    HardwareCapabilities made;
    made.name = "test device";
    made.vendor = "axle";
    made.dynamic_shapes = false;
    return made;
  }();
  std::atomic<int> compiled{0}, executed{0};
  std::atomic<bool> fails{false};
  std::vector<ModelCategory> categories;
};

TEST_F(Backend, TakesPartInPlanningAndRuns) {
  VMM vmm = this->vmm({"null", "relu_backend"});
  auto backend = std::make_shared<ReluBackend>();
  vmm.register_backend(backend, "relu_backend");
  const testing::TinyModel model{{{"x", {2, 3}}}, {{"y", {2, 3}}}, {{"Neg", {"x"}, {"n"}}, {"Relu", {"n"}, {"y"}}}};
  const auto deployed = vmm.deploy(write_model(model, folder_, "neg"));  // null has no Neg
  EXPECT_THAT(deployed.candidate(), HasSubstr("relu_backend@cpu:0/f32"));
  EXPECT_THAT(deployed.execute(kInput).values<float>(), ElementsAre(1, 0, 3, 0, 5, 0));
  EXPECT_GT(backend->compiled, 0);
  EXPECT_THAT(deployed.explain(), HasSubstr("null"));  // the one that was turned down, with its reason
  EXPECT_THAT(deployed.explain(), HasSubstr("Neg is none of"));
  const auto hardware = vmm.hardware();
  EXPECT_THAT(hardware.front().backends, ::testing::Contains("relu_backend"));
}

TEST_F(Backend, IsMeasuredAgainstOthersAndBothAreReported) {
  VMM vmm = this->vmm({"null", "relu_slow"});
  vmm.register_backend(std::make_shared<ReluBackend>(), "relu_slow");
  DeploymentConstraints constraints;
  constraints.measure_for_s = 1;
  const auto deployed = vmm.deploy(write_model(relu_model(), folder_, "relu"), constraints);
  // A thread per call is slower than none, so measurements choose the other one.
  EXPECT_THAT(deployed.candidate(), HasSubstr("null@"));
  bool seen = false;
  for (const axle::Decision& decision : deployed.session().plan().decisions) {
    seen = seen || (decision.candidate.starts_with("relu_slow@") && decision.evidence && decision.evidence->p50_ns > 0);
  }
  EXPECT_TRUE(seen);
}

TEST_F(Backend, ANodeItRefusesIsNamedWithItsReason) {
  VMM vmm = this->vmm({"relu_picky"});
  vmm.register_backend(std::make_shared<ReluBackend>(), "relu_picky");
  const testing::TinyModel model{{{"x", {2}}}, {{"y", {2}}}, {{"Exp", {"x"}, {"y"}}}};
  const auto error = error_of<CompilationError>([&] { vmm.deploy(write_model(model, folder_, "exp")); });
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("only Relu and Neg, not Exp"));
}

TEST_F(Backend, AScoreOfNothingTurnsTheModelDown) {
  VMM vmm = this->vmm({"relu_score"});
  auto backend = std::make_shared<ReluBackend>();
  backend->score = 0;
  vmm.register_backend(backend, "relu_score");
  const auto error = error_of<CompilationError>([&] { vmm.deploy(write_model(relu_model(), folder_, "relu")); });
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("performance score for OTHER is not above 0"));
}

TEST_F(Backend, SeveralTensorsWantExecuteAll) {
  VMM vmm = this->vmm({"relu_single"});
  vmm.register_backend(std::make_shared<ReluBackend>(), "relu_single");
  const testing::TinyModel two{{{"x", {2}}}, {{"y", {2}}, {"z", {2}}}, {{"Relu", {"x"}, {"y"}}, {"Neg", {"x"}, {"z"}}}};
  const auto error = error_of<CompilationError>([&] { vmm.deploy(write_model(two, folder_, "two")); });
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("override execute_all"));
}

TEST_F(Backend, SeveralTensorsRunThroughExecuteAll) {
  class Both : public ReluBackend {
   public:
    Both() { capabilities.multiple_tensors = true; }
    std::future<TensorMap> execute_all(Model, const TensorMap& inputs) override {
      Tensor positive = inputs.at("x").clone(), negative = inputs.at("x").clone();
      for (float& value : positive.mutable_values<float>()) value = std::max(value, 0.0f);
      for (float& value : negative.mutable_values<float>()) value = -value;
      std::promise<TensorMap> done;
      done.set_value({{"y", positive}, {"z", negative}});
      return done.get_future();
    }
  };
  VMM vmm = this->vmm({"relu_both"});
  vmm.register_backend(std::make_shared<Both>(), "relu_both");
  const testing::TinyModel two{{{"x", {2}}}, {{"y", {2}}, {"z", {2}}}, {{"Relu", {"x"}, {"y"}}, {"Neg", {"x"}, {"z"}}}};
  const auto model = vmm.deploy(write_model(two, folder_, "two"));
  const TensorMap out = model.execute({{"x", Tensor::from<float>({2}, {-1, 2})}});
  EXPECT_THAT(out.at("y").values<float>(), ElementsAre(0, 2));
  EXPECT_THAT(out.at("z").values<float>(), ElementsAre(1, -2));
}

TEST_F(Backend, AFailureOfTheDeviceIsARuntimeErrorWithItsWords) {
  VMM vmm = this->vmm({"relu_fails"});
  auto backend = std::make_shared<ReluBackend>();
  vmm.register_backend(backend, "relu_fails");
  const auto model = vmm.deploy(write_model(relu_model(), folder_, "relu"));
  backend->fails = true;
  const auto error = error_of<RuntimeError>([&] { model.execute(kInput); });
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("the device fell off the bus"));
  backend->fails = false;
  EXPECT_THAT(model.execute(kInput).values<float>(), ElementsAre(0, 2, 0, 4, 0, 6));
}

TEST_F(Backend, WhatCannotBeRegisteredIsRefused) {
  VMM vmm = this->vmm();
  const auto refused = [&](std::shared_ptr<ComputeBackend> backend, const char* name, const char* words) {
    const auto error = error_of<RuntimeError>([&] { vmm.register_backend(std::move(backend), name); });
    ASSERT_TRUE(error);
    EXPECT_THAT(error->what(), HasSubstr(words));
  };
  auto absent = std::make_shared<ReluBackend>();
  absent->ready = false;
  refused(absent, "relu_absent", "initialize() said");
  auto elsewhere = std::make_shared<ReluBackend>();
  elsewhere->capabilities.type = HardwareType::NPU;
  refused(elsewhere, "relu_npu", "its NPU is none of this machine's");
  refused(std::make_shared<ReluBackend>(), "Not A Name", "no engine name");
  refused(nullptr, "relu_null", "there is no backend");
  vmm.register_backend(std::make_shared<ReluBackend>(), "relu_taken");
  refused(std::make_shared<ReluBackend>(), "relu_taken", "registered already");
}

TEST_F(Backend, ASimulatedDeviceRunsOnlyWhenItIsNamed) {
  VMM vmm = this->vmm({"relu_simulated"});
  auto backend = std::make_shared<ReluBackend>();
  backend->capabilities.type = HardwareType::PIM;
  backend->capabilities.simulated = true;
  vmm.register_backend(backend, "relu_simulated");
  const std::string path = write_model(relu_model(), folder_, "relu");
  EXPECT_THROW(vmm.deploy(path), CompilationError);
  DeploymentConstraints constraints;
  constraints.required_hardware = {"pim"};
  const auto model = vmm.deploy(path, constraints);
  EXPECT_TRUE(model.session().plan().partitions.front().simulated);
  EXPECT_THAT(model.execute(kInput).values<float>(), ElementsAre(0, 2, 0, 4, 0, 6));
  const auto lock = model.session().lock();
  ASSERT_TRUE(lock.ok()) << lock.status().to_string();
  EXPECT_FALSE(axle::locked_policy(*lock)->resources.allow_simulated) << "others' simulators would be let in, too";
}

}  // namespace
}  // namespace ai_vmm
