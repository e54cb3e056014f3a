#include "model_bytes.h"

#include <gtest/gtest.h>

namespace axle::ort {
namespace {

// ModelProto { ir_version 8, graph { node { name "n" op_type "Relu" } initializer { name "w" } }, opset { version 17 } }
const std::string kModel("\x08\x08\x3a\x10\x0a\x09\x1a\x01n\x22\x04Relu\x2a\x03\x42\x01w\x42\x02\x10\x11", 24);

TEST(ModelBytes, FindsNodesWeightsAndOpsets) {
  const auto parts = split_model(kModel);
  ASSERT_TRUE(parts.has_value());
  EXPECT_EQ(parts->ir_version, 8u);
  ASSERT_EQ(parts->nodes.size(), 1u);
  EXPECT_EQ(parts->node_names[0], "n");
  EXPECT_EQ(parts->weights.count("w"), 1u);
  EXPECT_EQ(parts->opsets.size(), 1u);
}

TEST(ModelBytes, RefusesEveryTruncation) {
  for (size_t size = 0; size < kModel.size(); ++size) {
    const auto parts = split_model(std::string_view(kModel).substr(0, size));
    // A cut between fields is a shorter message; no cut may invent a node.
    EXPECT_TRUE(!parts || parts->nodes.size() <= 1) << size;
    EXPECT_FALSE(size > 2 && size < 20 && parts.has_value()) << size;
  }
}

TEST(ModelBytes, SurvivesEveryFlippedBit) {
  for (size_t bit = 0; bit < kModel.size() * 8; ++bit) {
    std::string damaged = kModel;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    const auto parts = split_model(damaged);
    EXPECT_TRUE(!parts || parts->nodes.size() <= damaged.size()) << bit;
  }
}

TEST(ModelBytes, RefusesALengthBeyondTheEnd) {
  EXPECT_FALSE(split_model(std::string("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 10)).has_value());
  EXPECT_FALSE(split_model(std::string("\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12)).has_value());
  EXPECT_FALSE(split_model("").has_value());
  EXPECT_FALSE(split_model("<html>").has_value());
}

}  // namespace
}  // namespace axle::ort
