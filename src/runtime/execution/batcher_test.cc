// Joining requests, without an engine: a computation that can be held, and that fails for a row below 0.
#include "runtime/execution/batcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::IsOk;
using testing::StatusIs;
using namespace std::chrono_literals;

using Values = std::vector<float>;
using Answer = Result<Values>;

Tensor rows_tensor(const Values& firsts, int64_t width) {
  auto tensor = Tensor::allocate(DataType::kFloat32, {static_cast<int64_t>(firsts.size()), width});
  for (size_t row = 0; row < firsts.size(); ++row) {
    for (int64_t i = 0; i < width; ++i)
      tensor->mutable_as<float>()[row * static_cast<size_t>(width) + static_cast<size_t>(i)] = firsts[row];
  }
  return *std::move(tensor);
}

class BatcherTest : public ::testing::Test {
 protected:
  void start(Batching batching, std::vector<int64_t> sizes = {}) {
    batching.axis = "n";
    batcher_.emplace(Batcher::Options{
        batching, std::move(sizes), {"x"}, [this](std::span<const NamedTensor> feeds) { return compute(feeds); }});
  }

  // x + 1, once the gate is open.
  Result<std::vector<NamedTensor>> compute(std::span<const NamedTensor> feeds) {
    const Tensor& x = feeds.front().tensor;
    std::unique_lock lock(mutex_);
    runs_.push_back(x.shape().front());
    const size_t mine = runs_.size();
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_runs_ >= mine; });
    AXLE_ASSIGN_OR_RETURN(Tensor y, Tensor::allocate(x.dtype(), x.shape()));
    for (int64_t i = 0; i < x.element_count(); ++i) {
      const float value = x.as<float>()[static_cast<size_t>(i)];
      if (value < 0) return internal_error("a row below 0");
      y.mutable_as<float>()[static_cast<size_t>(i)] = value + 1;
    }
    std::vector<NamedTensor> outputs;
    outputs.push_back({"y", std::move(y)});
    return outputs;
  }

  // The first element of each row that comes out.
  Answer ask(const Values& firsts, const CancelToken& cancel, int64_t width) {
    const Tensor x = rows_tensor(firsts, width);
    const Tensor* const inputs[] = {&x};
    AXLE_ASSIGN_OR_RETURN(const Batcher::Answer answer, batcher_->enter(inputs, cancel));
    Tensor y;
    if (answer.computed()) {
      AXLE_ASSIGN_OR_RETURN(y, answer.copy(0));
    } else {
      const NamedTensor feed{"x", x};
      AXLE_ASSIGN_OR_RETURN(const auto outputs, compute(std::span(&feed, 1)));
      y = outputs.front().tensor;
    }
    Values out;
    for (size_t row = 0; row < firsts.size(); ++row) out.push_back(y.as<float>()[row * static_cast<size_t>(width)]);
    return out;
  }
  std::future<Answer> call(Values firsts, CancelToken cancel = CancelToken::none(), int64_t width = 4) {
    return std::async(std::launch::async,
                      [this, firsts = std::move(firsts), cancel, width] { return ask(firsts, cancel, width); });
  }

  void open_runs(size_t count) {
    const std::lock_guard lock(mutex_);
    open_runs_ = count;
    changed_.notify_all();
  }
  void open_all() { open_runs(SIZE_MAX); }
  void until_runs(size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return runs_.size() >= count; });
  }
  void until_waiting(size_t count) {
    while (batcher_->waiting() != count) std::this_thread::sleep_for(100us);
  }
  // A request that holds the only run, and then these behind it, in their order.
  std::vector<std::future<Answer>> behind_a_run(const std::vector<Values>& requests) {
    std::vector<std::future<Answer>> all;
    all.push_back(call({0}));
    until_runs(1);
    for (size_t i = 0; i < requests.size(); ++i) {
      all.push_back(call(requests[i]));
      until_waiting(i + 1);
    }
    return all;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  size_t open_runs_ = 0;
  std::vector<int64_t> runs_;  // rows of each
  std::optional<Batcher> batcher_;
};

