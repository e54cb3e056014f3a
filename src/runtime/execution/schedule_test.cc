// Scheduled plans: pipelines, replicas over core sets, and replicas of pipelines, on fake engines.
// Long file: one fixture with its four engines, which every case looks at.
#include <gmock/gmock.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <future>
#include <mutex>
#include <set>
#include <thread>

#include "axle/session.h"
#include "base/clock.h"
#include "base/testing/status_matchers.h"
#include "runtime/measuring/core_speed.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/testing/rows.h"

namespace axle {
namespace {

using testing::FakeEngine;
using testing::FakeLoad;
using testing::FakeOutput;
using testing::first_of;
using testing::row_of;
using testing::StatusIs;
using namespace std::chrono_literals;

// What an engine saw: how many calls at a time, from which threads, in which order.
struct Seen {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::vector<float> order;
  int at_a_time = 0;
  int most_at_a_time = 0;

  // While requests are on their way.
  size_t entered() {
    const std::lock_guard lock(mutex);
    return order.size();
  }
};

testing::FakeCompute slow(Seen& seen, std::chrono::milliseconds takes, float add) {
  return [&seen, takes, add](const FakeLoad&, std::span<const axle_tensor_t> inputs, std::span<FakeOutput> outputs) {
    const auto* values = static_cast<const float*>(inputs[0].data);
    {
      const std::lock_guard lock(seen.mutex);
      seen.threads.insert(std::this_thread::get_id());
      seen.order.push_back(values[0]);
      seen.most_at_a_time = std::max(seen.most_at_a_time, ++seen.at_a_time);
    }
    std::this_thread::sleep_for(takes);
    std::vector<float> result(values, values + 4);
    for (float& value : result) value += add;
    for (FakeOutput& out : outputs) out.set({1, 4}, result);
    const std::lock_guard lock(seen.mutex);
    --seen.at_a_time;
  };
}

class ScheduleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"near", "far", "near2", "far2"};
    testing::registered_fake("near").script().compute = slow(near_, 4ms, 1);
    testing::registered_fake("far").script().compute = slow(far_, 4ms, 10);
    testing::registered_fake("near2").script().compute = slow(near2_, 4ms, 10);
    testing::registered_fake("far2").script().compute = slow(far2_, 4ms, 100);
    AXLE_ASSERT_OK_AND_ASSIGN(options_.runtime, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
  }
  void TearDown() override {
    for (const char* engine : {"near", "far", "near2", "far2"}) testing::reset_fake(engine);
  }
  // Whether some answer came before that of an earlier call.
  static bool overtakes(const Session& session, int calls) {
    std::vector<std::future<Result<std::vector<NamedTensor>>>> pending;
    for (int i = 0; i < calls; ++i) pending.push_back(session.run_async({row_of(static_cast<float>(i))}));
    bool overtaken = false;
    for (size_t ready = 0; ready < pending.size(); std::this_thread::sleep_for(200us)) {
      ready = 0;
      // The later ones are looked at first: an earlier one that is not there by then was overtaken.
      for (size_t i = pending.size(); i-- > 0;) {
        const bool is_ready = pending[i].wait_for(0s) == std::future_status::ready;
        overtaken = overtaken || (ready > 0 && !is_ready);
        ready += is_ready ? 1 : 0;
      }
    }
    for (auto& one : pending) EXPECT_TRUE(one.get().ok());
    return overtaken;
  }

