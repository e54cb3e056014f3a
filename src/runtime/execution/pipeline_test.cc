// What a pipeline does when a stage fails, or stands still. On fake engines, with gates in place of time.
#include <gmock/gmock.h>

#include <condition_variable>
#include <future>
#include <mutex>
#include <set>

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
using namespace std::chrono_literals;

constexpr float kBad = 7;  // the request that fails

// Counts the calls that came, and holds them while it is shut.
class Gate {
 public:
  void pass() {
    std::unique_lock lock(mutex_);
    ++came_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
  }
  void set(bool open) {
    const std::lock_guard lock(mutex_);
    open_ = open;
    changed_.notify_all();
  }
  int came() {
    const std::lock_guard lock(mutex_);
    return came_;
  }
  // Waits for that many calls; false when they do not come.
  bool wait_for(int calls, std::chrono::milliseconds patience = 10s) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return came_ >= calls; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int came_ = 0;
  bool open_ = true;
};

// Shuts a gate; opens it when a test ends early too, so that nobody waits for ever.
class Shut {
 public:
  explicit Shut(Gate& gate) : gate_(gate) { gate_.set(false); }
  ~Shut() { gate_.set(true); }
  Shut(const Shut&) = delete;
  Shut& operator=(const Shut&) = delete;

 private:
  Gate& gate_;
};

// "first" computes x + 1, "second" x + 10.
class PipelineTest : public ::testing::Test {
 protected:
  using Pending = std::future<Result<std::vector<NamedTensor>>>;

  void SetUp() override {
    script("first", first_, 1);
    script("second", second_, 10);
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"first", "second"};
    AXLE_ASSERT_OK_AND_ASSIGN(options_.runtime, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
  }
  void TearDown() override {
    testing::reset_fake("first");
    testing::reset_fake("second");
  }
  static void script(const std::string& name, Gate& gate, float add, float refuses = -1) {
    testing::registered_fake(name).script().compute =
        [&gate, add, refuses](const FakeLoad& load, std::span<const axle_tensor_t> inputs, std::span<FakeOutput> outputs) {
          gate.pass();
          if (*static_cast<const float*>(inputs[0].data) == refuses) throw kit::internal("this one is beyond me");
          testing::elementwise([add](float v) { return v + add; })(load, inputs, outputs);
        };
  }
  Result<Session> load(const std::string& schedule = "pipeline") {
    Plan plan;
    plan.model_digest = model_->digest();
    plan.schedule = schedule;
    for (int32_t id = 0; id < 2; ++id) {
      Partition part;
      part.id = id;
      part.candidate = {id == 0 ? "first" : "second", "cpu:0/" + std::to_string(id), "f32", 1, "default"};
      part.expected_ns = 1'000'000;
      part.nodes = {id == 0 ? "first" : "second"};
      part.inputs = {id == 0 ? "x" : "h"};
      part.outputs = {id == 0 ? "h" : "y"};
      plan.partitions.push_back(part);
    }
    return Session::load(*model_, plan, options_);
  }
  static Pending ask(const Session& session, float value) {
    return std::async(std::launch::async, [session, value] { return session.run({{row_of(value)}}); });
  }

  Gate first_, second_;
  std::optional<Model> model_;
  SessionOptions options_;
};

TEST_F(PipelineTest, AStageThatFailsFailsThatRequestAlone) {
  for (const bool last : {false, true}) {
    // The last stage sees what the first one made of the request.
    script("first", first_, 1, last ? -1 : kBad);
    script("second", second_, 10, last ? kBad + 1 : -1);
    AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load());
    std::vector<Pending> pending;
    for (int i = 0; i < 12; ++i) pending.push_back(session.run_async({row_of(static_cast<float>(i))}));
    for (int i = 0; i < 12; ++i) {
      const auto outputs = pending[static_cast<size_t>(i)].get();
      if (static_cast<float>(i) == kBad) {
        EXPECT_THAT(outputs, StatusIs(StatusCode::kInternal, "this one is beyond me"));
        EXPECT_THAT(outputs, StatusIs(StatusCode::kInternal, last ? "second" : "first"));
      } else {
        ASSERT_TRUE(outputs.ok()) << i << ": " << outputs.status().to_string();
        EXPECT_EQ(first_of(*outputs), static_cast<float>(i) + 11);
      }
    }
  }
}

TEST_F(PipelineTest, WhatTheFirstStageRefusesNeverReachesTheNext) {
  script("first", first_, 1, kBad);
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load());
  const int before = second_.came();
  EXPECT_THAT(session.run({{row_of(kBad)}}), StatusIs(StatusCode::kInternal, "this one is beyond me"));
  EXPECT_EQ(second_.came(), before);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({{row_of(1)}}));
  EXPECT_EQ(first_of(outputs), 12);
}

// Two stages and one request that waits between them: a fourth caller waits outside, and no stage sees it.
TEST_F(PipelineTest, AStageThatStandsStillHoldsNewCallersBack) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load());
  const int before = first_.came();
  std::vector<Pending> inside;
  Pending hasty, outside;
  const Shut shut(second_);
  for (int i = 0; i < 3; ++i) inside.push_back(ask(session, static_cast<float>(i)));
  ASSERT_TRUE(first_.wait_for(before + 3));
  RunOptions hurried;
  hurried.timeout_ns = 30'000'000;
  hasty = std::async(std::launch::async, [session, hurried] { return session.run({{row_of(9)}}, hurried); });
  ASSERT_EQ(hasty.wait_for(10s), std::future_status::ready) << "its deadline passes inside, where a stage stands still";
  EXPECT_THAT(hasty.get(), StatusIs(StatusCode::kDeadlineExceeded));
  outside = ask(session, 3);
  EXPECT_EQ(outside.wait_for(30ms), std::future_status::timeout);
  EXPECT_EQ(first_.came(), before + 3);
  second_.set(true);
  std::multiset<float> made;
  for (Pending& one : inside) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, one.get());
    made.insert(first_of(outputs));
  }
  EXPECT_EQ(made, (std::multiset<float>{11, 12, 13}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto late, outside.get());
  EXPECT_EQ(first_of(late), 14);
}

TEST_F(PipelineTest, ACallerThatGivesUpInsideLeavesItsPlaceToTheNext) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, load());
  RunOptions hurried;
  hurried.cancel = CancelToken();
  std::vector<Pending> inside;
  const Shut shut(second_);
  for (int i = 0; i < 3; ++i) inside.push_back(session.run_async({row_of(1)}, hurried));
  ASSERT_TRUE(second_.wait_for(1));
  hurried.cancel.cancel();
  second_.set(true);
  for (Pending& one : inside) one.wait();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run({{row_of(1)}}));
  EXPECT_EQ(first_of(outputs), 12);
}

}  // namespace
}  // namespace axle
