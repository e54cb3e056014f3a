// Sessions whose plans join requests, on a fake engine: what is checked when they load, and what calls and bindings get.
#include <gmock/gmock.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <mutex>
#include <thread>

#include "axle/bench.h"
#include "axle/session.h"
#include "axle/tune.h"
#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/testing/rows.h"

namespace axle {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using testing::FakeLoad;
using testing::FakeOutput;
using testing::first_of;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::row_of;
using testing::StatusIs;
using namespace std::chrono_literals;

// Adds 1 to each row, once the gate is open; keeps the rows of each run.
class Gate {
 public:
  testing::FakeCompute compute() {
    return [this](const FakeLoad&, std::span<const axle_tensor_t> inputs, std::span<FakeOutput> outputs) {
      const axle_tensor_t& x = inputs[0];
      {
        std::unique_lock lock(mutex_);
        rows_.push_back(x.shape[0]);
        changed_.notify_all();
        changed_.wait(lock, [&] { return open_; });
      }
      const auto* values = static_cast<const float*>(x.data);
      std::vector<float> result(values, values + x.size_bytes / sizeof(float));
      for (float& value : result) value += 1;
      for (FakeOutput& out : outputs) out.set({x.shape[0], 4}, result);
    };
  }
  void close() { set(false); }
  void open() { set(true); }
  std::vector<int64_t> rows() {
    const std::lock_guard lock(mutex_);
    return rows_;
  }
  void forget() {
    const std::lock_guard lock(mutex_);
    rows_.clear();
  }
  void until_runs(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return rows_.size() >= count; });
  }

 private:
  void set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = true;
  std::vector<int64_t> rows_;
};

class BatchSessionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"adder"};
    testing::registered_fake("adder").script().compute = gate_.compute();
    AXLE_ASSERT_OK_AND_ASSIGN(options_.runtime, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
    options_.policy.engines.allow = {"adder"};
    options_.policy.execution.threads = 1;
    options_.policy.schedule.batch = 8;
    // The first waits for company, so that what is joined does not hang on who comes when.
    options_.policy.schedule.batch_wait_ns = 1'000'000'000;
  }
  void TearDown() override {
    gate_.open();
    testing::reset_fake("adder");
  }
  Result<Session> create(int32_t batch) {
    options_.policy.schedule.batch = batch;
    auto session = Session::create(*model_, options_);
    gate_.forget();
    return session;
  }
  static std::vector<std::future<Result<std::vector<NamedTensor>>>> ask(const Session& session, int count) {
    std::vector<std::future<Result<std::vector<NamedTensor>>>> answers;
    for (int i = 0; i < count; ++i) answers.push_back(session.run_async({row_of(static_cast<float>(i))}));
    return answers;
  }

  Gate gate_;
  SessionOptions options_;
  std::optional<Model> model_;
};

TEST_F(BatchSessionTest, RequestsThatWaitTogetherAreOneRun) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create(4));
  EXPECT_EQ(session.plan().batching, (Batching{4, 1'000'000'000, session.plan().batching.runs, "n"}));
  EXPECT_THAT(session.plan().notes, Contains(HasSubstr("up to 4 rows of axis n")));
  auto answers = ask(session, 4);
  for (int i = 0; i < 4; ++i) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, answers[static_cast<size_t>(i)].get());
    EXPECT_EQ(outputs.at(0).name, "y");
    EXPECT_EQ(outputs.at(0).tensor.shape(), (Shape{1, 4}));
    EXPECT_EQ(first_of(outputs), static_cast<float>(i) + 1);
  }
  EXPECT_EQ(gate_.rows(), std::vector<int64_t>{4});
  EXPECT_EQ(session.batching().joined, 4u);
  EXPECT_EQ(session.batching().runs, 1u);
}

TEST_F(BatchSessionTest, ASessionThatJoinsNothingHasNoStatistics) {
  options_.policy.schedule.batch_wait_ns = 0;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create(1));
  EXPECT_FALSE(session.plan().batching.on());
  EXPECT_THAT(session.run(std::vector{row_of(1)}), IsOk());
  EXPECT_EQ(session.batching().requests, 0u);
}

