#include "runtime/qos_monitor.h"

#include <gmock/gmock.h>

#include <chrono>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace axle {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int64_t kMillisecond = 1'000'000;

// A run that took `ns`, without waiting for it.
void run(QosMonitor& monitor, int64_t ns) {
  (void)monitor.begin();
  monitor.end(steady_ns() - ns, true);
}

std::unique_ptr<QosMonitor> monitor_of(const Constraints& constraints) { return QosMonitor::create(constraints, {}); }

TEST(QosMonitor, APolicyWithoutBoundsIsNotWatched) {
  EXPECT_EQ(monitor_of({}), nullptr);
  Constraints memory;
  memory.memory_bytes = 1;
  EXPECT_EQ(monitor_of(memory), nullptr);
}

TEST(QosMonitor, APercentileIsViolatedWhenMoreThanItsShareIsOver) {
  Constraints constraints;
  constraints.latency_p99_ns = 8 * kMillisecond;
  const auto monitor = monitor_of(constraints);
  for (int i = 0; i < 500; ++i) run(*monitor, kMillisecond);
  for (int i = 0; i < 10; ++i) run(*monitor, 20 * kMillisecond);
  EXPECT_FALSE(monitor->snapshot().violated());
  run(*monitor, 20 * kMillisecond);  // the 11th of the last 1,000
  const QosReport now = monitor->snapshot();
  ASSERT_THAT(now.bounds, SizeIs(1));
  EXPECT_EQ(now.bounds[0].constraint, "latency_p99");
  EXPECT_TRUE(now.bounds[0].violated);
  EXPECT_EQ(now.bounds[0].violations, 1u);
  EXPECT_EQ(now.bounds[0].window_runs, 511);
  EXPECT_EQ(now.runs, 511u);
}

TEST(QosMonitor, AWindowForgets) {
  Constraints constraints;
  constraints.latency_p95_ns = 8 * kMillisecond;
  const auto monitor = monitor_of(constraints);
  for (int i = 0; i < 11; ++i) run(*monitor, 20 * kMillisecond);
  EXPECT_TRUE(monitor->snapshot().violated());
  for (int i = 0; i < 200; ++i) run(*monitor, kMillisecond);
  EXPECT_FALSE(monitor->snapshot().violated());
  EXPECT_LT(monitor->snapshot().bounds[0].value, 8.0 * kMillisecond);
  for (int i = 0; i < 11; ++i) run(*monitor, 20 * kMillisecond);
  EXPECT_TRUE(monitor->snapshot().violated());
  EXPECT_EQ(monitor->snapshot().bounds[0].violations, 2u);
  EXPECT_GT(monitor->snapshot().bounds[0].value, 8.0 * kMillisecond);
}

TEST(QosMonitor, TheMeanIsJudgedOverAFullWindow) {
  Constraints constraints;
  constraints.latency_mean_ns = 2 * kMillisecond;
  const auto monitor = monitor_of(constraints);
  for (int i = 0; i < 99; ++i) run(*monitor, 3 * kMillisecond);
  EXPECT_FALSE(monitor->snapshot().violated());
  run(*monitor, 3 * kMillisecond);
  EXPECT_TRUE(monitor->snapshot().violated());
  EXPECT_NEAR(monitor->snapshot().bounds[0].value, 3.0 * kMillisecond, 0.2 * kMillisecond);
}

TEST(QosMonitor, ThroughputCountsOnlyTheTimeInWhichSomethingRan) {
  Constraints constraints;
  constraints.throughput_min_per_s = 500;
  const auto fast = monitor_of(constraints), slow = monitor_of(constraints);
  for (int i = 0; i < 150; ++i) {
    fast->end(fast->begin(), true);  // at once
    if (i % 50 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(100));  // nobody calls
    const int64_t started = slow->begin();
    while (steady_ns() - started < 3 * kMillisecond) std::this_thread::sleep_for(std::chrono::microseconds(300));
    slow->end(started, true);
  }
  EXPECT_FALSE(fast->snapshot().violated());
  EXPECT_TRUE(slow->snapshot().violated());
  EXPECT_LT(slow->snapshot().bounds[0].value, 400);
  EXPECT_GT(fast->snapshot().bounds[0].value, 1000);
}

TEST(QosMonitor, FailuresAreCountedApart) {
  Constraints constraints;
  constraints.latency_p50_ns = 1;
  const auto monitor = monitor_of(constraints);
  for (int i = 0; i < 200; ++i) monitor->end(monitor->begin(), false);
  EXPECT_EQ(monitor->snapshot().failures, 200u);
  EXPECT_EQ(monitor->snapshot().runs, 0u);
  EXPECT_FALSE(monitor->snapshot().violated());
}

TEST(QosMonitor, ReportsAsItHappens) {
  Constraints constraints;
  constraints.latency_p95_ns = 8 * kMillisecond;
  std::mutex mutex;
  std::vector<QosViolation> reported;
  const auto monitor = QosMonitor::create(constraints, [&](const QosViolation& violation) {
    const std::scoped_lock lock(mutex);
    reported.push_back(violation);
  });
  for (int i = 0; i < 11; ++i) run(*monitor, 20 * kMillisecond);
  const int64_t until = steady_ns() + 5'000 * kMillisecond;
  const auto count = [&] {
    const std::scoped_lock lock(mutex);
    return reported.size();
  };
  while (count() == 0 && steady_ns() < until) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  ASSERT_EQ(count(), 1u);
  EXPECT_EQ(reported[0].constraint, "latency_p95");
  EXPECT_EQ(reported[0].number, 1u);
  EXPECT_THAT(reported[0].text, HasSubstr("the policy allows 8.00 ms"));
}

TEST(QosMonitor, AReaderSeesEachViolationOnce) {
  Constraints constraints;
  constraints.latency_p95_ns = 8 * kMillisecond;
  const auto monitor = monitor_of(constraints);
  std::vector<uint64_t> seen;
  EXPECT_THAT(monitor->wait(seen, 0), IsEmpty());
  for (int i = 0; i < 11; ++i) run(*monitor, 20 * kMillisecond);
  EXPECT_THAT(monitor->wait(seen, 1'000 * kMillisecond), SizeIs(1));
  EXPECT_THAT(monitor->wait(seen, 0), IsEmpty());
}

TEST(QosMonitor, CountsHoldUnderManyThreads) {
  Constraints constraints;
  constraints.latency_p99_ns = 8 * kMillisecond;
  const auto monitor = monitor_of(constraints);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) run(*monitor, i % 2 == 0 ? kMillisecond : 20 * kMillisecond);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(monitor->snapshot().violated());
  for (int i = 0; i < 1000; ++i) run(*monitor, kMillisecond);
  EXPECT_FALSE(monitor->snapshot().violated());  // the ring took back exactly what it had counted
  EXPECT_EQ(monitor->snapshot().runs, 21'000u);
}

}  // namespace
}  // namespace axle
