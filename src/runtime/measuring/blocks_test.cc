#include "runtime/measuring/blocks.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/testing/status_matchers.h"
#include "probe/testing/fixture_tree.h"
#include "runtime/measuring/core_speed.h"

namespace axle {
namespace {

using testing::StatusIs;

TEST(RunBlock, MeetsBothLimits) {
  int calls = 0;
  const auto call = [&] {
    ++calls;
    return ok_status();
  };
  AXLE_ASSERT_OK_AND_ASSIGN(const Block few, run_block(call, {.min_ns = 0, .min_calls = 7}));
  EXPECT_EQ(few.call_ns.size(), 7u);
  AXLE_ASSERT_OK_AND_ASSIGN(const Block lasting, run_block(call, {.min_ns = 2'000'000, .min_calls = 1}));
  EXPECT_GT(lasting.call_ns.size(), 1u);
  EXPECT_EQ(lasting.calls, static_cast<int64_t>(lasting.call_ns.size()) + 2);
  EXPECT_EQ(calls, 7 + lasting.calls);
}

// Guards: calls that wake an engine's threads were among those that make the upper percentiles.
TEST(RunBlock, TheFirstTwoCallsWakeAndDoNotCount) {
  int calls = 0;
  const auto slow_at_first = [&] {
    if (++calls <= 2) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return ok_status();
  };
  AXLE_ASSERT_OK_AND_ASSIGN(const Block block, run_block(slow_at_first, {.min_ns = 300'000'000, .min_calls = 1}));
  EXPECT_EQ(block.calls, calls);
  EXPECT_EQ(static_cast<int>(block.call_ns.size()), calls - 2);
}

TEST(RunBlock, LongCallsCountFromTheFirst) {
  const auto call = [] {
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    return ok_status();
  };
  AXLE_ASSERT_OK_AND_ASSIGN(const Block block, run_block(call, {.min_ns = 10'000'000, .min_calls = 3}));
  EXPECT_EQ(block.calls, static_cast<int64_t>(block.call_ns.size()));
}

TEST(RunBlock, EndsWithTheFailureOfACall) {
  int calls = 0;
  const auto call = [&] { return ++calls < 3 ? ok_status() : internal_error("boom"); };
  EXPECT_THAT(run_block(call, {.min_ns = 0, .min_calls = 10}), StatusIs(StatusCode::kInternal, "boom"));
  EXPECT_EQ(calls, 3);
}

// Guards: a block of one engine was timed while the threads of another still spun. The clock is made up: on a machine that others
// keep busy, a thread that spins may get no CPU and looks quiet.
TEST(WaitUntilQuiet, OutlastsAThreadThatSpins) {
  int readings = 0;
  int64_t used_ns = 0;
  const auto spins_for_ten_looks = [&] {
    if (++readings <= 20) used_ns += 1'000'000;
    return used_ns;
  };
  wait_until_quiet(spins_for_ten_looks);
  EXPECT_EQ(readings, 22);
}

TEST(WaitUntilQuiet, GivesUpOnAProgramThatIsNeverQuiet) {
  int64_t used_ns = 0;
  const int64_t started = steady_ns();
  wait_until_quiet([&] { return used_ns += 3'000'000; });
  EXPECT_GE(steady_ns() - started, 300'000'000);
}

TEST(UsableCpus, AreSpreadOverAllWhenThereAreTooMany) {
  const std::vector<int32_t> all = usable_cpus(100'000);
  ASSERT_FALSE(all.empty());
  const std::vector<int32_t> one = usable_cpus(1);
  ASSERT_EQ(one.size(), 1u);
  EXPECT_EQ(one[0], all[0]);
}

// A machine whose clocks and counters a test sets: two cores of 100 ns each, 100 ticks of 10 ms per second of each.
struct MadeUpMachine {
  testing::FixtureTree tree;
  std::vector<int64_t> core_ns = {100, 100};
  int64_t now_ns = 0, own_cpu_ns = 0, waiting_ns = 0;
  int64_t idle_ticks = 0, busy_ticks = 0, stolen_ticks = 0;

  MadeUpMachine() { show(); }
  void show() {
    tree.file("/proc/stat", "cpu " + std::to_string(busy_ticks) + " 0 0 " + std::to_string(idle_ticks) + " 0 0 0 " +
                                std::to_string(stolen_ticks) + " 0 0\n");
    tree.file("/proc/self/task/1/schedstat", "0 " + std::to_string(waiting_ns) + " 1\n");
  }
  // A second of a block that keeps one of the two cores busy; the rest is idle but for what others and the hypervisor take.
  void pass_a_second(int64_t others_ticks = 0, int64_t stolen = 0, int64_t waited_ns = 0) {
    now_ns += 1'000'000'000;
    own_cpu_ns += 1'000'000'000;
    busy_ticks += 100 + others_ticks;
    stolen_ticks += stolen;
    idle_ticks += 100 - others_ticks - stolen;
    waiting_ns += waited_ns;
    show();
  }
  Sentinel sentinel(CoreSpeeds known = {}) {
    return Sentinel(std::move(known), {tree.files(),
                                       {0, 1},
                                       [this](std::span<const int32_t>) { return core_ns; },
                                       [this] { return own_cpu_ns; },
                                       [this] { return now_ns; }});
  }
};

TEST(Sentinel, AQuietMachineIsNotDisturbed) {
  MadeUpMachine machine;
  Sentinel sentinel = machine.sentinel();
  for (int i = 0; i < 3; ++i) {
    sentinel.start();
    machine.pass_a_second();
    EXPECT_FALSE(sentinel.disturbed());
  }
  EXPECT_EQ(sentinel.speeds().text(), "0 100\n1 100\n");
}

TEST(Sentinel, ASlowCoreBeforeOrAfterTheBlockDisturbsIt) {
  MadeUpMachine machine;
  Sentinel sentinel = machine.sentinel();
  machine.core_ns = {100, 126};
  sentinel.start();
  machine.core_ns = {100, 100};
  EXPECT_TRUE(sentinel.disturbed());
  sentinel.start();
  machine.core_ns = {126, 100};
  EXPECT_TRUE(sentinel.disturbed());
  machine.core_ns = {125, 125};
  sentinel.start();
  EXPECT_FALSE(sentinel.disturbed());
}

TEST(Sentinel, WhatIsKnownOfTheCoresTellsAMachineThatIsSharedFromTheStart) {
  MadeUpMachine machine;
  Sentinel sentinel = machine.sentinel(CoreSpeeds::parse("1 60\n"));
  sentinel.start();
  machine.pass_a_second();
  EXPECT_TRUE(sentinel.disturbed());
  EXPECT_EQ(sentinel.speeds().text(), "0 100\n1 60\n");
}

TEST(Sentinel, StolenTimeDisturbsABlockFromThreePercentOn) {
  MadeUpMachine machine;
  Sentinel sentinel = machine.sentinel();
  sentinel.start();
  machine.pass_a_second(0, 6);  // of 200 ticks
  EXPECT_FALSE(sentinel.disturbed());
  sentinel.start();
  machine.pass_a_second(0, 7);
  EXPECT_TRUE(sentinel.disturbed());
  // What was stolen before the block is no matter.
  sentinel.start();
  machine.pass_a_second();
  EXPECT_FALSE(sentinel.disturbed());
}

TEST(Sentinel, OtherProcessesDisturbABlockOnlyWhereItsThreadsWaitedForThem) {
  MadeUpMachine machine;
  Sentinel sentinel = machine.sentinel();
  sentinel.start();
  machine.pass_a_second(50, 0, 31'000'000);
  EXPECT_TRUE(sentinel.disturbed());
  // On the core that we left free.
  sentinel.start();
  machine.pass_a_second(50, 0, 0);
  EXPECT_FALSE(sentinel.disturbed());
  // Our threads for each other.
  sentinel.start();
  machine.pass_a_second(0, 0, 500'000'000);
  EXPECT_FALSE(sentinel.disturbed());
  // Up to 3 % of the time, and one tick of the counters.
  sentinel.start();
  machine.pass_a_second(50, 0, 30'000'000);
  EXPECT_FALSE(sentinel.disturbed());
  sentinel.start();
  machine.pass_a_second(4, 0, 500'000'000);
  EXPECT_FALSE(sentinel.disturbed());
  sentinel.start();
  machine.pass_a_second(5, 0, 500'000'000);
  EXPECT_TRUE(sentinel.disturbed());
}

TEST(Sentinel, WithoutCountersTheCoresAloneSpeak) {
  MadeUpMachine machine;
  Sentinel sentinel = machine.sentinel();
  machine.tree.remove("/proc");
  sentinel.start();
  EXPECT_FALSE(sentinel.disturbed());
  sentinel.start();
  machine.core_ns = {200, 100};
  EXPECT_TRUE(sentinel.disturbed());
}

TEST(CoreSpeeds, TheLeastOfEachCoreIsNormal) {
  CoreSpeeds speeds;
  const std::vector<int32_t> cpus = {0, 2, 7};
  const auto slow = [&](std::vector<int64_t> times_ns) { return speeds.slow(cpus, times_ns, 1.25); };
  EXPECT_FALSE(slow({100, 200, 0}));
  EXPECT_FALSE(slow({125, 200, 0}));
  EXPECT_TRUE(slow({100, 251, 0}));
  EXPECT_FALSE(slow({50, 200, 0}));
  EXPECT_TRUE(slow({100, 200, 0}));  // was normal before the core was seen at its best
  EXPECT_EQ(speeds.text(), "0 50\n2 200\n");
}

TEST(CoreSpeeds, WhatIsKnownOutlastsAProgram) {
  CoreSpeeds speeds = CoreSpeeds::parse("0 50\n2 200\n");
  EXPECT_TRUE(speeds.slow(std::vector<int32_t>{0}, std::vector<int64_t>{80}, 1.25));
  EXPECT_EQ(CoreSpeeds::parse(speeds.text()).text(), "0 50\n2 200\n");
  EXPECT_EQ(CoreSpeeds::parse("").text(), "");
  EXPECT_EQ(CoreSpeeds::parse("-1 50\n3 0\n4 9\nfast").text(), "4 9\n");
}

TEST(TimeCores, GivesATimeForEachCpuAndNothingForOneThatIsNotThere) {
  std::vector<int32_t> cpus = usable_cpus(2);
  cpus.push_back(CPU_SETSIZE - 1);
  const std::vector<int64_t> times = time_cores(cpus);
  ASSERT_EQ(times.size(), cpus.size());
  for (size_t i = 0; i + 1 < times.size(); ++i) EXPECT_GT(times[i], 1'000);
  EXPECT_EQ(times.back(), 0);
}

}  // namespace
}  // namespace axle
