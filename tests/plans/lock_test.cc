// Locks of every golden plan: written, read, refused when edited, planned again to the same bytes.
#include "axle/lock.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "plan_case.h"
#include "spec/planner_input_json.h"

namespace axle::testing {
namespace {

PlannerInput input_of(const std::string& name) {
  const std::string text = read_file(std::string(AXLE_SOURCE_DIR) + "/tests/plans/" + name + ".plan", 1u << 20).value();
  return parse_plan_case(text).value().input;
}

Lock lock_of(const std::string& name) {
  const PlannerInput input = input_of(name);
  return make_lock(make_plan(input).value().plan, planner_input_to_json(input).value()).value();
}

class LockOf : public ::testing::TestWithParam<const char*> {};

TEST_P(LockOf, ReadsBackAndPlansToTheSameBytes) {
  const Lock lock = lock_of(GetParam());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, lock_to_json(lock));
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock again, parse_lock(text));
  EXPECT_EQ(again, lock);
  EXPECT_EQ(lock_to_json(again).value(), text);
  EXPECT_THAT(check_replans(again), IsOk());
}

INSTANTIATE_TEST_SUITE_P(Plans, LockOf,
                         ::testing::Values("evidence_decides", "missing_npu_fallback", "stale_evidence", "presets_and_options",
                                           "h100_eight", "simulated_named", "core_sets", "quantised"));

TEST(Lock, IsRefusedAfterAnyEdit) {
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, lock_to_json(lock_of("evidence_decides")));
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{{"\"threads\":2", "\"threads\":1"},
                                                                                 {"\"p50_ns\":4000000", "\"p50_ns\":1000000"},
                                                                                 {"\"spin\":true", "\"spin\":false"},
                                                                                 {"\"avx2\"", "\"avx3\""}}) {
    std::string edited = text;
    const size_t at = edited.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    edited.replace(at, from.size(), to);
    EXPECT_THAT(parse_lock(edited), StatusIs(StatusCode::kInvalidArgument, "changed after it was written")) << from;
  }
}

TEST(Lock, IsRefusedWhenTruncatedOrForeign) {
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, lock_to_json(lock_of("evidence_decides")));
  for (const size_t length : {size_t{0}, size_t{1}, text.size() / 2, text.size() - 1}) {
    EXPECT_THAT(parse_lock(text.substr(0, length)), StatusIs(StatusCode::kInvalidArgument)) << length;
  }
  EXPECT_THAT(parse_lock("{}"), StatusIs(StatusCode::kInvalidArgument, "lock lacks the key \"format\""));
  std::string later = text;
  later.replace(later.rfind("\"version\":1"), 11, "\"version\":2");
  EXPECT_THAT(parse_lock(later), StatusIs(StatusCode::kInvalidArgument, "this build reads version 1"));
}

TEST(Lock, DigestDoesNotDependOnTheClock) {
  PlannerInput input = input_of("missing_npu_fallback");
  const Lock before = make_lock(make_plan(input).value().plan, planner_input_to_json(input).value()).value();
  input.as_of_unix_s += 3600;
  const Lock after = make_lock(make_plan(input).value().plan, planner_input_to_json(input).value()).value();
  EXPECT_EQ(after.digest(), before.digest());
  EXPECT_NE(after, before);
}

TEST(Lock, NeedsTheInputItsPlanWasMadeFrom) {
  const Plan other = make_plan(input_of("unsupported_by_one")).value().plan;
  const std::string input = planner_input_to_json(input_of("evidence_decides")).value();
  EXPECT_THAT(make_lock(other, input), StatusIs(StatusCode::kInvalidArgument, "leads to another plan"));
}

TEST(Lock, SavesAndLoads) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  const Lock lock = lock_of("evidence_decides");
  ASSERT_THAT(save_lock(folder.file("axle.lock"), lock), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock again, load_lock(folder.file("axle.lock")));
  EXPECT_EQ(again, lock);
  EXPECT_THAT(load_lock(folder.file("none.lock")), StatusIs(StatusCode::kNotFound));
  AXLE_ASSERT_OK_AND_ASSIGN(const Policy policy, locked_policy(again));
  EXPECT_EQ(policy, Policy());
}

}  // namespace
}  // namespace axle::testing
