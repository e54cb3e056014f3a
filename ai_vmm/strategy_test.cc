// Strategies, profiles and bounds of a deployment, on the null engine and backends of the test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "ai_vmm/vmm.hpp"
#include "axle/evidence_store.h"
#include "testing/fixture.h"
#include "testing/tiny_model.h"

namespace ai_vmm {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Strategy = testing::VmmTest;
using testing::error_of;
using testing::relu_model;
using testing::write_model;

const Tensor kInput = Tensor::from<float>({2, 3}, {-1, 2, -3, 4, -5, 6});

// Relu and Neg, or Neg alone, on one tensor; each execution takes `delay_ms`.
class NegBackend : public ComputeBackend {
 public:
  explicit NegBackend(bool has_relu) : has_relu_(has_relu) {}
  bool initialize() override { return true; }
  std::shared_ptr<Model> compile(const ModelGraph& graph) override {
    std::vector<std::string> ops;
    for (const GraphNode& node : graph.nodes) ops.push_back(node.op_type);
    return std::make_shared<Model>(std::any(std::move(ops)));
  }
  std::future<Tensor> execute(Model model, const Tensor& input) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
    Tensor out = input.clone();
    for (const std::string& op : std::any_cast<const std::vector<std::string>&>(model.compiled())) {
      for (float& value : out.mutable_values<float>()) value = op == "Neg" ? -value : std::max(value, 0.0F);
    }
    std::promise<Tensor> done;
    done.set_value(out);
    return done.get_future();
  }
  HardwareCapabilities get_capabilities() override {
    HardwareCapabilities made;
    made.name = "test device";
    made.vendor = "axle";
    return made;
  }
  double get_performance_score(ModelCategory) override { return 1; }
  std::string refusal(const GraphNode& node) override {
    return node.op_type == "Neg" || (has_relu_ && node.op_type == "Relu") ? "" : "it has no " + node.op_type;
  }

  std::atomic<int> delay_ms{0};

 private:
  const bool has_relu_;
};

// y = Relu(-x): the null engine has Relu and no Neg.
testing::TinyModel neg_relu() { return {{{"x", {2, 3}}}, {{"y", {2, 3}}}, {{"Neg", {"x"}, {"n"}}, {"Relu", {"n"}, {"y"}}}}; }

DeploymentConstraints unmeasured(SchedulingStrategy strategy) {
  DeploymentConstraints constraints;
  constraints.strategy = strategy;
  constraints.measure_for_s = 0;
  return constraints;
}

bool considers_mixing(const Model& model) {
  const auto& decisions = model.session().plan().decisions;
  return std::any_of(decisions.begin(), decisions.end(),
                     [](const axle::Decision& decision) { return decision.candidate.starts_with("mixed:"); });
}

TEST_F(Strategy, OneDeviceAloneIsNeverMixed) {
  VMM vmm = this->vmm({"null", "neg_only"});
  vmm.register_backend(std::make_shared<NegBackend>(false), "neg_only");
  const std::string path = write_model(neg_relu(), folder_, "neg");
  const auto error = error_of<CompilationError>([&] { vmm.deploy(path, unmeasured(SchedulingStrategy::SINGLE_DEVICE)); });
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what(), HasSubstr("Neg"));
  // Together they can.
  for (const auto strategy : {SchedulingStrategy::AUTO, SchedulingStrategy::HYBRID}) {
    const Model model = vmm.deploy(path, unmeasured(strategy));
    ASSERT_EQ(model.session().plan().partitions.size(), 2u);
    EXPECT_EQ(model.session().plan().partitions[0].candidate.engine, "neg_only");
    EXPECT_EQ(model.session().plan().partitions[1].candidate.engine, "null");
    EXPECT_THAT(model.execute(kInput).values<float>(), ElementsAre(1, 0, 3, 0, 5, 0));
  }
  const Model alone = vmm.deploy(write_model(relu_model(), folder_, "relu"), unmeasured(SchedulingStrategy::SINGLE_DEVICE));
  EXPECT_EQ(alone.session().plan().schedule, "single");
  EXPECT_EQ(alone.session().plan().partitions.size(), 1u);
}

// Where one engine can run everything, only HYBRID looks for more.
TEST_F(Strategy, HybridConsidersMixingWhereNobodyNeedsIt) {
  VMM vmm = this->vmm({"null", "neg_and_relu"});
  vmm.register_backend(std::make_shared<NegBackend>(true), "neg_and_relu");
  const std::string path = write_model(neg_relu(), folder_, "neg");
  for (const auto strategy : {SchedulingStrategy::AUTO, SchedulingStrategy::SINGLE_DEVICE}) {
    const Model model = vmm.deploy(path, unmeasured(strategy));
    EXPECT_FALSE(considers_mixing(model)) << model.explain();
    EXPECT_THAT(model.candidate(), HasSubstr("neg_and_relu@"));
  }
  const Model hybrid = vmm.deploy(path, unmeasured(SchedulingStrategy::HYBRID));
  EXPECT_TRUE(considers_mixing(hybrid)) << hybrid.explain();
  EXPECT_THAT(hybrid.execute(kInput).values<float>(), ElementsAre(1, 0, 3, 0, 5, 0));
}

