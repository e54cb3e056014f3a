// What differs is said however small it is beside what it is rounded to.
#include "planner/compare_machines.h"

#include <gmock/gmock.h>

namespace axle {
namespace {

std::vector<std::string> fields_of(const Machine& locked, const Machine& now) {
  Plan plan;
  Partition& part = plan.partitions.emplace_back();
  part.candidate.resource = "cpu:0";
  part.resource_kind = ResourceKind::kCpu;
  std::vector<Drift> drifts;
  std::vector<std::string> notes, fields;
  compare_machines(locked, now, plan, drifts, notes);
  for (const Drift& drift : drifts) {
    EXPECT_NE(drift.locked, drift.found) << drift.to_string();
    fields.push_back(drift.field + " " + drift.where);
  }
  return fields;
}

TEST(CompareMachines, ALimitThatMovedByAByteIsADriftBesideOthers) {
  Machine locked, now;
  locked.memory_limit_bytes = uint64_t{8} << 30;
  now.memory_limit_bytes = locked.memory_limit_bytes + 1;
  locked.cpu_quota = 1.5;
  now.cpu_quota = 1.5000001;
  locked.os = "linux 5";
  now.os = "linux 6";
  EXPECT_THAT(fields_of(locked, now), ::testing::UnorderedElementsAre("os ", "cgroup_limit memory", "cgroup_limit CPU time"));
  EXPECT_THAT(fields_of(locked, locked), ::testing::IsEmpty());
}

}  // namespace
}  // namespace axle
