// Prepared shapes: which executable of a session a call goes to.
#include <gmock/gmock.h>

#include <mutex>

#include "axle/session.h"
#include "base/testing/status_matchers.h"
#include "model/bind_axes.h"
#include "model/model_graph.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using testing::FakeLoad;
using testing::FakeOutput;
using ::testing::HasSubstr;
using testing::StatusIs;

NamedTensor rows(int64_t count) {
  auto tensor = Tensor::allocate(DataType::kFloat32, {count, 4});
  std::fill_n(tensor->mutable_as<float>().begin(), count * 4, 1.0f);
  return {"x", std::move(*tensor)};
}

class PreparedShapesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    RuntimeOptions options;
    options.use_cache = false;
    options.engines = {"near"};
    // Says which executable it is: the size that its graph declares.
    testing::registered_fake("near").script().compute = [](const FakeLoad& load, std::span<const axle_tensor_t> inputs,
                                                           std::span<FakeOutput> outputs) {
      const axle_tensor_t& in = inputs[0];
      const auto declared = static_cast<float>(load.input_shapes.at(0).at(0));
      for (FakeOutput& out : outputs)
        out.set(std::vector<int64_t>(in.shape, in.shape + in.rank),
                std::vector<float>(in.size_bytes / sizeof(float), declared));
    };
    AXLE_ASSERT_OK_AND_ASSIGN(options_.runtime, Runtime::create(options));
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
  }
  void TearDown() override { testing::reset_fake("near"); }

  Result<Session> create(const std::string& toml) {
    AXLE_ASSIGN_OR_RETURN(options_.policy, parse_policy(toml));
    return Session::create(*model_, options_);
  }
  static float ran_on(const Session& session, int64_t size) {
    const auto outputs = session.run({{rows(size)}});
    EXPECT_TRUE(outputs.ok()) << outputs.status().to_string();
    return outputs.ok() ? outputs->at(0).tensor.as<float>()[0] : -2;
  }

  std::optional<Model> model_;
  SessionOptions options_;
};

TEST_F(PreparedShapesTest, ACallGoesToTheExecutableOfItsShape) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create("[shapes]\nn = [1, 4]"));
  ASSERT_EQ(session.plan().partitions.size(), 3u);
  EXPECT_EQ(ran_on(session, 1), 1);
  EXPECT_EQ(ran_on(session, 4), 4);
  EXPECT_EQ(ran_on(session, 3), -1);  // open
  AXLE_ASSERT_OK_AND_ASSIGN(const Binding open, session.make_binding());
  const std::vector<NamedTensor> like = {rows(4)};
  AXLE_ASSERT_OK_AND_ASSIGN(Binding binding, session.make_binding(like));
  ASSERT_TRUE(binding.bind_input("x", like[0].tensor).ok());
  ASSERT_TRUE(binding.run().ok());
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor made, binding.output(0));
  EXPECT_EQ(made.as<float>()[0], 4);
}

TEST_F(PreparedShapesTest, WithStaticShapesOthersAreRefusedByName) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create("[shapes]\nn = [1, 4]\n[execution]\nstatic_shape = true"));
  EXPECT_EQ(ran_on(session, 4), 4);
  const auto refused = session.run({{rows(3)}});
  EXPECT_THAT(refused, StatusIs(StatusCode::kInvalidArgument, "no executable is prepared for n=3: prepared are n=1; n=4"));
  EXPECT_THAT(session.make_binding(), StatusIs(StatusCode::kFailedPrecondition, "n=1; n=4"));
  EXPECT_THAT(create("[execution]\nstatic_shape = true"), StatusIs(StatusCode::kFailedPrecondition, "axis n open"));
}

TEST_F(PreparedShapesTest, SamplesGiveTheStaticShape) {
  options_.samples = {rows(5)};
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, create("[execution]\nstatic_shape = true"));
  EXPECT_EQ(ran_on(session, 5), 5);
  EXPECT_THAT(session.run({{rows(1)}}), StatusIs(StatusCode::kInvalidArgument, "n=5"));
}

TEST(BindAxes, FixesTheAxisEverywhereUnderADigestOfItsOwn) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Model model, testing::two_step_model());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto graph, graph_of(model));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto four, bind_axes(*graph, {{"n", 4}}));
  for (const Value& value : four->values) EXPECT_EQ(value.shape.at(0).size, 4) << value.name;
  EXPECT_NE(four->digest, graph->digest);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto five, bind_axes(*graph, {{"n", 5}}));
  EXPECT_NE(four->digest, five->digest);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto bytes, four->onnx_bytes());
  AXLE_ASSERT_OK_AND_ASSIGN(const Model again, Model::from_bytes(testing::as_bytes(bytes->bytes)));
  EXPECT_EQ(again.inputs().at(0).shape.at(0).size, 4);
  EXPECT_THAT(bind_axes(*graph, {{"m", 4}}), StatusIs(StatusCode::kInvalidArgument, "no open axis 'm'"));
  EXPECT_THAT(bind_axes(*graph, {{"n", 0}}), StatusIs(StatusCode::kInvalidArgument, "size 0"));
}

}  // namespace
}  // namespace axle