TEST_F(BatcherTest, JoinsWhatWaitsWhileARunIsUnderWay) {
  start({.rows = 8});
  auto answers = behind_a_run({{1}, {2, 3}, {4}});
  open_all();
  const std::vector<Values> expected = {{1}, {2}, {3, 4}, {5}};
  for (size_t i = 0; i < answers.size(); ++i) {
    AXLE_ASSERT_OK_AND_ASSIGN(const Values rows, answers[i].get());
    EXPECT_EQ(rows, expected[i]);
  }
  EXPECT_THAT(runs_, ElementsAre(1, 4));
  const BatchStatistics statistics = batcher_->statistics();
  EXPECT_EQ(statistics.requests, 4u);
  EXPECT_EQ(statistics.joined, 3u);
  EXPECT_EQ(statistics.runs, 2u);
  EXPECT_EQ(statistics.redone, 0u);
  EXPECT_EQ(statistics.most_rows, 4);
}

TEST_F(BatcherTest, KeepsToTheMostRows) {
  start({.rows = 4});
  auto answers = behind_a_run({{1}, {2}, {3}, {4}, {5}, {6}});
  open_all();
  for (auto& answer : answers) EXPECT_THAT(answer.get(), IsOk());
  EXPECT_THAT(runs_, ElementsAre(1, 4, 2));
}

TEST_F(BatcherTest, ARequestOfAsManyRowsRunsAlone) {
  start({.rows = 2});
  auto answers = behind_a_run({{1, 2}, {3, 4, 5}, {6}});
  open_all();
  for (auto& answer : answers) EXPECT_THAT(answer.get(), IsOk());
  EXPECT_THAT(runs_, ElementsAre(1, 2, 3, 1));
  EXPECT_EQ(batcher_->statistics().joined, 0u);
}

// 6 rows fit no prepared size: four go together, the rest by themselves.
TEST_F(BatcherTest, JoinsToPreparedSizesOnly) {
  start({.rows = 8}, {1, 4, 8});
  auto answers = behind_a_run({{1}, {2}, {3}, {4}, {5}, {6}});
  open_all();
  for (auto& answer : answers) EXPECT_THAT(answer.get(), IsOk());
  EXPECT_THAT(runs_, ElementsAre(1, 4, 1, 1));
}

TEST_F(BatcherTest, RequestsOfOtherShapesAreNotJoined) {
  start({.rows = 8});
  auto answers = behind_a_run({{1}, {2}});
  answers.push_back(call({3}, CancelToken::none(), 5));
  until_waiting(3);
  answers.push_back(call({4}));
  until_waiting(4);
  open_all();
  for (auto& answer : answers) EXPECT_THAT(answer.get(), IsOk());
  EXPECT_THAT(runs_, ElementsAre(1, 3, 1));
}

TEST_F(BatcherTest, RunsAsManyAtATimeAsThePlanSays) {
  start({.rows = 8, .runs = 2});
  auto first = call({1});
  until_runs(1);
  auto second = call({2});
  until_runs(2);
  auto third = call({3});
  until_waiting(1);
  open_all();
  for (auto* answer : {&first, &second, &third}) EXPECT_THAT(answer->get(), IsOk());
  EXPECT_THAT(runs_, ElementsAre(1, 1, 1));
}

TEST_F(BatcherTest, ACancelledRequestLeavesTheQueueAlone) {
  start({.rows = 8});
  auto answers = behind_a_run({{1}});
  CancelToken cancel;
  auto cancelled = call({2}, cancel);
  until_waiting(2);
  answers.push_back(call({3}));
  until_waiting(3);
  cancel.cancel();
  EXPECT_THAT(cancelled.get(), StatusIs(StatusCode::kCancelled));
  open_all();
  for (auto& answer : answers) EXPECT_THAT(answer.get(), IsOk());
  EXPECT_THAT(runs_, ElementsAre(1, 2));
}