TEST_F(BatchSessionTest, BindingsAreJoinedToo) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create(3));
  AXLE_ASSERT_OK_AND_ASSIGN(Binding bound, session.make_binding());
  AXLE_ASSERT_OK_AND_ASSIGN(Binding open, session.make_binding());
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor y, Tensor::allocate(DataType::kFloat32, {1, 4}));
  const NamedTensor ten = row_of(10), twenty = row_of(20);
  ASSERT_THAT(bound.bind_input(0, ten.tensor), IsOk());
  ASSERT_THAT(bound.bind_output(0, y), IsOk());
  ASSERT_THAT(open.bind_input(0, twenty.tensor), IsOk());
  auto third = session.run_async({row_of(30)});
  auto first = std::async(std::launch::async, [&] { return bound.run(); });
  EXPECT_THAT(open.run(), IsOk());
  EXPECT_THAT(first.get(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, third.get());
  EXPECT_EQ(gate_.rows(), std::vector<int64_t>{3});
  EXPECT_EQ(y.as<float>()[0], 11);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor made, open.output(0));
  EXPECT_EQ(made.as<float>()[3], 21);
  EXPECT_EQ(first_of(outputs), 31);
}

TEST_F(BatchSessionTest, ABoundOutputOfAnotherShapeIsRefusedAndItsCompanionIsNot) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create(2));
  AXLE_ASSERT_OK_AND_ASSIGN(Binding bound, session.make_binding());
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor wide, Tensor::allocate(DataType::kFloat32, {2, 4}));
  const NamedTensor ten = row_of(10);
  ASSERT_THAT(bound.bind_input(0, ten.tensor), IsOk());
  ASSERT_THAT(bound.bind_output(0, wide), IsOk());
  auto companion = session.run_async({row_of(1)});
  EXPECT_THAT(bound.run(), StatusIs(StatusCode::kOutOfRange, "[2, 4] is bound"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, companion.get());
  EXPECT_EQ(first_of(outputs), 2);
}

TEST_F(BatchSessionTest, WhatDoesNotFitTheModelIsRefusedBeforeItIsJoined) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create(2));
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor wrong, Tensor::allocate(DataType::kFloat32, {1, 5}));
  EXPECT_THAT(session.run(std::vector<NamedTensor>{{"x", wrong}}), StatusIs(StatusCode::kInvalidArgument, "x"));
  EXPECT_EQ(session.batching().runs, 0u);
}

TEST_F(BatchSessionTest, ADeadlineIsTheOwnRequestsAlone) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create(2));
  gate_.close();
  auto companion = session.run_async({row_of(1)});
  RunOptions soon;
  soon.timeout_ns = 300'000'000;
  EXPECT_THAT(session.run(std::vector{row_of(2)}, soon), StatusIs(StatusCode::kDeadlineExceeded));
  gate_.open();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, companion.get());
  EXPECT_EQ(first_of(outputs), 2);
}

TEST_F(BatchSessionTest, AFailedRunIsDoneAgainOneByOne) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create(3));
  testing::registered_fake("adder").fail("run", 1, AXLE_INTERNAL, "boom");
  for (auto& answer : ask(session, 3)) EXPECT_THAT(answer.get(), IsOk());
  EXPECT_EQ(session.batching().redone, 3u);
  EXPECT_EQ(gate_.rows(), (std::vector<int64_t>{1, 1, 1}));
}

TEST_F(BatchSessionTest, RowsThatTouchEachOtherAreRefusedWithTheFigures) {
  testing::registered_fake("adder").script().compute = [](const FakeLoad&, std::span<const axle_tensor_t> inputs,
                                                          std::span<FakeOutput> outputs) {
    const axle_tensor_t& x = inputs[0];
    const auto* values = static_cast<const float*>(x.data);
    std::vector<float> result(values, values + x.size_bytes / sizeof(float));
    const size_t rows = result.size() / 4;
    for (size_t column = 0; column < 4; ++column) {
      float mean = 0;
      for (size_t row = 0; row < rows; ++row) mean += values[row * 4 + column] / static_cast<float>(rows);
      for (size_t row = 0; row < rows; ++row) result[row * 4 + column] += 0.01F * mean;
    }
    for (FakeOutput& out : outputs) out.set({x.shape[0], 4}, result);
  };
  const auto session = create(8);
  ASSERT_FALSE(session.ok());
  EXPECT_EQ(session.error().code(), StatusCode::kFailedPrecondition);
  EXPECT_THAT(session.error().message(), AllOf(HasSubstr("rows of this model touch each other: output 'y' of 4 requests"),
                                               HasSubstr("max relative error is 0.0"), HasSubstr("above 0.0001")));
  EXPECT_THAT(create(1).status(), StatusIs(StatusCode::kInvalidArgument, "batch_wait"));
  options_.policy.schedule.batch_wait_ns = 0;
  EXPECT_THAT(create(1).status(), IsOk());
}