  static Partition part(int32_t id, int32_t replica, const std::string& engine, int64_t expected_ns) {
    Partition part;
    part.id = id;
    part.replica = replica;
    part.candidate = {engine, "cpu:0/" + std::to_string(id), "f32", 1, "default"};
    part.expected_ns = expected_ns;
    return part;
  }
  Plan pipeline() {
    Plan plan;
    plan.model_digest = model_->digest();
    plan.schedule = "pipeline";
    plan.partitions = {part(0, 0, "near", 4'000'000), part(1, 0, "far", 4'000'000)};
    plan.partitions[0].nodes = {"first"};
    plan.partitions[0].inputs = {"x"};
    plan.partitions[0].outputs = {"h"};
    plan.partitions[1].nodes = {"second"};
    plan.partitions[1].inputs = {"h"};
    plan.partitions[1].outputs = {"y"};
    return plan;
  }
  // The first replica computes x + 1, the second x + 10.
  Plan two_replicas(int64_t first_ns, int64_t second_ns) {
    Plan plan;
    plan.model_digest = model_->digest();
    plan.schedule = "replicas";
    plan.partitions = {part(0, 0, "near", first_ns), part(1, 1, "far", second_ns)};
    return plan;
  }
  // Two pipelines: the first computes x + 11 as the pipeline above does, the second has both parts on engines of its own, x + 110.
  Plan two_pipelines() {
    Plan plan = pipeline();
    plan.schedule = "replicas";
    plan.each = "pipeline";
    for (const Partition& one : pipeline().partitions) {
      Partition& again = plan.partitions.emplace_back(one);
      again.id += 2;
      again.replica = 1;
      again.candidate.engine = one.id == 0 ? "near2" : "far2";
      again.candidate.resource = "cpu:0/" + std::to_string(again.id);
    }
    return plan;
  }
  // Several callers, `calls` runs each; what came out.
  std::vector<float> run_all(const Session& session, int calls) {
    std::vector<std::future<Result<std::vector<NamedTensor>>>> pending;
    for (int i = 0; i < calls; ++i) pending.push_back(session.run_async({row_of(static_cast<float>(i))}));
    std::vector<float> values;
    for (auto& one : pending) {
      auto outputs = one.get();
      EXPECT_TRUE(outputs.ok()) << outputs.status().to_string();
      values.push_back(outputs.ok() ? first_of(*outputs) : -1);
    }
    return values;
  }

  Seen near_, far_, near2_, far2_;
  std::optional<Model> model_;
  SessionOptions options_;
};

TEST_F(ScheduleTest, StagesOfAPipelineWorkAtTheSameTimeOneRequestEach) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, pipeline(), options_));
  const int64_t started = steady_ns();
  const std::vector<float> values = run_all(session, 20);
  const int64_t took_ns = steady_ns() - started;
  for (int i = 0; i < 20; ++i) EXPECT_EQ(values[static_cast<size_t>(i)], static_cast<float>(i) + 11);
  EXPECT_EQ(near_.most_at_a_time, 1);
  EXPECT_EQ(far_.most_at_a_time, 1);
  EXPECT_EQ(near_.threads.size(), 1u);
  EXPECT_EQ(far_.threads.size(), 1u);
  EXPECT_NE(*near_.threads.begin(), *far_.threads.begin());
  // 20 requests of two stages of 4 ms: 160 ms one after the other, 84 ms in a pipeline; on a busy machine both take longer.
  const int64_t alone_started = steady_ns();
  for (int i = 0; i < 20; ++i) run_all(session, 1);
  EXPECT_LT(took_ns, (steady_ns() - alone_started) * 9 / 10);
}

TEST_F(ScheduleTest, RequestsLeaveAPipelineInTheOrderInWhichTheyEntered) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, pipeline(), options_));
  run_all(session, 12);
  std::vector<float> entered = near_.order;
  for (float& value : entered) value += 1;
  EXPECT_EQ(far_.order, entered);
}

TEST_F(ScheduleTest, AFailureInAStageIsTheFailureOfThatRequestAlone) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, pipeline(), options_));
  EXPECT_THAT(session.run({{NamedTensor{"z", row_of(1).tensor}}}), StatusIs(StatusCode::kInvalidArgument));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({{row_of(1)}}));
  EXPECT_EQ(first_of(outputs), 12);
}

TEST_F(ScheduleTest, ABindingOfAPipelineRunsOnItsLanes) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, pipeline(), options_));
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding());
  const NamedTensor feed = row_of(5);
  ASSERT_TRUE(binding.bind_input("x", feed.tensor).ok());
  ASSERT_TRUE(binding.run().ok());
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor made, binding.output(0));
  EXPECT_EQ(made.as<float>()[0], 16);
  EXPECT_FALSE(near_.threads.contains(std::this_thread::get_id()));
}

TEST_F(ScheduleTest, ASplitHoldsOneRequestPerSet) {
  Plan plan = pipeline();
  plan.schedule = "split";
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, plan, options_));
  const std::vector<float> values = run_all(session, 12);
  for (int i = 0; i < 12; ++i) EXPECT_EQ(values[static_cast<size_t>(i)], static_cast<float>(i) + 11);
  EXPECT_EQ(near_.most_at_a_time, 1);
  EXPECT_EQ(far_.most_at_a_time, 1);
  EXPECT_NE(*near_.threads.begin(), *far_.threads.begin());
  // Both sets are taken: a third request is not let in, and its deadline passes outside.
  testing::registered_fake("near").script().compute = slow(near_, 200ms, 1);
  testing::registered_fake("far").script().compute = slow(far_, 200ms, 10);
  std::vector<std::future<Result<std::vector<NamedTensor>>>> pending;
  for (int i = 0; i < 2; ++i) pending.push_back(session.run_async({row_of(1)}));
  std::this_thread::sleep_for(20ms);
  const size_t entered = near_.entered();
  RunOptions hurried;
  hurried.timeout_ns = 20'000'000;
  EXPECT_THAT(session.run({{row_of(1)}}, hurried), StatusIs(StatusCode::kDeadlineExceeded));
  EXPECT_LE(near_.entered(), entered + 1);
  for (auto& one : pending) one.wait();
}

