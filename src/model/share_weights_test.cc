#include "model/share_weights.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <span>

#include "axle/model.h"
#include "base/testing/status_matchers.h"
#include "model/extract.h"
#include "model/model_graph.h"
#include "model/testing/model_builder.h"

namespace axle {
namespace {

using testing::IsOk;

// x -> MatMul by a weight of 256 KiB -> MatMul by a small one -> y, as a file.
class ShareWeightsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char pattern[] = "/tmp/axle-share-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern), nullptr);
    folder_ = std::filesystem::canonical(pattern).string();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static std::string bytes_of_model() {
    testing::ModelBuilder builder;
    builder.input("x", testing::kF32, {1, 256}).output("y", testing::kF32, {1, 4});
    std::vector<float> large(256 * 256), small(256 * 4, 0.5f);
    for (size_t i = 0; i < large.size(); ++i) large[i] = static_cast<float>(i);
    builder.weight("large", {256, 256}, large);
    builder.weight("small", {256, 4}, small);
    builder.node("MatMul", {"x", "large"}, {"h"}, "first");
    builder.node("MatMul", {"h", "small"}, {"y"}, "second");
    return builder.serialise();
  }
  std::string save(const std::string& name) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes_of_model();
    return path;
  }
  static Result<std::shared_ptr<const Graph>> part_of(const Model& model) {
    AXLE_ASSIGN_OR_RETURN(const auto graph, graph_of(model));
    return extract_graph(*graph, std::vector<NodeId>{0});
  }

  std::string folder_;
};

TEST_F(ShareWeightsTest, APartNamesTheModelsFileInsteadOfHoldingItsWeights) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(save("model.onnx")));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto part, part_of(model));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto copied, part->onnx_bytes());
  EXPECT_GT(copied->bytes.size(), 256u << 10);
  EXPECT_EQ(copied->folder, "");

  const auto shared = share_weights(part);
  EXPECT_EQ(shared->digest, part->digest);
  ASSERT_EQ(shared->weights.size(), 1u);
  EXPECT_EQ(shared->weights[0]->path, folder_ + "/model.onnx");
  EXPECT_EQ(shared->weights[0]->bytes.data(), part->weights[0]->bytes.data()) << "the mapping itself";
  AXLE_ASSERT_OK_AND_ASSIGN(const auto bytes, shared->onnx_bytes());
  EXPECT_LT(bytes->bytes.size(), 1024u);
  EXPECT_EQ(bytes->folder, folder_);

  // What an engine finds there is the same.
  AXLE_ASSERT_OK_AND_ASSIGN(const Model again, Model::from_bytes(std::as_bytes(std::span(bytes->bytes)), bytes->folder));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto read, graph_of(again));
  ASSERT_EQ(read->weights.size(), 1u);
  ASSERT_EQ(read->weights[0]->bytes.size(), part->weights[0]->bytes.size());
  EXPECT_EQ(std::memcmp(read->weights[0]->bytes.data(), part->weights[0]->bytes.data(), part->weights[0]->bytes.size()), 0);
}

TEST_F(ShareWeightsTest, ALinkIsFollowedToTheFile) {
  save("blob");
  std::filesystem::create_directory(folder_ + "/links");
  std::filesystem::create_symlink(folder_ + "/blob", folder_ + "/links/model.onnx");
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(folder_ + "/links/model.onnx"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto part, part_of(model));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto bytes, share_weights(part)->onnx_bytes());
  EXPECT_EQ(bytes->folder, folder_);
  EXPECT_NE(bytes->bytes.find("blob"), std::string::npos);
}

TEST_F(ShareWeightsTest, SmallWeightsAndModelsFromBytesStayInline) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, Model::load(save("model.onnx")));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto small, extract_graph(*graph, std::vector<NodeId>{1}));
  EXPECT_EQ(share_weights(small), small);

  const std::string text = bytes_of_model();
  AXLE_ASSERT_OK_AND_ASSIGN(const Model in_memory, Model::from_bytes(std::as_bytes(std::span(text))));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto part, part_of(in_memory));
  EXPECT_EQ(share_weights(part), part);
  EXPECT_THAT(part->onnx_bytes(), IsOk());
}

}  // namespace
}  // namespace axle
