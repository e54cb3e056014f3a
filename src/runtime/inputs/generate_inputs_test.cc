// Generated inputs hold what the nodes that read them ask for. Whether a model runs on them: engines/onnxruntime/generated_inputs_test.cc.
#include <gtest/gtest.h>

#include "base/testing/status_matchers.h"
#include "runtime/inputs/generate_values.h"
#include "runtime/testing/generated_cases.h"

namespace axle {
namespace {

using testing::IsOk;

class GenerateInputs : public ::testing::TestWithParam<testing::GeneratedCase> {};

TEST_P(GenerateInputs, HoldWhatIsAskedOfThem) {
  for (const uint64_t seed : {0, 1, 2}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const std::vector<double> numbers, testing::generated_numbers(GetParam(), seed));
    EXPECT_THAT(numbers, GetParam().values) << "seed " << seed;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, GenerateInputs, ::testing::ValuesIn(testing::generated_cases()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(GenerateInputsOf, ARangeReachBothEnds) {
  std::set<double> seen;
  for (uint64_t seed = 0; seed < 4; ++seed) {
    AXLE_ASSERT_OK_AND_ASSIGN(const std::vector<double> numbers,
                              testing::generated_numbers(testing::index_cases().front(), seed));
    seen.insert(numbers.begin(), numbers.end());
  }
  EXPECT_EQ(seen.size(), 5);
}

// Sizes that contradict each other, wrap around or that no machine has: declared is declared.
TEST(GenerateInputsOf, HostileSizesAreBoundsOrRefused) {
  const auto of_sizes = [](const std::string& graph) {
    auto model = testing::model_of({"hostile", graph, "i", ::testing::_});
    return model ? generate_inputs(*model, {}).status() : model.status();
  };
  using testing::StatusIs;
  // The indices are said to be nothing once they passed the Identity.
  EXPECT_THAT(of_sizes("g (float[2, 4] x, int64[2, 4] i, float[2, 4] u) => (float[2, 4] y) <int64[2, 0] j> "
                       "{ j = Identity(i) y = ScatterElements<axis = 0>(x, j, u) }"),
              IsOk());
  // What lies behind the axis wraps to nothing.
  EXPECT_THAT(of_sizes("g (float[2, 4] x, int64[2] i, float[2, 4] u) => (float[2, 4] y) <int64[2, 4294967296, 4294967296] j> "
                       "{ j = Reshape(i, i) y = ScatterElements<axis = 0>(x, i, u) z = ScatterElements<axis = 0>(x, j, u) }"),
              IsOk());
  EXPECT_THAT(of_sizes("g (float[2, 4294967296, 4294967296] x, int64[1, 3] i, float[1] u) => (float[2] y) "
                       "{ y = ScatterND(x, i, u) }"),
              StatusIs(StatusCode::kOutOfRange));  // of x itself
  EXPECT_THAT(of_sizes("g (float[2, 3] x, int64[2305843009213693952] i) => (float[n] y) { y = Reshape(x, i) }"),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(of_sizes("g (float[2, 3] x, int64[1099511627776] i) => (float[n] y) { y = Reshape(x, i) }"),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(
      of_sizes("g (float[2, 3] x, int64[2, 9223372036854775807] i) => (float[n] y) { y = GatherND<batch_dims = 1>(x, i) }"),
      StatusIs(StatusCode::kOutOfRange));
  EXPECT_THAT(of_sizes("g (string[1099511627776] i) => (string[n] y) { y = Identity(i) }"),
              StatusIs(StatusCode::kResourceExhausted));
  EXPECT_THAT(of_sizes("g (float[1099511627776] i) => (float[n] y) { y = Identity(i) }"),
              StatusIs(StatusCode::kResourceExhausted));
}

TEST(GenerateInputsOf, IndicesWithoutAColumnDivideByOne) {
  InputDemand demand;
  demand.kind = InputDemand::Kind::kIndices;
  demand.columns = {{0, 0}};
  std::mt19937_64 random(1);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, generate_values(DataType::kInt64, {3}, demand, random));
  EXPECT_THAT(tensor.as<int64_t>(), ::testing::Each(0));
}

// Types that no operator of these tests takes as an input.
TEST(GenerateInputsOf, TheSmallestTypesAreOfTheirType) {
  for (const auto& [dtype, low, high] :
       {std::tuple(DataType::kFloat4E2M1, -1.0, 1.0), std::tuple(DataType::kFloat8E8M0, 0.0, 1.0),
        std::tuple(DataType::kUint2, 0.0, 1.0), std::tuple(DataType::kInt2, 0.0, 1.0)}) {
    std::mt19937_64 random(1);
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, generate_values(dtype, {3, 5}, {}, random));
    EXPECT_EQ(tensor.dtype(), dtype);
    std::vector<double> numbers(15);
    ASSERT_THAT(read_as_doubles(tensor, 0, numbers), IsOk());
    EXPECT_THAT(numbers, ::testing::Each(::testing::AllOf(::testing::Ge(low), ::testing::Le(high)))) << data_type_name(dtype);
    EXPECT_GT(std::set<double>(numbers.begin(), numbers.end()).size(), 1) << data_type_name(dtype);
  }
}

TEST(GenerateInputsOf, OneSeedAreTheSameBytes) {
  for (const testing::GeneratedCase& one : {testing::index_cases().front(), testing::number_cases().front()}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto first, testing::generated_numbers(one, 7));
    AXLE_ASSERT_OK_AND_ASSIGN(const auto second, testing::generated_numbers(one, 7));
    AXLE_ASSERT_OK_AND_ASSIGN(const auto other, testing::generated_numbers(one, 8));
    EXPECT_EQ(first, second);
    EXPECT_NE(first, other);
  }
}

}  // namespace
}  // namespace axle