TEST_F(BatchSessionTest, ALockedPlanJoinsTheSame) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create(4));
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock lock, session.lock());
  SessionOptions options;
  options.runtime = options_.runtime;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session locked, Session::load(*model_, lock, options));
  EXPECT_EQ(locked.plan().batching, session.plan().batching);
  gate_.forget();
  for (auto& answer : ask(locked, 4)) EXPECT_THAT(answer.get(), IsOk());
  EXPECT_EQ(gate_.rows(), std::vector<int64_t>{4});
}

TEST_F(BatchSessionTest, ReplicasTakeJoinedRunsInTurn) {
  options_.policy.resources.split = {{"cpu:0", {{0}, {1}}}};
  options_.policy.schedule.kind = ScheduleKind::kReplicas;
  if (std::thread::hardware_concurrency() < 2) GTEST_SKIP() << "one core: there are no two core sets";
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create(2));
  EXPECT_EQ(session.plan().batching.runs, 2);
  for (auto& answer : ask(session, 8)) EXPECT_THAT(answer.get(), IsOk());
  EXPECT_EQ(gate_.rows(), (std::vector<int64_t>{2, 2, 2, 2}));
  uint64_t requests = 0;
  for (const ReplicaStatistics& replica : session.replicas()) requests += replica.requests;
  EXPECT_EQ(requests, 4u);
}

TEST_F(BatchSessionTest, BenchTellsHowManyWereComputedTogether) {
  options_.policy.schedule.batch = 4;
  options_.policy.schedule.batch_wait_ns = 5'000'000;
  BenchOptions options;
  options.policy = options_.policy;
  options.duration_ns = 30'000'000;
  options.callers = 4;
  AXLE_ASSERT_OK_AND_ASSIGN(const BenchReport report, bench(*options_.runtime, *model_, options));
  EXPECT_GT(report.batching.joined, 0u);
  EXPECT_LT(report.batching.runs, report.batching.requests);
}

// A run takes 2 ms whatever its rows: joined requests are completed several times as often, and the plan says so.
class BatchTuneTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeOptions options;
    options.cache_folder = folder_;
    options.engines = {"adder"};
    testing::registered_fake("adder").script().compute = [](const FakeLoad&, std::span<const axle_tensor_t> inputs,
                                                            std::span<FakeOutput> outputs) {
      static std::mutex one_at_a_time;
      const std::lock_guard lock(one_at_a_time);
      std::this_thread::sleep_for(2ms);
      const auto* values = static_cast<const float*>(inputs[0].data);
      for (FakeOutput& out : outputs)
        out.set({inputs[0].shape[0], 4}, std::vector<float>(values, values + inputs[0].size_bytes / sizeof(float)));
    };
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
    options_.policy.objective = Objective::kThroughput;
    options_.policy.execution.threads = 1;
    options_.budget_ns = 4'000'000'000;
  }
  void TearDown() override {
    testing::reset_fake("adder");
    runtime_.reset();
    std::filesystem::remove_all(folder_);
  }

  const std::string folder_ = std::filesystem::temp_directory_path() / ("axle_batch_test." + std::to_string(::getpid()));
  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
  TuneOptions options_;
};

TEST_F(BatchTuneTest, MeasuresJoinedRequestsAndPlansThem) {
  options_.policy.schedule.batch = kAutoBatch;
  AXLE_ASSERT_OK_AND_ASSIGN(TuneReport report, tune(*runtime_, *model_, options_));
  // A machine that is busy elsewhere needs longer to see three blocks of each.
  for (int more = 0; more < 3 && !report.plan.batching.on(); ++more) {
    options_.budget_ns *= 2;
    AXLE_ASSERT_OK_AND_ASSIGN(report, tune(*runtime_, *model_, options_));
  }
  EXPECT_TRUE(report.plan.batching.on());
  EXPECT_THAT(report.plan.notes, Contains(HasSubstr("rows together, by measurement")));
  EXPECT_GT(report.rows.front().batch, 1);
  // Without joining the same evidence says what was measured one by one.
  PlanRequest request;
  request.policy = options_.policy;
  request.policy.schedule.batch = 1;
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanReport alone, make_plan(*runtime_, *model_, request));
  EXPECT_FALSE(alone.plan.batching.on());
  EXPECT_THAT(alone.plan.notes, ::testing::Not(Contains(HasSubstr("together"))));
}

}  // namespace
}  // namespace axle