TEST_F(ScheduleTest, ReplicasShareTheRequests) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, two_replicas(4'000'000, 4'000'000), options_));
  const std::vector<float> values = run_all(session, 20);
  for (int i = 0; i < 20; ++i) {
    const float added = values[static_cast<size_t>(i)] - static_cast<float>(i);
    EXPECT_TRUE(added == 1 || added == 10) << added;
  }
  const std::vector<ReplicaStatistics> spread = session.replicas();
  ASSERT_EQ(spread.size(), 2u);
  EXPECT_EQ(spread[0].requests + spread[1].requests, 20u);
  EXPECT_GE(std::min(spread[0].requests, spread[1].requests), 6u);
  EXPECT_EQ(near_.most_at_a_time, 1);
  EXPECT_EQ(far_.most_at_a_time, 1);
}

// Guards: requests were dealt out in equal numbers, and the slow device made everybody wait.
TEST_F(ScheduleTest, TheFasterReplicaGetsMore) {
  testing::registered_fake("far").script().compute = slow(far_, 20ms, 10);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, two_replicas(4'000'000, 20'000'000), options_));
  run_all(session, 30);
  const std::vector<ReplicaStatistics> spread = session.replicas();
  EXPECT_GT(spread[0].requests, 2 * spread[1].requests);
  EXPECT_GT(spread[1].requests, 0u);
}

TEST_F(ScheduleTest, SpeedsAreLearnedOnlyWhereThePolicyRebalances) {
  testing::registered_fake("far").script().compute = slow(far_, 20ms, 10);
  const Plan plan = two_replicas(4'000'000, 4'000'000);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session fixed, Session::load(*model_, plan, options_));
  run_all(fixed, 20);
  EXPECT_EQ(fixed.replicas()[1].typical_ns, 4'000'000);
  options_.policy.schedule.rebalance = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session learning, Session::load(*model_, plan, options_));
  run_all(learning, 30);
  EXPECT_GT(learning.replicas()[1].typical_ns, 6'000'000);
}

TEST_F(ScheduleTest, WorkOfAFailedReplicaIsRedoneWhereThePolicyRebalances) {
  testing::registered_fake("far").script().compute = [](const FakeLoad&, std::span<const axle_tensor_t>,
                                                        std::span<FakeOutput>) {
    throw kit::Error(AXLE_UNAVAILABLE, "the device is gone");
  };
  const Plan plan = two_replicas(4'000'000, 4'000'000);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session fixed, Session::load(*model_, plan, options_));
  int failed = 0;
  for (int i = 0; i < 4; ++i) {
    const auto outputs = fixed.run({{row_of(1)}});
    failed += outputs.ok() ? 0 : 1;
    if (outputs.ok()) continue;
    EXPECT_THAT(outputs, StatusIs(StatusCode::kUnavailable, "the device is gone"));
  }
  EXPECT_EQ(fixed.replicas()[1].failures, static_cast<uint64_t>(failed));

  options_.policy.schedule.rebalance = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session moving, Session::load(*model_, plan, options_));
  for (const float value : run_all(moving, 10)) EXPECT_GE(value, 1);
  EXPECT_EQ(moving.replicas()[0].requests, 10u);
  EXPECT_GE(moving.replicas()[1].failures, 1u);
  EXPECT_TRUE(moving.replicas()[1].left_out);
}

// Guards: what cannot even be begun there looked idle, and so was asked first, for ever.
TEST_F(ScheduleTest, AReplicaThatCannotBeginIsLeftOut) {
  options_.policy.schedule.rebalance = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, two_replicas(4'000'000, 4'000'000), options_));
  FakeEngine& far = testing::registered_fake("far");
  far.fail("context_create", 1, AXLE_INTERNAL, "no context");
  size_t failed = 0;
  for (int i = 0; i < 6; ++i) failed += session.run({{row_of(1)}}).ok() ? 0 : 1;
  EXPECT_LE(failed, 1u);
  EXPECT_EQ(session.replicas()[1].failures, failed);
  EXPECT_EQ(session.replicas()[1].left_out, failed == 1);
  EXPECT_EQ(session.replicas()[0].requests, 6 - failed);
}

