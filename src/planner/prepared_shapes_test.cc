#include "planner/prepared_shapes.h"

#include <gmock/gmock.h>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

PlannerInput input_of(std::map<std::string, std::vector<int64_t>> shapes, bool fixed = false) {
  PlannerInput input;
  input.model.format = "onnx";
  input.model.dynamic_axes = {"batch", "seq"};
  input.policy.shapes = std::move(shapes);
  input.policy.execution.static_shape = fixed;
  return input;
}

TEST(PreparedShapes, NothingIsFixedWithoutTheWord) {
  EXPECT_THAT(check_shapes(input_of({})), IsOk());
  EXPECT_THAT(prepared_shapes(input_of({})), ElementsAre(AxisSizes()));
  EXPECT_EQ(prepared_note(input_of({})), "");
}

TEST(PreparedShapes, EveryCombinationAndOneForTheRest) {
  const PlannerInput input = input_of({{"batch", {1, 4}}, {"seq", {16, 64}}});
  EXPECT_THAT(check_shapes(input), IsOk());
  EXPECT_THAT(prepared_shapes(input),
              ElementsAre(AxisSizes{{"batch", 1}, {"seq", 16}}, AxisSizes{{"batch", 1}, {"seq", 64}},
                          AxisSizes{{"batch", 4}, {"seq", 16}}, AxisSizes{{"batch", 4}, {"seq", 64}}, AxisSizes()));
  EXPECT_FALSE(fixes_all_axes(input));
  EXPECT_THAT(prepared_note(input), HasSubstr("batch=4, seq=16; batch=4, seq=64; other shapes run on one with open axes"));
}

TEST(PreparedShapes, TheShapeOfTheSamplesComesFirst) {
  PlannerInput input = input_of({{"batch", {1, 4, 8}}});
  input.sample_axes = {{"batch", 4}, {"seq", 7}};
  EXPECT_THAT(prepared_shapes(input),
              ElementsAre(AxisSizes{{"batch", 4}}, AxisSizes{{"batch", 1}}, AxisSizes{{"batch", 8}}, AxisSizes()));
  input.sample_axes = {{"batch", 3}};  // not prepared: judged on what runs it
  EXPECT_THAT(prepared_shapes(input),
              ElementsAre(AxisSizes(), AxisSizes{{"batch", 1}}, AxisSizes{{"batch", 4}}, AxisSizes{{"batch", 8}}));
}

TEST(PreparedShapes, StaticShapesComeFromThePolicyOrTheSamples) {
  PlannerInput input = input_of({{"batch", {1, 4}}}, true);
  EXPECT_THAT(check_static_shape(input), StatusIs(StatusCode::kFailedPrecondition, "leaves axis seq open"));
  EXPECT_FALSE(fixes_all_axes(input));
  input.sample_axes = {{"batch", 4}, {"seq", 7}};
  EXPECT_THAT(check_static_shape(input), IsOk());
  EXPECT_TRUE(fixes_all_axes(input));
  EXPECT_THAT(prepared_shapes(input), ElementsAre(AxisSizes{{"batch", 4}, {"seq", 7}}, AxisSizes{{"batch", 1}, {"seq", 7}}));
  EXPECT_THAT(prepared_note(input), HasSubstr("other shapes are refused"));
  input.sample_axes["batch"] = 3;
  EXPECT_THAT(check_static_shape(input), StatusIs(StatusCode::kInvalidArgument, "samples have batch=3"));
}

TEST(PreparedShapes, EveryOpenAxisIsNamedWithTheLineToWrite) {
  PlannerInput input = input_of({}, true);
  EXPECT_THAT(check_static_shape(input), StatusIs(StatusCode::kFailedPrecondition, "leaves axes batch, seq open"));
  EXPECT_THAT(check_static_shape(input).hint(), HasSubstr("under [shapes] the lines batch = [1] and seq = [1]"));
  input.model.dynamic_axes = {"x[0]"};
  EXPECT_THAT(check_static_shape(input).hint(), HasSubstr("[shapes] \"x[0]\" = [1], or give samples"));
}

TEST(PreparedShapes, WhatCannotBePreparedIsRefusedByName) {
  EXPECT_THAT(check_shapes(input_of({{"bacth", {1}}})), StatusIs(StatusCode::kInvalidArgument, "shapes.bacth"));
  EXPECT_THAT(check_shapes(input_of({{"bacth", {1}}})).hint(), HasSubstr("\"batch\""));
  std::vector<int64_t> many;
  for (int64_t size = 1; size <= 9; ++size) many.push_back(size);
  EXPECT_THAT(check_shapes(input_of({{"batch", many}, {"seq", many}})),
              StatusIs(StatusCode::kInvalidArgument, "64 combinations"));
  PlannerInput input = input_of({{"batch", {1}}});
  input.policy.schedule.kind = ScheduleKind::kPipeline;
  EXPECT_THAT(check_shapes(input), IsOk());
  input.model.format = "tflite";
  EXPECT_THAT(check_shapes(input), StatusIs(StatusCode::kUnimplemented, "tflite"));
}

}  // namespace
}  // namespace axle
