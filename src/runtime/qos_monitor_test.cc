#include "runtime/qos_monitor.h"

#include <gmock/gmock.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
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

// ---- gauges

QosGauge gauge_of(std::string constraint, double limit, std::function<std::optional<double>()> read) {
  return {std::move(constraint), limit, std::move(read), ""};
}

TEST(QosMonitor, AGaugeOverItsLimitIsReportedWithoutARun) {
  std::atomic<double> held{80e6};
  std::mutex mutex;
  std::vector<std::string> texts;
  const auto monitor = QosMonitor::create({},
                                          [&](const QosViolation& violation) {
                                            const std::lock_guard lock(mutex);
                                            texts.push_back(violation.text);
                                          },
                                          {gauge_of("memory", 100 << 20, [&] { return std::optional(held.load()); })});
  ASSERT_NE(monitor, nullptr);
  EXPECT_FALSE(monitor->snapshot().violated());
  held = 120 << 20;
  const int64_t until = steady_ns() + 10'000 * kMillisecond;
  for (bool told = false; !told && steady_ns() < until; std::this_thread::sleep_for(std::chrono::milliseconds(5))) {
    const std::lock_guard lock(mutex);
    told = !texts.empty();
  }
  const std::lock_guard lock(mutex);
  ASSERT_THAT(texts, SizeIs(1));
  EXPECT_EQ(texts[0], "memory is 120.0 MiB, the policy allows 100.0 MiB");
  const QosReport now = monitor->snapshot();
  ASSERT_THAT(now.bounds, SizeIs(1));
  EXPECT_EQ(now.bounds[0].constraint, "memory");
  EXPECT_EQ(now.bounds[0].value, 120 << 20);
  EXPECT_TRUE(now.violated());
  EXPECT_EQ(now.bounds[0].violations, 1u);
  EXPECT_EQ(now.bounds[0].window_size, 0);
}

TEST(QosMonitor, PowerComesAndGoesAndIsCounted) {
  std::atomic<double> watts{10};
  Constraints constraints;
  constraints.latency_mean_ns = kMillisecond;
  const auto monitor =
      QosMonitor::create(constraints, {}, {gauge_of("power", 15, [&] { return std::optional(watts.load()); })});
  std::vector<uint64_t> seen;
  EXPECT_THAT(monitor->wait(seen, 0), IsEmpty());
  watts = 30;
  const auto first = monitor->wait(seen, 10'000 * kMillisecond);
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_EQ(first[0].text, "power is 30.0 W, the policy allows 15.0 W");
  EXPECT_EQ(first[0].number, 1u);
  watts = 10;
  EXPECT_FALSE(monitor->snapshot().violated());
  watts = 20;
  EXPECT_THAT(monitor->wait(seen, 10'000 * kMillisecond), SizeIs(1));
  EXPECT_EQ(monitor->snapshot().bounds[1].violations, 2u);
}

TEST(QosMonitor, WhatCannotBeReadIsSaidAndNeverViolated) {
  const auto monitor =
      QosMonitor::create({}, {}, {{"power", 15, {}, "no counter of what cpu:0 draws can be read by this process"}});
  ASSERT_NE(monitor, nullptr);
  const QosReport now = monitor->snapshot();
  ASSERT_THAT(now.bounds, SizeIs(1));
  EXPECT_FALSE(now.violated());
  EXPECT_THAT(now.bounds[0].not_measured, HasSubstr("no counter"));
}

TEST(QosGauges, MemoryIsWhatThisProcessGrewByAndWhatOthersHold) {
  const uint64_t before = resident_bytes();
  ASSERT_GT(before, 1u << 20);
  QosGauge here = memory_gauge(uint64_t{64} << 20, before, true, {});
  EXPECT_LT(here.read().value_or(1e18), 32 << 20);
  {
    const std::vector<char> held(size_t{48} << 20, 1);
    EXPECT_GT(here.read().value_or(0), 40 << 20) << held.size();
  }
  EXPECT_GT(here.read().value_or(0), 40 << 20) << "the most so far";

  QosGauge elsewhere = memory_gauge(1, 0, false, [] { return std::optional(uint64_t{7} << 20); });
  EXPECT_EQ(elsewhere.read().value_or(0), 7 << 20);
  EXPECT_FALSE(memory_gauge(1, 0, true, {}).not_measured.empty());
}

TEST(QosGauges, PowerWithoutACounterSaysSo) {
  Machine machine;
  machine.resources.push_back({.id = "cpu:0"});
  const QosGauge gauge = power_gauge(10, machine, {"cpu:0"});
  EXPECT_FALSE(gauge.read);
  EXPECT_THAT(gauge.not_measured, HasSubstr("cpu:0"));
}

}  // namespace
}  // namespace axle