TEST_F(ScheduleTest, ADeadlinePassesWhileAllReplicasAreBusy) {
  testing::registered_fake("near").script().compute = slow(near_, 200ms, 1);
  testing::registered_fake("far").script().compute = slow(far_, 200ms, 10);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, two_replicas(200'000'000, 200'000'000), options_));
  std::vector<std::future<Result<std::vector<NamedTensor>>>> pending;
  for (int i = 0; i < 4; ++i) pending.push_back(session.run_async({row_of(1)}));
  std::this_thread::sleep_for(20ms);
  RunOptions hurried;
  hurried.timeout_ns = 20'000'000;
  EXPECT_THAT(session.run({{row_of(1)}}, hurried), StatusIs(StatusCode::kDeadlineExceeded));
  for (auto& one : pending) one.wait();
}

TEST_F(ScheduleTest, TheThreadOfACoreSetIsConfinedToIt) {
  const int32_t last = usable_cpus(1'000).back();
  std::atomic<int> ran_on{-1};
  testing::registered_fake("far").script().compute = [&](const FakeLoad&, std::span<const axle_tensor_t>,
                                                         std::span<FakeOutput> outputs) {
    cpu_set_t set;
    sched_getaffinity(0, sizeof(set), &set);
    ran_on = CPU_COUNT(&set) == 1 ? sched_getcpu() : -2;
    for (FakeOutput& out : outputs) out.set({1, 4}, std::vector<float>(4));
  };
  Plan plan = pipeline();
  plan.partitions[1].cpu_set = {last};
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, plan, options_));
  ASSERT_TRUE(session.run({{row_of(1)}}).ok());
  EXPECT_EQ(ran_on, last);
  plan.partitions[1].cpu_set = {100'000};
  EXPECT_THAT(Session::load(*model_, plan, options_), StatusIs(StatusCode::kUnavailable, "may not run on CPUs 100000"));
}

TEST_F(ScheduleTest, ReplicasOfPipelinesShareTheRequestsAndKeepTheirStagesBusy) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, two_pipelines(), options_));
  const int64_t started = steady_ns();
  const std::vector<float> values = run_all(session, 40);
  const int64_t took_ns = steady_ns() - started;
  for (int i = 0; i < 40; ++i) {
    const float added = values[static_cast<size_t>(i)] - static_cast<float>(i);
    EXPECT_TRUE(added == 11 || added == 110) << added;  // never a part of each
  }
  const std::vector<ReplicaStatistics> spread = session.replicas();
  ASSERT_EQ(spread.size(), 2u);
  EXPECT_EQ(spread[0].requests + spread[1].requests, 40u);
  EXPECT_GE(std::min(spread[0].requests, spread[1].requests), 12u);
  for (const Seen* seen : {&near_, &far_, &near2_, &far2_}) {
    EXPECT_EQ(seen->most_at_a_time, 1);
    EXPECT_EQ(seen->threads.size(), 1u);
  }
  // 320 ms one after the other, 164 ms in one pipeline, 84 ms in two.
  EXPECT_LT(took_ns, 150'000'000);
}

TEST_F(ScheduleTest, AReplicaHoldsOneRequestPerStageAndOneThatWaitsASplitNone) {
  for (const char* engine : {"near", "near2"}) testing::registered_fake(engine).script().compute = slow(near_, 200ms, 1);
  for (const char* each : {"pipeline", "split"}) {
    Plan plan = two_pipelines();
    plan.each = each;
    AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, plan, options_));
    const int held = plan.each == "split" ? 4 : 6;
    std::vector<std::future<Result<std::vector<NamedTensor>>>> pending;
    for (int i = 0; i < held; ++i) pending.push_back(session.run_async({row_of(1)}));
    std::this_thread::sleep_for(20ms);
    RunOptions hurried;
    hurried.timeout_ns = 20'000'000;
    const size_t entered = near_.entered();
    EXPECT_THAT(session.run({{row_of(1)}}, hurried), StatusIs(StatusCode::kDeadlineExceeded)) << each;
    EXPECT_EQ(near_.entered(), entered) << each;
    for (auto& one : pending) one.wait();
  }
}