// The one whose thread would have begun the run, too: its companions are computed all the same.
TEST_F(BatcherTest, ADeadlineDuringAJoinedRunIsOfItsRequestAlone) {
  start({.rows = 8});
  auto holder = call({0});
  until_runs(1);
  CancelToken cancel;
  auto first = call({1}, cancel);
  until_waiting(1);
  auto late = call({2}, CancelToken::with_deadline(std::chrono::steady_clock::now() + 1s));
  until_waiting(2);
  auto companion = call({3});
  until_waiting(3);
  open_runs(1);
  until_runs(2);
  cancel.cancel();
  EXPECT_THAT(first.get(), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(late.get(), StatusIs(StatusCode::kDeadlineExceeded));
  open_all();
  AXLE_ASSERT_OK_AND_ASSIGN(const Values rows, companion.get());
  EXPECT_THAT(rows, ElementsAre(4));
  EXPECT_THAT(holder.get(), IsOk());
  EXPECT_THAT(runs_, ElementsAre(1, 3));
  EXPECT_EQ(batcher_->statistics().joined, 1u);
}

TEST_F(BatcherTest, EndsAfterARunThatNobodyWaitsForAnyLonger) {
  start({.rows = 8});
  auto holder = call({0});
  until_runs(1);
  CancelToken cancel;
  auto first = call({1}, cancel);
  until_waiting(1);
  auto second = call({2}, cancel);
  until_waiting(2);
  open_runs(1);
  until_runs(2);
  cancel.cancel();
  EXPECT_THAT(first.get(), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(second.get(), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(holder.get(), IsOk());
  auto ended = std::async(std::launch::async, [&] { batcher_.reset(); });
  EXPECT_EQ(ended.wait_for(20ms), std::future_status::timeout);
  open_all();
  ended.get();
}

TEST_F(BatcherTest, AFailureStaysWithItsRequest) {
  start({.rows = 8});
  auto answers = behind_a_run({{1}, {-1}, {3}});
  open_all();
  AXLE_ASSERT_OK_AND_ASSIGN(const Values first, answers[1].get());
  EXPECT_THAT(first, ElementsAre(2));
  EXPECT_THAT(answers[2].get(), StatusIs(StatusCode::kInternal, "below 0"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Values last, answers[3].get());
  EXPECT_THAT(last, ElementsAre(4));
  EXPECT_THAT(runs_, ElementsAre(1, 3, 1, 1, 1));
  EXPECT_EQ(batcher_->statistics().redone, 3u);
  EXPECT_EQ(batcher_->statistics().joined, 0u);
}

TEST_F(BatcherTest, OneThatFindsARunFreeBeginsAtOnce) {
  start({.rows = 8});
  open_all();
  EXPECT_THAT(call({1}).get(), IsOk());
  EXPECT_THAT(runs_, ElementsAre(1));
}

TEST_F(BatcherTest, WaitsForOthersUntilTheRunIsFull) {
  start({.rows = 3, .wait_ns = 60'000'000'000});
  open_all();
  std::vector<std::future<Answer>> answers;
  for (int i = 0; i < 3; ++i) answers.push_back(call({static_cast<float>(i)}));
  for (auto& answer : answers) EXPECT_THAT(answer.get(), IsOk());
  EXPECT_THAT(runs_, ElementsAre(3));
}

TEST_F(BatcherTest, WaitsForOthersOnlySoLong) {
  start({.rows = 3, .wait_ns = 20'000'000});
  open_all();
  const auto started = std::chrono::steady_clock::now();
  EXPECT_THAT(call({1}).get(), IsOk());
  EXPECT_GE(std::chrono::steady_clock::now() - started, 20ms);
  EXPECT_THAT(runs_, ElementsAre(1));
}

TEST_F(BatcherTest, AnswersManyCallersWithTheirOwnRows) {
  start({.rows = 16, .wait_ns = 50'000, .runs = 2});
  open_all();
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int caller = 0; caller < 8; ++caller) {
    threads.emplace_back([&, caller] {
      for (int i = 0; i < 300; ++i) {
        const auto value = static_cast<float>(caller * 1000 + i);
        CancelToken cancel;
        if (i % 7 == 0) cancel.cancel();
        const Answer answer = ask({value, value + 0.5F}, i % 7 == 0 ? cancel : CancelToken::none(), 4);
        const bool right = answer ? *answer == Values{value + 1, value + 1.5F} : i % 7 == 0;
        wrong += right ? 0 : 1;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(batcher_->waiting(), 0u);
}

}  // namespace
}  // namespace axle
