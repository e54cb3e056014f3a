#include "probe/machine_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probe/testing/fixture_tree.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::FixtureTree;
using ::testing::IsEmpty;

TEST(MachineState, StealBetweenTwoReadings) {
  EXPECT_DOUBLE_EQ(steal_percent({1000, 10}, {1200, 30}), 10);
  EXPECT_DOUBLE_EQ(steal_percent({1000, 10}, {1000, 10}), -1);
  EXPECT_DOUBLE_EQ(steal_percent({1000, 10}, {900, 5}), -1);  // counters went backwards
}

TEST(MachineState, CountsStealFromTheGivenReading) {
  FixtureTree tree;
  tree.file("/proc/stat", "cpu 100 0 0 700 0 0 0 200 50 0\n");
  ASSERT_TRUE(read_cpu_times(tree.files()));
  EXPECT_EQ(read_cpu_times(tree.files())->total, 1000u);  // guest time is not counted twice
  EXPECT_DOUBLE_EQ(read_machine_state(tree.files(), {0}).steal_percent, 20);
  EXPECT_DOUBLE_EQ(read_machine_state(tree.files(), {0}, CpuTimes{900, 150}).steal_percent, 50);
}

TEST(MachineState, BusyIsNeitherIdleNorStolen) {
  FixtureTree tree;
  tree.file("/proc/stat", "cpu 100 10 20 700 5 1 2 200 50 0\n");
  ASSERT_TRUE(read_cpu_times(tree.files()));
  EXPECT_EQ(read_cpu_times(tree.files())->busy, 133u);
}

TEST(MachineState, WaitingIsTheSumOverThreads) {
  FixtureTree tree;
  EXPECT_FALSE(read_waiting_ns(tree.files()));
  tree.file("/proc/self/task/10/schedstat", "900 40 3\n");
  tree.file("/proc/self/task/11/schedstat", "100 2 1\n");
  tree.file("/proc/self/task/12/schedstat", "nonsense\n");
  EXPECT_EQ(read_waiting_ns(tree.files()), 42);
}

TEST(MachineState, UnreadableIsMinusOneOrEmpty) {
  const FixtureTree tree;
  const MachineState state = read_machine_state(tree.files(), {0, 1});
  EXPECT_EQ(state.cpu_pressure_some_10s, -1);
  EXPECT_EQ(state.steal_percent, -1);
  EXPECT_THAT(state.cpu_khz, IsEmpty());
  EXPECT_EQ(state.governor, "");
  EXPECT_EQ(state.load_1min, 0);
}

TEST(MachineState, FrequenciesAreAllOrNothing) {
  FixtureTree tree;
  tree.file("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1800000\n");
  EXPECT_THAT(read_machine_state(tree.files(), {0, 1}).cpu_khz, IsEmpty());
  tree.file("/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "2400000\n");
  EXPECT_THAT(read_machine_state(tree.files(), {0, 1}).cpu_khz, ElementsAre(1800000, 2400000));
}

TEST(MachineState, PressureIsTheFirstLine) {
  FixtureTree tree;
  tree.file("/proc/pressure/cpu",
            "some avg10=12.50 avg60=1.00 avg300=0.10 total=5\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
  EXPECT_DOUBLE_EQ(cpu_pressure_some_10s(tree.files()), 12.5);
  tree.file("/proc/pressure/cpu", "some avg10=nan avg60=1\n");
  EXPECT_EQ(cpu_pressure_some_10s(tree.files()), -1);
}

}  // namespace
}  // namespace axle
