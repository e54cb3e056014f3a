#include "probe/cgroup.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "probe/testing/fixture_tree.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::FixtureTree;
using ::testing::IsEmpty;

constexpr const char* kV2Mount = "30 24 0:26 / /sys/fs/cgroup rw,relatime shared:4 - cgroup2 cgroup2 rw\n";

TEST(Cgroup, StrictestLimitOnTheWayUpWins) {
  FixtureTree tree;
  tree.file("/proc/self/cgroup", "0::/a/b/c\n").file("/proc/self/mountinfo", kV2Mount);
  tree.file("/sys/fs/cgroup/a/cpu.max", "150000 100000\n")
      .file("/sys/fs/cgroup/a/b/cpu.max", "400000 100000\n")
      .file("/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
  tree.file("/sys/fs/cgroup/a/memory.max", "2147483648\n").file("/sys/fs/cgroup/a/memory.current", "1024\n");
  tree.file("/sys/fs/cgroup/a/b/memory.max", "4294967296\n").file("/sys/fs/cgroup/a/b/c/memory.max", "max\n");
  tree.file("/sys/fs/cgroup/a/cpuset.cpus.effective", "0-7\n").file("/sys/fs/cgroup/a/b/c/cpuset.cpus.effective", "4-9\n");
  const CgroupLimits limits = read_cgroup_limits(tree.files());
  EXPECT_DOUBLE_EQ(limits.cpu_quota, 1.5);
  EXPECT_EQ(limits.memory_limit_bytes, 2147483648u);
  EXPECT_EQ(limits.memory_used_bytes, 1024u);
  EXPECT_THAT(limits.cpuset, ElementsAre(4, 5, 6, 7));
}

TEST(Cgroup, Version1WithItsOwnMounts) {
  FixtureTree tree;
  tree.file("/proc/self/cgroup", "4:memory:/docker/x\n3:cpuset:/docker/x\n2:cpu,cpuacct:/docker/x\n0::/\n");
  tree.file("/proc/self/mountinfo",
            "41 31 0:30 /docker/x /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n"
            "42 31 0:31 /docker/x /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
            "43 31 0:32 / /sys/fs/cgroup/cpuset ro - cgroup cgroup rw,cpuset\n");
  tree.file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "250000\n")
      .file("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  tree.file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n");
  tree.file("/sys/fs/cgroup/cpuset/docker/x/cpuset.effective_cpus", "1,3\n");
  const CgroupLimits limits = read_cgroup_limits(tree.files());
  EXPECT_DOUBLE_EQ(limits.cpu_quota, 2.5);
  EXPECT_EQ(limits.memory_limit_bytes, 1073741824u);
  EXPECT_THAT(limits.cpuset, ElementsAre(1, 3));
}

TEST(Cgroup, NoLimitIsZero) {
  FixtureTree tree;
  tree.file("/proc/self/cgroup", "4:memory:/\n2:cpu:/\n")
      .file("/proc/self/mountinfo",
            "41 31 0:30 / /c/cpu rw - cgroup cgroup rw,cpu\n42 31 0:31 / /c/memory rw - cgroup cgroup rw,memory\n");
  tree.file("/c/cpu/cpu.cfs_quota_us", "-1\n")
      .file("/c/cpu/cpu.cfs_period_us", "100000\n")
      .file("/c/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const CgroupLimits limits = read_cgroup_limits(tree.files());
  EXPECT_EQ(limits.cpu_quota, 0);
  EXPECT_EQ(limits.memory_limit_bytes, 0u);
  EXPECT_THAT(limits.cpuset, IsEmpty());
}

TEST(Cgroup, NeverLeavesTheMount) {
  FixtureTree tree;
  tree.file("/proc/self/cgroup", "0::/../../secret\n").file("/proc/self/mountinfo", kV2Mount);
  tree.file("/sys/secret/cpu.max", "1 100000\n").file("/sys/fs/cgroup/cpu.max", "200000 100000\n");
  EXPECT_DOUBLE_EQ(read_cgroup_limits(tree.files()).cpu_quota, 2);
}

TEST(Cgroup, GarbageIsNoLimit) {
  for (const char* max : {"", "max", "1", "0 0", "5 0", "-5 100000", "x y", "1 2 3"}) {
    FixtureTree tree;
    tree.file("/proc/self/cgroup", "0::/\nnonsense\n::\n")
        .file("/proc/self/mountinfo", std::string(kV2Mount) + "1 2 3\n- - - -\n");
    tree.file("/sys/fs/cgroup/cpu.max", max).file("/sys/fs/cgroup/memory.max", "-7\n");
    EXPECT_EQ(read_cgroup_limits(tree.files()).cpu_quota, 0) << max;
    EXPECT_EQ(read_cgroup_limits(tree.files()).memory_limit_bytes, 0u);
  }
}

}  // namespace
}  // namespace axle
