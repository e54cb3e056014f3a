#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "axle/model.h"
#include "base/testing/status_matchers.h"
#include "model/model_graph.h"
#include "model/testing/model_builder.h"

namespace axle {
namespace {

using testing::as_bytes;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kF32;
using testing::ModelBuilder;
using testing::StatusIs;

Result<Model> read(const ModelBuilder& builder) {
  const std::string bytes = builder.serialise();
  return Model::from_bytes(as_bytes(bytes));
}

ModelBuilder relu_model() {
  ModelBuilder builder;
  builder.input("x", kF32, {-1, 4}, {"batch"}).output("y", kF32, {-1, 4}, {"batch"});
  builder.node("Relu", {"x"}, {"y"});
  return builder;
}

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.name);
  return names;
}

const Value& value_named(const Graph& graph, const std::string& name) {
  for (const Value& value : graph.values) {
    if (value.name == name) return value;
  }
  static const Value kNone;
  ADD_FAILURE() << "no value " << name;
  return kNone;
}

TEST(OnnxReader, ReadsInputsOutputsAndOpsets) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(relu_model()));
  EXPECT_EQ(model.format(), ModelFormat::kOnnx);
  EXPECT_EQ(model.format_name(), "onnx");
  EXPECT_EQ(model.producer(), "model_builder");
  ASSERT_EQ(model.inputs().size(), 1u);
  EXPECT_EQ(model.inputs()[0].name, "x");
  EXPECT_EQ(model.inputs()[0].dtype, DataType::kFloat32);
  EXPECT_EQ(format_shape(model.inputs()[0].shape), "[batch, 4]");
  EXPECT_EQ(model.opsets().at(""), 17);
  EXPECT_EQ(model.digest().substr(0, 7), "sha256:");
}

