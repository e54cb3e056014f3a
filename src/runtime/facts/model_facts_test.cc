#include "runtime/facts/model_facts.h"

#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "model/testing/model_builder.h"

namespace axle {
namespace {

using testing::ModelBuilder;

Result<ModelFacts> facts_of(const ModelBuilder& builder) {
  AXLE_ASSIGN_OR_RETURN(const Model model, Model::from_bytes(testing::as_bytes(builder.serialise())));
  return model_facts(model, {});
}

ModelBuilder identity_of(int32_t type) {
  ModelBuilder builder(19, 9);
  builder.input("x", type, {4}).output("y", type, {4});
  builder.node("Identity", {"x"}, {"y"}, "same");
  return builder;
}

TEST(ModelFacts, NamesTheTypeThatIsComputedIn) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelFacts half, facts_of(identity_of(onnx::TensorProto::FLOAT16)));
  EXPECT_EQ(half.float_dtype, "f16");
  AXLE_ASSERT_OK_AND_ASSIGN(const ModelFacts integers, facts_of(identity_of(onnx::TensorProto::INT64)));
  EXPECT_EQ(integers.float_dtype, "");
}

// No engine computes in f8: as the model's own precision it was refused everywhere.
TEST(ModelFacts, ATypeThatOnlyStoresIsNotComputedIn) {
  for (const int32_t type : {onnx::TensorProto::FLOAT8E4M3FN, onnx::TensorProto::FLOAT8E5M2}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const ModelFacts facts, facts_of(identity_of(type)));
    EXPECT_EQ(facts.float_dtype, "");
    EXPECT_EQ(facts.nodes.size(), 1u);
  }
}

}  // namespace
}  // namespace axle
