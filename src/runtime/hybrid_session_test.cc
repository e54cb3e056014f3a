// Plans with one part for a low load and one for a high load, on fake engines.
#include <gmock/gmock.h>

#include <future>

#include "axle/session.h"
#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/testing/rows.h"

namespace axle {
namespace {

using testing::FakeLoad;
using testing::FakeOutput;
using testing::first_of;
using testing::row_of;
using testing::StatusIs;

// "near" serves a low load and computes x + 1, "far" a high one and computes x + 10. A call of "near" with x = 100 waits until it is let go.
class HybridSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"near", "far"};
    testing::registered_fake("near").script().compute = [this](const FakeLoad&, std::span<const axle_tensor_t> inputs,
                                                               std::span<FakeOutput> outputs) {
      const float value = *static_cast<const float*>(inputs[0].data);
      if (value == 100) {
        entered_.set_value();
        let_go_.get_future().wait();
      }
      for (FakeOutput& out : outputs) out.set({1, 4}, std::vector<float>(4, value + 1));
    };
    testing::registered_fake("far").script().compute = testing::elementwise([](float x) { return x + 10; });
    AXLE_ASSERT_OK_AND_ASSIGN(options_.runtime, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
  }
  void TearDown() override {
    testing::reset_fake("near");
    testing::reset_fake("far");
  }

  // What is expected of a request sets how long the load counts as high afterwards: longer than any test, or the least there is.
  Plan hybrid(int64_t expected_ns, int32_t replicas = 1) {
    Plan plan;
    plan.model_digest = model_->digest();
    plan.schedule = "hybrid";
    plan.switch_at = 2;
    for (int32_t id = 0; id <= replicas; ++id) {
      Partition part;
      part.id = id;
      part.load = id == 0 ? Load::kLow : Load::kHigh;
      part.replica = std::max(id - 1, 0);
      const std::string place = id > 0 && replicas > 1 ? "cpu:0/" + std::to_string(id - 1) : "cpu:0";
      part.candidate = {id == 0 ? "near" : "far", place, "f32", 1, "default"};
      part.expected_ns = expected_ns;
      plan.partitions.push_back(part);
    }
    return plan;
  }
  // A request that stays in flight until let_go_ is set.
  std::future<Result<std::vector<NamedTensor>>> hold_one(const Session& session) {
    auto held = std::async(std::launch::async, [session] { return session.run({{row_of(100)}}); });
    entered_.get_future().wait();
    return held;
  }

  std::promise<void> entered_, let_go_;
  std::optional<Model> model_;
  SessionOptions options_;
};

constexpr int64_t kLong = 1'000'000'000'000;

// Guards: the part for a low load held the new tensor, the one for a high load the old.
TEST_F(HybridSessionTest, ABindingThatFailsHalfwayKeepsWhatItHad) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, hybrid(kLong), options_));
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding({{row_of(2)}}));
  const NamedTensor before = row_of(2), other = row_of(5);
  ASSERT_EQ(binding.bind_input(size_t{0}, before.tensor).code(), StatusCode::kOk);
  testing::registered_fake("far").fail("bind_input", 1, AXLE_INTERNAL, "not now");
  EXPECT_THAT(binding.bind_input(size_t{0}, other.tensor), StatusIs(StatusCode::kInternal, "not now"));
  ASSERT_EQ(binding.run().code(), StatusCode::kOk);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor output, binding.output(0));
  EXPECT_EQ(output.as<float>()[0], 3);
}

TEST_F(HybridSessionTest, OneRequestAtATimeIsALowLoad) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, hybrid(kLong), options_));
  for (int i = 0; i < 5; ++i) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({{row_of(2)}}));
    EXPECT_EQ(first_of(outputs), 3);
  }
  const auto replicas = session.replicas();
  ASSERT_EQ(replicas.size(), 2u);
  EXPECT_EQ(replicas[0].load, Load::kLow);
  EXPECT_EQ(replicas[0].requests, 5u);
  EXPECT_EQ(replicas[1].load, Load::kHigh);
  EXPECT_EQ(replicas[1].requests, 0u);
}

TEST_F(HybridSessionTest, ASecondRequestInFlightGoesToTheOtherPlan) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, hybrid(kLong), options_));
  auto held = hold_one(session);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({{row_of(2)}}));
  EXPECT_EQ(first_of(outputs), 12);
  let_go_.set_value();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto first, held.get());
  EXPECT_EQ(first_of(first), 101) << "what runs is not moved";
  AXLE_ASSERT_OK_AND_ASSIGN(const auto soon_after, session.run({{row_of(2)}}));
  EXPECT_EQ(first_of(soon_after), 12) << "the load counts as high for a moment";
}

TEST_F(HybridSessionTest, ReplicasServeAHighLoadInLanes) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, hybrid(kLong, 2), options_));
  auto held = hold_one(session);
  std::vector<std::future<Result<std::vector<NamedTensor>>>> pending;
  for (int i = 0; i < 20; ++i) pending.push_back(session.run_async({row_of(static_cast<float>(i))}));
  for (int i = 0; i < 20; ++i) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, pending[static_cast<size_t>(i)].get());
    EXPECT_EQ(first_of(outputs), static_cast<float>(i) + 10);
  }
  let_go_.set_value();
  EXPECT_THAT(held.get().status(), testing::IsOk());
  const auto replicas = session.replicas();
  ASSERT_EQ(replicas.size(), 3u);
  EXPECT_EQ(replicas[0].requests, 1u);
  EXPECT_EQ(replicas[1].requests + replicas[2].requests, 20u);
}

