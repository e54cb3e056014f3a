// Runs every *.plan file in this folder. `--update` writes what was planned into the files.
#include <gtest/gtest.h>

#include <cstring>

#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "plan_case.h"
#include "spec/planner_input_json.h"

namespace axle::testing {
namespace {

bool update_files = false;

std::string folder() { return std::string(AXLE_SOURCE_DIR) + "/tests/plans"; }

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  const auto entries = list_dir(folder());
  if (!entries.has_value()) return names;
  for (const DirEntry& entry : *entries) {
    if (entry.is_file && entry.name.ends_with(".plan")) names.push_back(entry.name.substr(0, entry.name.size() - 5));
  }
  return names;
}

class GoldenPlan : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenPlan, IsAsWritten) {
  const std::string path = folder() + "/" + GetParam() + ".plan";
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, read_file(path, 1u << 20));
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanCase plan_case, parse_plan_case(text));
  const std::string planned = plan_text(make_plan(plan_case.input));
  if (update_files) {
    ASSERT_THAT(write_file_atomic(path, plan_case.given + std::string(kExpectLine) + planned), IsOk());
    return;
  }
  EXPECT_EQ(planned, plan_case.expected) << "axle_plans_test --update writes the new text into " << path;
}

TEST_P(GoldenPlan, IsTheSameAfterItsInputWasWrittenAndRead) {
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, read_file(folder() + "/" + GetParam() + ".plan", 1u << 20));
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanCase plan_case, parse_plan_case(text));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string json, planner_input_to_json(plan_case.input));
  AXLE_ASSERT_OK_AND_ASSIGN(const PlannerInput again, parse_planner_input(json));
  EXPECT_EQ(plan_text(make_plan(again)), plan_text(make_plan(plan_case.input)));
}

INSTANTIATE_TEST_SUITE_P(Plans, GoldenPlan, ::testing::ValuesIn(case_names()), [](const auto& test) { return test.param; });

TEST(GoldenPlans, AreThere) { EXPECT_GE(case_names().size(), 25u); }

}  // namespace
}  // namespace axle::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) axle::testing::update_files |= std::strcmp(argv[i], "--update") == 0;
  return RUN_ALL_TESTS();
}