TEST_F(Strategy, APipelineRunsOverTwoCoreSets) {
  VMM vmm = this->vmm();
  const auto machine = runtime_->machine();
  ASSERT_TRUE(machine.ok());
  if (machine->resources.front().cpus.size() < 2) GTEST_SKIP() << "a pipeline over core sets needs two CPUs";
  const testing::TinyModel chain{
      {{"x", {4}}},
      {{"y", {4}}},
      {{"Relu", {"x"}, {"a"}}, {"Add", {"a", "a"}, {"b"}}, {"Relu", {"b"}, {"c"}}, {"Add", {"c", "c"}, {"y"}}}};
  DeploymentConstraints constraints = unmeasured(SchedulingStrategy::PIPELINE_PARALLEL);
  constraints.required_hardware = {"cpu:0/0", "cpu:0/1"};
  const Model model = vmm.deploy(write_model(chain, folder_, "chain"), constraints);
  EXPECT_EQ(model.session().plan().schedule, "pipeline");
  ASSERT_EQ(model.session().plan().partitions.size(), 2u);
  EXPECT_NE(model.session().plan().partitions[0].cpu_set, model.session().plan().partitions[1].cpu_set);
  std::vector<std::future<Tensor>> pending;
  for (int i = 0; i < 16; ++i)
    pending.push_back(model.execute_async(Tensor::from<float>({4}, std::vector<float>(4, static_cast<float>(i)))));
  for (int i = 0; i < 16; ++i)
    EXPECT_THAT(pending[static_cast<size_t>(i)].get().values<float>(), Each(static_cast<float>(4 * i)));
}

// The reason of the choice names what each profile is good at.
TEST_F(Strategy, AProfileDecidesWhatTheChoiceIsMadeBy) {
  VMM vmm = this->vmm({"null", "neg_profiled"});
  vmm.register_backend(std::make_shared<NegBackend>(true), "neg_profiled");
  int64_t size = 0;
  const auto reason_of = [&](HardwareProfile profile) -> std::string {
    DeploymentConstraints constraints;
    constraints.profile = profile;
    constraints.measure_for_s = profile == HardwareProfile::HIGH_THROUGHPUT ? 5 : 1;
    ++size;  // a model of its own: nothing is known of it
    const testing::TinyModel relu{{{"x", {size}}}, {{"y", {size}}}, {{"Relu", {"x"}, {"y"}}}};
    const std::string path = write_model(relu, folder_, "relu" + std::to_string(size));
    const Model model = vmm.deploy(path, constraints);
    for (const axle::Decision& decision : model.session().plan().decisions) {
      if (decision.verdict == axle::DecisionVerdict::kChosen) return decision.reason;
    }
    return "nothing was chosen";
  };
  EXPECT_THAT(reason_of(HardwareProfile::BALANCED), HasSubstr("fastest of"));
  EXPECT_THAT(reason_of(HardwareProfile::LOW_LATENCY), HasSubstr("fastest of"));
  EXPECT_THAT(reason_of(HardwareProfile::HIGH_THROUGHPUT), HasSubstr("most requests per second of"));
  EXPECT_THAT(reason_of(HardwareProfile::LOW_MEMORY), HasSubstr("least memory of"));
  // Whether energy can be judged depends on the machine; that it is what is judged does not.
  try {
    EXPECT_THAT(reason_of(HardwareProfile::LOW_POWER), HasSubstr("least energy of"));
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("energy"));
  }
}

// What was measured for one profile does not stand in for what another is judged by.
TEST_F(Strategy, AnotherProfileIsMeasuredForItself) {
  VMM vmm = this->vmm({"null", "neg_again"});
  vmm.register_backend(std::make_shared<NegBackend>(true), "neg_again");
  const std::string path = write_model(relu_model(), folder_, "relu");
  DeploymentConstraints constraints;
  constraints.measure_for_s = 1;
  const Model first = vmm.deploy(path, constraints);
  const auto rows_of_several = [&] {
    int found = 0;
    auto rows = runtime_->evidence()->find({first.session().plan().model_digest, "", ""});
    EXPECT_TRUE(rows.ok()) << rows.status().to_string();
    for (const axle::EvidenceRow& row : *rows) found += row.key.concurrency > 1 ? 1 : 0;
    return found;
  };
  ASSERT_TRUE(first.session().plan().measured());
  EXPECT_EQ(rows_of_several(), 0);
  constraints.profile = HardwareProfile::HIGH_THROUGHPUT;
  constraints.measure_for_s = 5;
  const Model second = vmm.deploy(path, constraints);
  const int measured = rows_of_several();
  EXPECT_GT(measured, 0) << "several callers at once were not measured";
  (void)vmm.deploy(path, constraints);
  EXPECT_EQ(rows_of_several(), measured) << "it was known by then";
  constraints.profile = HardwareProfile::BALANCED;
  (void)vmm.deploy(path, constraints);
  EXPECT_EQ(rows_of_several(), measured);
}

