#include "planner/cut_units.h"

#include <gmock/gmock.h>

#include "base/testing/status_matchers.h"
#include "planner/pins.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::StatusIs;

// Nodes n0, n1, ... of the given operators; edges as (tensor, producer, consumers).
ModelFacts model_of(const std::vector<std::string>& ops, std::vector<TensorFacts> tensors) {
  ModelFacts model;
  model.format = "onnx";
  for (const std::string& op : ops) model.nodes.push_back({"n" + std::to_string(model.nodes.size()), op, "", 1, 0, 0});
  model.inputs = {{"x", DataType::kFloat32, {}, true, false}};
  model.outputs = {{"y", DataType::kFloat32, {}, true, false}};
  model.tensors = std::move(tensors);
  return model;
}

TensorFacts edge(const std::string& name, int32_t from, std::vector<int32_t> to, const std::string& type = "f32[4]") {
  return {name, type, 16, from, std::move(to)};
}

ModelFacts chain(const std::vector<std::string>& ops) {
  std::vector<TensorFacts> tensors = {edge("x", -1, {0})};
  const auto last = static_cast<int32_t>(ops.size()) - 1;
  for (int32_t n = 0; n < last; ++n) tensors.push_back(edge("t" + std::to_string(n), n, {n + 1}));
  tensors.push_back(edge("y", last, {}));
  return model_of(ops, std::move(tensors));
}

TEST(CutUnits, AreSingleNodesWhereNothingBindsThem) {
  const CutUnits units = make_cut_units(chain({"Relu", "Relu", "Relu"}));
  EXPECT_THAT(units.unit_of, ElementsAre(0, 1, 2));
  ASSERT_EQ(units.tensors.size(), 4u);
  EXPECT_TRUE(units.tensors.back().is_output);
}

TEST(CutUnits, KeepWhatIsNoTensorInside) {
  ModelFacts model = chain({"Relu", "SplitToSequence", "SequenceAt", "Relu"});
  model.tensors[2].type = "";
  const CutUnits units = make_cut_units(model);
  EXPECT_THAT(units.unit_of, ElementsAre(0, 1, 1, 2));
  EXPECT_THAT(units.nodes[1], ElementsAre(1, 2));
}

TEST(CutUnits, KeepRandomDrawsTogetherWithWhatLiesBetween) {
  EXPECT_THAT(make_cut_units(chain({"RandomNormalLike", "Relu", "Bernoulli", "Relu"})).unit_of, ElementsAre(0, 0, 0, 1));
}

TEST(CutUnits, KeepQuantisedOperatorsWhole) {
  const CutUnits units =
      make_cut_units(chain({"QuantizeLinear", "DequantizeLinear", "Conv", "QuantizeLinear", "DequantizeLinear"}));
  EXPECT_THAT(units.unit_of, ElementsAre(0, 1, 1, 1, 2));
}

TEST(CutUnits, CloseGroupsOverWaysBetweenTheirMembers) {
  // A diamond: 0 -> 1, 2 -> 3. A group of 0 and 3 holds both branches.
  const ModelFacts diamond = model_of(
      {"A", "B", "C", "D"}, {edge("x", -1, {0}), edge("a", 0, {1, 2}), edge("b", 1, {3}), edge("c", 2, {3}), edge("y", 3, {})});
  EXPECT_THAT(make_cut_units(diamond, {{0, 3}}).unit_of, ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(make_cut_units(diamond, {{1, 2}}).unit_of, ElementsAre(0, 1, 1, 2));
  // Two groups across each other become one: neither could come first.
  const ModelFacts crossed = model_of({"A", "B", "C", "D"}, {edge("a", 0, {1}), edge("b", 2, {3}), edge("y", 3, {})});
  EXPECT_THAT(make_cut_units(crossed, {{0, 3}, {1, 2}}).unit_of, ElementsAre(0, 0, 0, 0));
}

TEST(CutUnits, SurviveDeepGraphs) {
  const CutUnits units = make_cut_units(chain(std::vector<std::string>(200'000, "Relu")));
  EXPECT_EQ(units.nodes.size(), 200'000u);
}

// ---- pins

Result<std::vector<SelectedPin>> select(const ModelFacts& model, const std::string& toml) {
  return select_pins(model, parse_policy(toml).value().pins);
}

std::vector<int32_t> selected(const ModelFacts& model, const std::string& pin) {
  const auto pins = select(model, "[[pin]]\n" + pin + "\nrequire = { engine = \"e\" }");
  return pins.has_value() ? pins->front().nodes : std::vector<int32_t>{-1};
}

TEST(Pins, SelectByGlobOperatorAndWay) {
  const ModelFacts model = chain({"Conv", "Relu", "Conv", "Relu", "Gemm"});
  EXPECT_THAT(selected(model, "nodes = [\"n0\", \"n4\"]"), ElementsAre(0, 4));
  EXPECT_THAT(selected(model, "nodes = \"n?\""), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(selected(model, "op_types = \"Conv\""), ElementsAre(0, 2));
  EXPECT_THAT(selected(model, "between = [\"t0\", \"t2\"]"), ElementsAre(1, 2));
  EXPECT_THAT(selected(model, "between = [\"x\", \"y\"]"), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(selected(model, "op_types = \"Relu\"\nbetween = [\"t0\", \"t2\"]"), ElementsAre(1));
  EXPECT_THAT(selected(model, "op_types = \"Softmax\""), IsEmpty());
}

TEST(Pins, ThatForceNothingAreErrors) {
  const ModelFacts model = chain({"Conv", "Relu", "Gemm"});
  const std::string force = "\nrequire = { engine = \"e\" }";
  EXPECT_THAT(select(model, "[[pin]]\nnodes = \"n9\"" + force),
              StatusIs(StatusCode::kInvalidArgument, "pin 1 selects no node"));
  EXPECT_THAT(select(model, "[[pin]]\nbetween = [\"t1\", \"t0\"]" + force), StatusIs(StatusCode::kInvalidArgument, "no node"));
  EXPECT_THAT(select(model, "[[pin]]\nbetween = [\"t1\", \"u0\"]" + force),
              StatusIs(StatusCode::kInvalidArgument, "no tensor \"u0\"; did you mean"));
  EXPECT_EQ(select(model, "[[pin]]\nnodes = \"n9\"\nprefer = { engine = \"e\" }").value().size(), 1u);
  ModelFacts opaque;
  opaque.format = "openvino-ir";
  EXPECT_THAT(select(opaque, "[[pin]]\nnodes = \"a\"" + force), StatusIs(StatusCode::kInvalidArgument, "handed whole"));
  EXPECT_TRUE(select(opaque, "[[pin]]\nnodes = \"*\"" + force).value().front().whole);
}

TEST(Pins, GlobsMatchAsTheySay) {
  EXPECT_TRUE(glob_matches("*", ""));
  EXPECT_TRUE(glob_matches("encoder/*/Mat?ul", "encoder/layer.0/attention/MatMul"));
  EXPECT_TRUE(glob_matches("**a", "bca"));
  EXPECT_TRUE(glob_matches("*ab*ab", "abcabab"));
  EXPECT_FALSE(glob_matches("encoder/*", "decoder/x"));
  EXPECT_FALSE(glob_matches("?", ""));
  EXPECT_FALSE(glob_matches("a", "ab"));
}

}  // namespace
}  // namespace axle
