#include "spec/planner_input.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "spec/planner_input_json.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

PlannerInput example_input() {
  PlannerInput input;
  input.model.digest = "sha256:aa";
  input.model.format = "onnx";
  input.model.opsets = {{"", 17}};
  IoSpec spec{"x", DataType::kFloat32, {{-1, "batch"}, {3, ""}, {-1, ""}}, true, false};
  IoSpec any{"y", DataType::kInt64, {}, false, true};
  input.model.inputs = {spec, any};
  input.model.nodes = {{"conv", "Conv", "", 10, 20, 30}};
  input.model.tensors = {{"x", "f32[batch,3,?]", 12, -1, {0}}, {"h", "", 0, 0, {}}};
  input.model.shared_weights = {{100, {0}}};
  EngineFacts engine;
  engine.info.name = "onnxruntime";
  engine.info.abi_version = 1;
  engine.present = true;
  CapabilityFacts facts;
  facts.resource = facts.engine_id = "cpu:0";
  facts.capability.formats = {"onnx"};
  facts.capability.precisions = {{"f32", "f32", true}};
  facts.capability.presets = {{"default", {}, ""}};
  engine.capabilities = {facts};
  input.engines = {engine};
  VerdictRow row{"onnxruntime", "cpu:0", "f32", {}};
  row.verdict.graph.kind = row.verdict.otherwise.kind = VerdictKind::kYes;
  input.verdicts = {row};
  input.shapes = shapes_text(input.model.inputs);
  return input;
}

TEST(ShapesText, WritesDeclaredAndGivenShapes) {
  const PlannerInput input = example_input();
  EXPECT_EQ(shapes_text(input.model.inputs), "x:f32[batch,3,?];y:i64[...]");
  EXPECT_EQ(shapes_text(input.model.inputs, {{"x", {2, 3, 4}}, {"y", {}}}), "x:f32[2,3,4];y:i64[]");
  EXPECT_EQ(shapes_text({}), "");
}

TEST(PlannerInputJson, ReadsBackEqual) {
  PlannerInput input = example_input();
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, planner_input_to_json(input));
  const auto same = parse_planner_input(text);
  ASSERT_THAT(same, IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string again, planner_input_to_json(*same));
  EXPECT_EQ(again, text);
  EXPECT_EQ(same->model, input.model);
  EXPECT_EQ(same->verdicts, input.verdicts);
}

TEST(PlannerInputJson, RefusesVerdictsOfNodesThatDoNotExist) {
  PlannerInput input = example_input();
  input.verdicts[0].verdict.nodes = {{5, {VerdictKind::kNo, "UNSUPPORTED_OP", "no", -1}}};
  EXPECT_THAT(read_planner_input_json(planner_input_to_json_value(input), "input"), StatusIs(StatusCode::kInvalidArgument));
}

TEST(PlannerInputJson, RefusesTensorsThatDoNotFitTheNodes) {
  const auto refused = [](TensorFacts tensor) {
    PlannerInput input = example_input();
    input.model.nodes.push_back({"relu", "Relu", "", 1, 2, 3});
    input.model.tensors = {std::move(tensor)};
    return !read_planner_input_json(planner_input_to_json_value(input), "input").has_value();
  };
  EXPECT_FALSE(refused({"t", "f32[n]", 4, 0, {1}}));
  EXPECT_FALSE(refused({"t", "", 0, -1, {0, 1}}));
  EXPECT_TRUE(refused({"t", "f32[n]", 4, 2, {}}));
  EXPECT_TRUE(refused({"t", "f32[n]", 4, 1, {0}}));
  EXPECT_TRUE(refused({"t", "f32[n]", 4, 0, {1, 1}}));
  EXPECT_TRUE(refused({"t", "f32[n]", 4, 0, {2}}));
  EXPECT_TRUE(refused({"t", "f32[n]", 4, -2, {}}));
}

TEST(PlannerInputJson, RefusesTwoEnginesOfOneName) {
  PlannerInput input = example_input();
  input.engines.push_back(input.engines[0]);
  EXPECT_THAT(read_planner_input_json(planner_input_to_json_value(input), "input"),
              StatusIs(StatusCode::kInvalidArgument, "twice"));
}

TEST(PlannerInputJson, RefusesUnknownKeys) {
  Json json = planner_input_to_json_value(example_input());
  json["model"]["flop"] = 1;
  EXPECT_THAT(read_planner_input_json(json, "input"), StatusIs(StatusCode::kInvalidArgument, "did you mean \"flops\""));
}

}  // namespace
}  // namespace axle