TEST_F(HybridSessionTest, ABindingSwitchesToo) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, hybrid(kLong), options_));
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding());
  const NamedTensor feed = row_of(2);
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor result, Tensor::allocate(DataType::kFloat32, {1, 4}));
  ASSERT_THAT(binding.bind_input(0, feed.tensor), testing::IsOk());
  ASSERT_THAT(binding.bind_output(0, result), testing::IsOk());
  ASSERT_THAT(binding.run(), testing::IsOk());
  EXPECT_EQ(result.as<float>()[0], 3);
  auto held = hold_one(session);
  ASSERT_THAT(binding.run(), testing::IsOk());
  EXPECT_EQ(result.as<float>()[0], 12);
  AXLE_ASSERT_OK_AND_ASSIGN(Binding unbound, session.make_binding());
  ASSERT_THAT(unbound.bind_input(0, feed.tensor), testing::IsOk());
  ASSERT_THAT(unbound.run(), testing::IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor view, unbound.output(0));
  EXPECT_EQ(view.as<float>()[0], 12) << "the output of the execution that ran";
  let_go_.set_value();
  EXPECT_THAT(held.get().status(), testing::IsOk());
}

// For each load one executable for two rows, and one for any other number: which one ran is what it answers.
TEST_F(HybridSessionTest, ARequestGoesByItsShapeAndByTheLoad) {
  const auto answering = [this](float base, bool holds) {
    return [this, base, holds](const FakeLoad& load, std::span<const axle_tensor_t> inputs, std::span<FakeOutput> outputs) {
      const axle_tensor_t& in = inputs[0];
      if (holds && *static_cast<const float*>(in.data) == 100) {
        entered_.set_value();
        let_go_.get_future().wait();
      }
      const auto declared = static_cast<float>(load.input_shapes.at(0).at(0));
      for (FakeOutput& out : outputs)
        out.set(std::vector<int64_t>(in.shape, in.shape + in.rank),
                std::vector<float>(in.size_bytes / sizeof(float), base + declared));
    };
  };
  testing::registered_fake("near").script().compute = answering(1000, true);
  testing::registered_fake("far").script().compute = answering(2000, false);
  Plan plan = hybrid(kLong);
  const std::vector<Partition> loads = plan.partitions;
  plan.partitions.clear();
  for (const Partition& load : loads) {
    for (const bool prepared : {true, false}) {
      Partition part = load;
      part.id = static_cast<int32_t>(plan.partitions.size());
      if (prepared) part.axes = {{"n", 2}};
      plan.partitions.push_back(part);
    }
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, plan, options_));
  const auto ran_on = [&](int64_t rows) {
    auto tensor = Tensor::allocate(DataType::kFloat32, {rows, 4});
    std::fill_n(tensor->mutable_as<float>().begin(), rows * 4, 1.0f);
    const auto outputs = session.run({{NamedTensor{"x", std::move(*tensor)}}});
    EXPECT_TRUE(outputs.ok()) << outputs.status().to_string();
    return outputs.ok() ? first_of(*outputs) : -1.0f;
  };
  EXPECT_EQ(ran_on(2), 1002);
  EXPECT_EQ(ran_on(3), 999) << "the one with an open axis";
  auto held = hold_one(session);
  EXPECT_EQ(ran_on(2), 2002);
  EXPECT_EQ(ran_on(3), 1999);
  let_go_.set_value();
  EXPECT_THAT(held.get().status(), testing::IsOk());
  const auto replicas = session.replicas();
  ASSERT_EQ(replicas.size(), 2u);
  EXPECT_EQ(replicas[0].load, Load::kLow);
  EXPECT_EQ(replicas[0].requests, 3u) << "of both shapes together";
  EXPECT_EQ(replicas[1].load, Load::kHigh);
  EXPECT_EQ(replicas[1].requests, 2u);

  Plan lopsided = plan;
  lopsided.partitions.pop_back();
  EXPECT_THAT(Session::load(*model_, lopsided, options_).status(),
              StatusIs(StatusCode::kInvalidArgument, "for the same sizes"));
}

TEST_F(HybridSessionTest, APlanWithoutBothLoadsIsRefused) {
  Plan half = hybrid(kLong);
  half.partitions.pop_back();
  EXPECT_THAT(Session::load(*model_, half, options_).status(), StatusIs(StatusCode::kInvalidArgument));
  Plan never = hybrid(kLong);
  never.switch_at = 0;
  EXPECT_THAT(Session::load(*model_, never, options_).status(), StatusIs(StatusCode::kInvalidArgument));
}

TEST_F(HybridSessionTest, ItsJsonReadsBack) {
  const Plan plan = hybrid(kLong, 2);
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string json, plan_to_json(plan));
  AXLE_ASSERT_OK_AND_ASSIGN(const Plan again, parse_plan(json));
  EXPECT_EQ(again, plan);
  Plan disordered = plan;
  disordered.partitions[0].load = Load::kHigh;
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string broken, plan_to_json(disordered));
  EXPECT_THAT(parse_plan(broken).status(), StatusIs(StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace axle