TEST(OnnxReader, InitialiserThatIsAlsoAnInputIsAWeight) {
  ModelBuilder builder;
  builder.input("x", kF32, {2}).input("w", kF32, {2}).output("y", kF32, {2});
  builder.weight("w", {2}, {1, 2});
  builder.node("Add", {"x", "w"}, {"y"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  ASSERT_EQ(model.inputs().size(), 1u);
  EXPECT_EQ(model.inputs()[0].name, "x");
}

TEST(OnnxReader, ConstantNodesAreWeightsAndCounted) {
  ModelBuilder builder;
  builder.input("x", kF32, {600}).output("y", kF32, {600});
  auto& constant = builder.node("Constant", {}, {"c"});
  auto& attribute = *constant.add_attribute();
  attribute.set_name("value");
  attribute.set_type(onnx::AttributeProto::TENSOR);
  ModelBuilder::fill_raw(*attribute.mutable_t(), "", {600}, std::vector<float>(600, 2.5f));  // large: stays in the bytes
  builder.node("Add", {"x", "c"}, {"y"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  ASSERT_EQ(graph->nodes.size(), 1u);
  ASSERT_EQ(graph->weights.size(), 1u);
  float last = 0;
  ASSERT_EQ(graph->weights[0]->bytes.size(), 2400u);
  std::memcpy(&last, graph->weights[0]->bytes.data() + 2396, 4);
  EXPECT_EQ(last, 2.5f);
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelSummary summary, model.summary());
  EXPECT_EQ(summary.parameter_count, 600u);
  EXPECT_EQ(summary.weight_bytes, 2400u);
}

TEST(OnnxReader, LargeTypedFloatsAreReadInPlace) {
  ModelBuilder builder;
  builder.input("x", kF32, {300}).output("y", kF32, {300});
  auto& tensor = *builder.graph().add_initializer();
  tensor.set_name("w");
  tensor.set_data_type(kF32);
  tensor.add_dims(300);
  for (int i = 0; i < 300; ++i) tensor.add_float_data(static_cast<float>(i));
  builder.node("Add", {"x", "w"}, {"y"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  float value = 0;
  std::memcpy(&value, graph->weights[0]->bytes.data() + 299 * 4, 4);
  EXPECT_EQ(value, 299.0f);
}

TEST(OnnxReader, SortsNodesAndNamesThem) {
  ModelBuilder builder;
  builder.input("x", kF32, {2}).output("c", kF32, {2});
  builder.node("Relu", {"b"}, {"c"}, "same");
  builder.node("Relu", {"a"}, {"b"}, "same");
  builder.node("Abs", {"x"}, {"a"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  EXPECT_THAT(node_names(*graph), ElementsAre("Abs_0", "same", "same_1"));
  EXPECT_EQ(graph->nodes[0].op_type, "Abs");
  EXPECT_EQ(value_named(*graph, "c").producer, 2);
  EXPECT_THAT(graph->issues, ElementsAre(HasSubstr("renamed")));
}

TEST(OnnxReader, KeepsOmittedInputsAndCapturedValues) {
  ModelBuilder builder;
  builder.input("x", kF32, {2}).input("go", onnx::TensorProto::BOOL, {}).output("y", kF32, {2});
  builder.node("Clip", {"x", "", "x"}, {"clipped"});
  auto& branch = builder.node("If", {"go"}, {"y"}, "choose");
  for (const char* name : {"then_branch", "else_branch"}) {
    auto& body = ModelBuilder::set_graph(branch, name);
    auto& node = *body.add_node();
    node.set_op_type("Relu");
    node.add_input("clipped");
    node.add_output(std::string(name) + "_out");
    body.add_output()->set_name(std::string(name) + "_out");
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  EXPECT_EQ(graph->nodes[0].inputs[1], -1);
  ASSERT_TRUE(graph->nodes[1].has_subgraph);
  ASSERT_EQ(graph->nodes[1].captured.size(), 1u);
  EXPECT_EQ(graph->values[graph->nodes[1].captured[0]].name, "clipped");
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelSummary summary, model.summary());
  EXPECT_EQ(summary.op_counts.at("Relu"), 2u);
  EXPECT_EQ(summary.flops, 2u + 2u);  // Clip, and the dearer branch
}

TEST(OnnxReader, InlinesModelLocalFunctions) {
  ModelBuilder builder;
  builder.import_opset("local", 1);
  builder.input("x", kF32, {2}).output("y", kF32, {2});
  auto& function = *builder.model.add_functions();
  function.set_name("Twice");
  function.set_domain("local");
  function.add_input("a");
  function.add_output("b");
  auto& opset = *function.add_opset_import();
  opset.set_domain("");
  opset.set_version(17);
  auto& add = *function.add_node();
  add.set_op_type("Add");
  add.add_input("a");
  add.add_input("a");
  add.add_output("b");
  builder.node("Twice", {"x"}, {"m"}, "", "local");
  builder.node("Twice", {"m"}, {"y"}, "", "local");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  ASSERT_EQ(graph->nodes.size(), 2u);
  EXPECT_EQ(graph->nodes[0].op_type, "Add");
  EXPECT_EQ(graph->nodes[1].op_type, "Add");
}

TEST(OnnxReader, InfersShapesThroughComputedReshapes) {
  ModelBuilder builder;
  builder.input("x", kF32, {-1, 4, 6}, {"batch"}).output("y", kF32, {-1, 24});
  builder.integers("zero", {0});
  builder.integers("rest", {-1});
  builder.node("Shape", {"x"}, {"shape"});
  builder.node("Gather", {"shape", "zero"}, {"batch_size"});
  builder.node("Concat", {"batch_size", "rest"}, {"target"});
  ModelBuilder::set_int(*builder.graph().mutable_node(2), "axis", 0);
  builder.node("Reshape", {"x", "target"}, {"flat"});
  builder.node("Relu", {"flat"}, {"y"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  const Value& flat = value_named(*graph, "flat");
  EXPECT_EQ(flat.dtype, DataType::kFloat32);
  ASSERT_TRUE(flat.rank_known);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto bound, infer_shapes_for(model, {{"x", {3, 4, 6}}}));
  EXPECT_EQ(format_shape(value_named(*bound, "flat").shape), "[3, 24]");
  EXPECT_TRUE(bound->nodes[3].cost_exact);
  EXPECT_FALSE(graph->nodes[3].cost_exact);
}

TEST(OnnxReader, RefusesShapesThatContradictTheModel) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(relu_model()));
  EXPECT_THAT(infer_shapes_for(model, {{"x", {3, 5}}}), StatusIs(StatusCode::kInvalidArgument, "axis 1 is fixed"));
  EXPECT_THAT(infer_shapes_for(model, {{"x", {3}}}), StatusIs(StatusCode::kInvalidArgument, "rank"));
  EXPECT_THAT(infer_shapes_for(model, {{"z", {3, 4}}}), StatusIs(StatusCode::kInvalidArgument, "no input 'z'"));
}

TEST(OnnxReader, UnknownOperatorIsAnIssueNotAnError) {
  ModelBuilder builder;
  builder.input("x", kF32, {2}).output("y", kF32, {2});
  builder.node("Frobnicate", {"x"}, {"y"});
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelSummary summary, model.summary());
  EXPECT_THAT(summary.issues, ElementsAre(HasSubstr("operator 'Frobnicate' is not defined in opset 17 of ai.onnx")));
}

TEST(OnnxReader, CustomDomainIsRecorded) {
  ModelBuilder builder;
  builder.import_opset("acme", 3);
  builder.input("x", kF32, {2}).output("y", kF32, {2});
  builder.node("Widget", {"x"}, {"y"}, "", "acme");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  EXPECT_THAT(graph->custom_domains, ElementsAre("acme"));
  EXPECT_EQ(graph->nodes[0].opset, 3);
  EXPECT_TRUE(graph->issues.empty());
}

TEST(OnnxReader, ReadsAHugeGraphInLinearTime) {
  constexpr int kNodes = 50'000;
  ModelBuilder builder;
  builder.input("x", kF32, {2}).output("v" + std::to_string(kNodes - 1), kF32, {2});
  for (int i = 0; i < kNodes; ++i) {
    const std::string from = i == 0 ? "x" : "v" + std::to_string(i - 1);
    builder.node(i % 2 == 0 ? "Relu" : "Abs", {from}, {"v" + std::to_string(i)});
  }
  // Backwards too: sorting must not be quadratic.
  std::reverse(builder.graph().mutable_node()->pointer_begin(), builder.graph().mutable_node()->pointer_end());
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  EXPECT_EQ(graph->nodes.size(), static_cast<size_t>(kNodes));
  EXPECT_EQ(graph->nodes.back().outputs[0], graph->outputs[0]);
}

TEST(OnnxReader, DigestFollowsEveryByte) {
  ModelBuilder builder = relu_model();
  AXLE_ASSERT_OK_AND_ASSIGN(const Model first, read(builder));
  AXLE_ASSERT_OK_AND_ASSIGN(const Model again, read(builder));
  builder.model.set_doc_string("changed");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model second, read(builder));
  EXPECT_EQ(first.digest(), again.digest());
  EXPECT_NE(first.digest(), second.digest());
}

}  // namespace
}  // namespace axle
