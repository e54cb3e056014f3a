#include "runtime/loading/part_graph.h"

#include <gmock/gmock.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/testing/status_matchers.h"
#include "runtime/runtime_state.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using testing::StatusIs;

// x -> first, with a weight of 256 KiB in the model's file -> second -> y.
class PartGraphTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/axle-part-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder_ = pattern;
    testing::ModelBuilder builder;
    builder.input("x", testing::kF32, {1, 256}).output("y", testing::kF32, {1, 256});
    builder.weight("large", {256, 256}, std::vector<float>(256 * 256, 0.25f));
    builder.node("MatMul", {"x", "large"}, {"h"}, "first");
    builder.node("Relu", {"h"}, {"y"}, "second");
    std::ofstream(folder_ + "/model.onnx", std::ios::binary) << builder.serialise();
    AXLE_ASSERT_OK_AND_ASSIGN(model_, Model::load(folder_ + "/model.onnx"));
    part_.candidate = {"near", "cpu:0", "f32", 1, "default"};
    part_.nodes = {"first"};
    part_.outputs = {"h"};
  }
  void TearDown() override {
    testing::reset_fake("near");
    std::filesystem::remove_all(folder_);
  }

  // Where the part's weight is said to lie for an engine that takes these formats; "" = in the part.
  std::string weight_for(const std::vector<std::string>& formats) {
    testing::registered_fake("near").script().capability.formats = formats;
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"near"};
    const auto runtime = Runtime::create(options);
    EXPECT_TRUE(runtime.ok()) << runtime.status().to_string();
    const auto engine = (*runtime)->state().engine("near", **runtime);
    EXPECT_TRUE(engine.ok()) << engine.status().to_string();
    const auto graph = part_graph(*model_, part_);
    EXPECT_TRUE(graph.ok()) << graph.status().to_string();
    const auto handed = graph_for_engine(**engine, "cpu:0", *graph);
    EXPECT_TRUE(handed.ok()) << handed.status().to_string();
    return (*handed)->graph().weights.at(0)->path;
  }

  std::string folder_;
  std::optional<Model> model_;
  Partition part_;
};

TEST_F(PartGraphTest, OnlyAnEngineThatTakesExternalDataIsToldWhereWeightsLie) {
  EXPECT_EQ(weight_for({"onnx"}), "");
  EXPECT_EQ(weight_for({"onnx", "onnx-external"}), std::filesystem::canonical(folder_ + "/model.onnx").string());
}

TEST_F(PartGraphTest, AWholeModelIsItsOwnGraph) {
  part_.nodes.clear();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, part_graph(*model_, part_));
  EXPECT_EQ(graph->path, model_->path());
}

TEST_F(PartGraphTest, ANodeThatTheModelLacksIsNamed) {
  part_.nodes = {"third"};
  EXPECT_THAT(part_graph(*model_, part_), StatusIs(StatusCode::kInvalidArgument, "third"));
}

}  // namespace
}  // namespace axle
