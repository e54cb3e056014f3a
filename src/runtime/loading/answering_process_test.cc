// How many processes a closed engine takes from its first question to a loaded part, with the plugin over the FAKE vendor.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "axle/compile.h"
#include "axle/session.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "engine/worker_channel.h"
#include "model/testing/model_builder.h"
#include "runtime/loading/isolate.h"
#include "runtime/runtime_state.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::IsOk;
using ::testing::SizeIs;

constexpr const char* kEngine = "fakenpu_plugin";
constexpr const char* kVendor = AXLE_BINARY_DIR "/lib/axle/testing/fakenpu";

Result<Model> model_of(const std::string& op) {
  testing::ModelBuilder builder;
  builder.input("x", testing::kF32, {4}).output("y", testing::kF32, {4});
  if (op == "Add")
    builder.node(op, {"x", "x"}, {"y"}, "only");
  else
    builder.node(op, {"x"}, {"y"}, "only");
  return Model::from_bytes(testing::as_bytes(builder.serialise()));
}

class AnsweringProcess : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef AXLE_SANITIZED
    GTEST_SKIP() << "the FAKE vendor's tools are instrumented too: they look for leaks by tracing, which a worker refuses";
#endif
    if (!std::filesystem::exists(std::string(kVendor) + "/bin/fakenpu-compile")) GTEST_SKIP() << "the FAKE vendor is not built";
    ::setenv("FAKENPU_HOME", kVendor, 1);
    AXLE_ASSERT_OK_AND_ASSIGN(ScratchDir scratch, ScratchDir::create(""));
    scratch_ = std::make_unique<ScratchDir>(std::move(scratch));
    AXLE_ASSERT_OK_AND_ASSIGN(relu_, model_of("Relu"));
    AXLE_ASSERT_OK_AND_ASSIGN(add_, model_of("Add"));
    open({});
  }
  void TearDown() override { ::unsetenv("FAKENPU_HOME"); }

  void open(RuntimeOptions options) {
    options.cache_folder = scratch_->file("cache");
    options.engine_folders = {AXLE_BINARY_DIR "/lib/axle/testing/plugins"};
    options.engines = {kEngine};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(std::move(options)));
    before_ = worker_starts();
  }
  uint64_t started() const { return worker_starts() - before_; }

  static Policy policy() {
    Policy policy;
    policy.engines.allow = {kEngine};
    policy.resources.allow_simulated = true;
    return policy;
  }
  Result<Plan> plan(const Model& model) {
    PlanRequest request;
    request.policy = policy();
    AXLE_ASSIGN_OR_RETURN(const PlanReport report, make_plan(*runtime_, model, request));
    return report.plan;
  }
  Result<Session> load(const Model& model) {
    SessionOptions options;
    options.policy = policy();
    options.runtime = runtime_;
    return Session::create(model, options);
  }
  static double pid_of(const Session& session) { return session.counters().front().at("worker_pid"); }
  static void expect_relu(const Session& session) {
    AXLE_ASSERT_OK_AND_ASSIGN(Tensor x, Tensor::allocate(DataType::kFloat32, {4}));
    const auto values = x.mutable_as<float>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i) - 2;
    const NamedTensor feed{"x", std::move(x)};
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({&feed, 1}));
    ASSERT_THAT(outputs, SizeIs(1));
    EXPECT_THAT(outputs[0].tensor.as<float>(), ElementsAre(0, 0, 0, 1));
  }

  std::unique_ptr<ScratchDir> scratch_;
  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> relu_, add_;
  uint64_t before_ = 0;
};

// What `axle compile` does.
TEST_F(AnsweringProcess, CompilesAndLoadsToo) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Plan planned, plan(*relu_));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto parts, compile_plan(*runtime_, *relu_, planned));
  ASSERT_THAT(parts, SizeIs(1));
  EXPECT_EQ(parts[0].cache, "miss");
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(*relu_));
  EXPECT_EQ(session.timing().cache, "hit");
  EXPECT_EQ(started(), 1u);
  expect_relu(session);
  EXPECT_EQ(session.counters().front().at("worker_restarts"), 0);
}

// Whoever asks next asks another process, and what is loaded does not notice.
TEST_F(AnsweringProcess, IsThePartsOwnOnceItIsLoaded) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session relu, load(*relu_));
  EXPECT_EQ(started(), 1u);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session add, load(*add_));
  EXPECT_EQ(started(), 2u) << "the process that answered about the second model is the second part's";
  EXPECT_NE(pid_of(relu), pid_of(add));
  expect_relu(relu);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session again, load(*relu_));
  EXPECT_EQ(started(), 3u);
  expect_relu(again);
}

// What a hostile model may have done to it while it was asked is not the next model's to suffer.
TEST_F(AnsweringProcess, ThatKnowsOfTwoModelsIsNobodys) {
  ASSERT_THAT(plan(*add_), IsOk());
  ASSERT_THAT(plan(*relu_), IsOk());
  EXPECT_EQ(started(), 1u);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(*relu_));
  EXPECT_EQ(started(), 2u);
  expect_relu(session);
}

TEST_F(AnsweringProcess, HasNoLimitsAndIsNotTakenWhereThereAreSome) {
  RuntimeOptions limited;
  limited.worker_memory_bytes = uint64_t{4} << 30;
  open(limited);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(*relu_));
  EXPECT_EQ(started(), 2u);
  expect_relu(session);
}

TEST_F(AnsweringProcess, IsNotTakenWhileAnotherHoldsTheEngine) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Plan planned, plan(*relu_));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto held, runtime_->state().engine(kEngine, *runtime_));
  ASSERT_THAT(compile_plan(*runtime_, *relu_, planned), IsOk());
  EXPECT_EQ(started(), 2u);
  EXPECT_THAT(held->capability("fakenpu:0"), IsOk());
}

TEST_F(AnsweringProcess, EndsBeforePeakMemoryIsMeasured) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Plan planned, plan(*relu_));
  end_idle_engines(*runtime_, planned);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load(*relu_));
  EXPECT_EQ(started(), 2u);
}

}  // namespace
}  // namespace axle
