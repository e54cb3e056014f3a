#include <gtest/gtest.h>

#include "ai_vmm/types.hpp"

namespace ai_vmm {
namespace {

TEST(Tensor, HoldsTheValuesItWasMadeFrom) {
  const Tensor tensor = Tensor::from<float>({2, 2}, {1, 2, 3, 4});
  EXPECT_EQ(tensor.shape(), (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(tensor.dtype(), DataType::kFloat32);
  EXPECT_EQ(tensor.size(), 4);
  EXPECT_EQ(tensor.values<float>()[3], 4);
}

TEST(Tensor, StartsAsZeros) {
  const Tensor tensor({3}, DataType::kInt64);
  for (const int64_t value : tensor.values<int64_t>()) EXPECT_EQ(value, 0);
}

TEST(Tensor, RefusesAnotherNumberOfValues) {
  try {
    Tensor::from<float>({2, 2}, {1, 2, 3});
    FAIL() << "three values in a tensor of four";
  } catch (const RuntimeError& error) {
    EXPECT_EQ(error.code(), axle::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(error.what()).find("[2, 2] holds 4 values, 3 were given"), std::string::npos) << error.what();
  }
}

TEST(Tensor, RefusesToBeReadAsAnotherType) {
  const Tensor tensor = Tensor::from<float>({1}, {1});
  EXPECT_THROW(tensor.values<int32_t>(), RuntimeError);
}

TEST(Tensor, AViewWritesToTheCallersValuesAndAConstantOneRefuses) {
  std::vector<float> mine = {1, 2};
  Tensor view = Tensor::view<float>({2}, mine);
  view.mutable_values<float>()[0] = 7;
  EXPECT_EQ(mine[0], 7);
  Tensor constant = Tensor::view<const float>({2}, mine);
  EXPECT_THROW(constant.mutable_values<float>(), RuntimeError);
  Tensor copy = constant.clone();
  copy.mutable_values<float>()[0] = 8;
  EXPECT_EQ(mine[0], 7);
}

TEST(Tensor, GoesToAxleAndBackWithoutACopy) {
  const Tensor tensor = Tensor::from<int32_t>({2}, {5, 6});
  const Tensor back(tensor.to_axle());
  EXPECT_EQ(back.values<int32_t>().data(), tensor.values<int32_t>().data());
}

TEST(Error, CarriesMessageHintCodeAndFamily) {
  try {
    throw_error(axle::deadline_exceeded_error("too late").with_hint("wait longer"), ErrorCategory::COMPILATION);
  } catch (const PerformanceError& error) {
    EXPECT_EQ(error.category(), ErrorCategory::PERFORMANCE);
    EXPECT_EQ(error.status().family(), axle::ErrorFamily::kPerformance);
    EXPECT_STREQ(error.what(), "too late (wait longer)");
    EXPECT_EQ(error.hint(), "wait longer");
  }
  // The layer that failed knows best; then the code; then who asks.
  EXPECT_THROW(throw_error(axle::internal_error("x").with_family(axle::ErrorFamily::kCompilation), ErrorCategory::RUNTIME),
               CompilationError);
  EXPECT_THROW(throw_error(axle::resource_exhausted_error("x"), ErrorCategory::COMPILATION), RuntimeError);
  EXPECT_THROW(throw_error(axle::not_found_error("x"), ErrorCategory::COMPILATION), CompilationError);
}

TEST(ModelCategory, NamesAreThoseOfAxle) {
  for (const ModelCategory category :
       {ModelCategory::LLM_TRANSFORMER, ModelCategory::VISION_CNN, ModelCategory::VISION_TRANSFORMER, ModelCategory::SPEECH_RNN,
        ModelCategory::RECOMMENDATION_SYSTEM, ModelCategory::SCIENTIFIC_ML, ModelCategory::OTHER}) {
    EXPECT_EQ(parse_model_category(model_category_name(category)), category);
  }
  EXPECT_EQ(parse_model_category("no such"), ModelCategory::OTHER);
}

}  // namespace
}  // namespace ai_vmm