// The whole group is left out: what was on its way there is done again on the other.
TEST_F(ScheduleTest, AGroupOfWhichADeviceFailsIsDrainedAndItsWorkRedone) {
  testing::registered_fake("far2").script().compute = [](const FakeLoad&, std::span<const axle_tensor_t>,
                                                         std::span<FakeOutput>) {
    throw kit::Error(AXLE_UNAVAILABLE, "the device is gone");
  };
  options_.policy.schedule.rebalance = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, two_pipelines(), options_));
  const std::vector<float> values = run_all(session, 20);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(values[static_cast<size_t>(i)], static_cast<float>(i) + 11);
  const std::vector<ReplicaStatistics> spread = session.replicas();
  EXPECT_EQ(spread[0].requests, 20u);
  EXPECT_GE(spread[1].failures, 1u);
  EXPECT_TRUE(spread[1].left_out);
  const size_t entered = near2_.entered();
  EXPECT_GE(entered, 1u);
  run_all(session, 4);
  EXPECT_EQ(near2_.entered(), entered) << "its first stage gets no work either";

  options_.policy.schedule.rebalance = false;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session fixed, Session::load(*model_, two_pipelines(), options_));
  std::vector<std::future<Result<std::vector<NamedTensor>>>> pending;
  for (int i = 0; i < 6; ++i) pending.push_back(fixed.run_async({row_of(1)}));
  int failed = 0;
  for (auto& one : pending) failed += one.get().ok() ? 0 : 1;
  EXPECT_GE(failed, 1);
  EXPECT_EQ(fixed.replicas()[1].failures, static_cast<uint64_t>(failed));
}

TEST_F(ScheduleTest, AnswersOfAnOrderedScheduleDoNotOvertake) {
  // Six times as slow from end to end: what goes there is overtaken, unless the policy forbids it.
  testing::registered_fake("near2").script().compute = slow(near2_, 24ms, 10);
  testing::registered_fake("far2").script().compute = slow(far2_, 24ms, 100);
  Plan plan = two_pipelines();
  plan.partitions[2].expected_ns = plan.partitions[3].expected_ns = 24'000'000;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session free, Session::load(*model_, plan, options_));
  EXPECT_TRUE(overtakes(free, 24));
  EXPECT_GT(free.replicas()[1].requests, 0u);

  options_.policy.schedule.ordered = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session ordered, Session::load(*model_, plan, options_));
  EXPECT_FALSE(overtakes(ordered, 24));
  EXPECT_GT(ordered.replicas()[1].requests, 0u);
}

TEST_F(ScheduleTest, AnOrderedFailureTellsSoAtOnceAndHoldsNobody) {
  testing::registered_fake("far").script().compute = slow(far_, 200ms, 10);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, pipeline(), options_));  // a pipeline is ordered
  auto first = session.run_async({row_of(1)});
  auto wrong = session.run_async({NamedTensor{"z", row_of(1).tensor}});
  auto second = session.run_async({row_of(2)});
  EXPECT_THAT(wrong.get(), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_EQ(first.wait_for(0s), std::future_status::timeout);
  EXPECT_TRUE(second.get().ok());
  EXPECT_EQ(first.wait_for(0s), std::future_status::ready);
}

TEST_F(ScheduleTest, ReplicasHoldEveryPreparedShape) {
  Plan plan = two_replicas(4'000'000, 4'000'000);
  const std::vector<Partition> open = plan.partitions;
  for (Partition& part : plan.partitions) part.axes = {{"n", 1}};
  for (Partition part : open) {
    part.id += 2;
    part.expected_ns = 0;
    plan.partitions.push_back(part);
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::load(*model_, plan, options_));
  run_all(session, 12);
  EXPECT_EQ(session.replicas().size(), 2u);
  const NamedTensor two = {"x", Tensor::allocate(DataType::kFloat32, {2, 4}).value()};
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(session.run({{two}}).ok());
  const std::vector<ReplicaStatistics> spread = session.replicas();
  EXPECT_EQ(spread[0].requests + spread[1].requests, 16u);
  EXPECT_GE(std::min(spread[0].requests, spread[1].requests), 4u);
  // Both shapes of a replica share its lane.
  for (const Seen* seen : {&near_, &far_}) {
    EXPECT_EQ(seen->most_at_a_time, 1);
    EXPECT_EQ(seen->threads.size(), 1u);
  }
}

TEST_F(ScheduleTest, SeveralReplicasNeedTheScheduleOfThatName) {
  Plan plan = two_replicas(1, 1);
  plan.schedule = "pipeline";
  EXPECT_THAT(Session::load(*model_, plan, options_), StatusIs(StatusCode::kInvalidArgument, "several replicas"));
}

}  // namespace
}  // namespace axle