TEST_F(Strategy, TheProgramIsToldOfAViolationAsItHappens) {
  std::mutex mutex;
  std::condition_variable told;
  std::vector<axle::QosViolation> violations;
  (void)this->vmm({"neg_told"});
  VMMOptions options;
  options.runtime = runtime_;
  options.on_violation = [&](const axle::QosViolation& violation) {
    const std::lock_guard lock(mutex);
    violations.push_back(violation);
    told.notify_all();
  };
  VMM vmm(options);
  auto backend = std::make_shared<NegBackend>(true);
  vmm.register_backend(backend, "neg_told");
  DeploymentConstraints constraints;
  constraints.max_latency_ms = 300;
  constraints.latency_percentile = 95;
  constraints.measure_for_s = 1;
  const std::string path = write_model(relu_model(), folder_, "relu");
  const Model model = vmm.deploy(path, constraints);
  EXPECT_TRUE(violations.empty());
  backend->delay_ms = 350;
  for (int i = 0; i < 11; ++i) model.execute(kInput);  // more than a twentieth of the last 200
  std::unique_lock lock(mutex);
  ASSERT_TRUE(told.wait_for(lock, std::chrono::seconds(10), [&] { return !violations.empty(); }));
  EXPECT_EQ(violations.front().constraint, "latency_p95");
  EXPECT_THAT(violations.front().text, HasSubstr("the policy allows 300"));
}

// A backend runs in this process: what the process grows by is what the model takes, and a program that grows by more is told.
TEST_F(Strategy, MemoryOverTheBoundIsTold) {
  std::mutex mutex;
  std::condition_variable told;
  std::vector<std::string> texts;
  (void)this->vmm({"neg_growing"});
  VMMOptions options;
  options.runtime = runtime_;
  options.on_violation = [&](const axle::QosViolation& violation) {
    const std::lock_guard lock(mutex);
    texts.push_back(violation.text);
    told.notify_all();
  };
  VMM vmm(options);
  vmm.register_backend(std::make_shared<NegBackend>(true), "neg_growing");
  DeploymentConstraints constraints;
  constraints.max_memory_bytes = uint64_t{64} << 20;
  constraints.measure_for_s = 0;
  const Model model = vmm.deploy(write_model(relu_model(), folder_, "relu"), constraints);
  EXPECT_FALSE(model.qos().violated());
  const std::vector<char> held(size_t{96} << 20, 1);
  std::unique_lock lock(mutex);
  ASSERT_TRUE(told.wait_for(lock, std::chrono::seconds(10), [&] { return !texts.empty(); })) << held.size();
  EXPECT_THAT(texts.front(), HasSubstr("memory is "));
  EXPECT_THAT(texts.front(), HasSubstr("the policy allows 64.0 MiB"));
  lock.unlock();
  ASSERT_EQ(model.qos().bounds.size(), 1u);
  EXPECT_TRUE(model.qos().violated());
}

TEST_F(Strategy, ExecutionsOverTheBoundAreCounted) {
  VMM vmm = this->vmm({"neg_slowing"});
  auto backend = std::make_shared<NegBackend>(true);
  vmm.register_backend(backend, "neg_slowing");
  DeploymentConstraints constraints;
  constraints.max_latency_ms = 300;
  constraints.latency_percentile = 50;
  constraints.measure_for_s = 1;
  const Model model = vmm.deploy(write_model(relu_model(), folder_, "relu"), constraints);
  for (int i = 0; i < 4; ++i) model.execute(kInput);
  EXPECT_EQ(model.qos().violations, 0);
  backend->delay_ms = 350;
  for (int i = 0; i < 2; ++i) model.execute(kInput);
  const QosReport qos = model.qos();
  EXPECT_EQ(qos.executions, 6);
  EXPECT_EQ(qos.violations, 2);
  EXPECT_GE(qos.worst_ms, 350);
  ASSERT_EQ(qos.bounds.size(), 1u);
  EXPECT_EQ(qos.bounds[0].constraint, "latency_p50");
  EXPECT_EQ(qos.limit_ms, 300);
}

}  // namespace
}  // namespace ai_vmm
