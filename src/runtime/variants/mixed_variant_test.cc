// Mixed plans cut from a copy of the model: what one engine cannot run of the int8 copy another runs. The converter is a shell script
// that stands in for Python; engines are fakes.
#include <gmock/gmock.h>

#include <cstdlib>

#include "axle/session.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/variants/variants.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::ModelBuilder;
using testing::StatusIs;

std::string model_bytes(bool quantised) {
  ModelBuilder builder;
  builder.input("x", testing::kF32, {-1, 4}, {"n"}).output("y", testing::kF32, {-1, 4}, {"n"});
  if (quantised) builder.quantised_step("x", "d");
  builder.node("Relu", {quantised ? "d" : "x"}, {"h"}, "first");
  builder.node("Neg", {"h"}, {"y"}, "second");
  return builder.serialise();
}

// "npu" takes int8 and no Neg; "host" takes everything.
class MixedVariant : public ::testing::Test {
 protected:
  void SetUp() override {
    AXLE_ASSERT_OK_AND_ASSIGN(folder_, ScratchDir::create());
    ASSERT_THAT(write_file_atomic(path("copy.onnx"), model_bytes(true)), IsOk());
    const std::string script = "#!/bin/sh\nif [ \"$4\" = --probe ]; then echo fake 1.0; exit 0; fi\ncp " + path("copy.onnx") +
                               " \"$(dirname \"$4\")/variant.onnx\"\n";
    ASSERT_THAT(write_file_atomic(path("python"), script, 0755), IsOk());
    ::setenv("AXLE_PYTHON", path("python").c_str(), 1);
    for (const char* name : {"left", "right"})
      testing::reset_fake(name).script().capability.precisions = {{"f32", "f32", true}, {"int8", "i32", true}};
    script_of("left").answer_support = [](const kit::SupportArgs& args) {
      kit::Support support = of_precision(args);
      for (const kit::Node& node : args.graph.nodes()) {
        if (node.op_type() != "Neg") continue;
        support.graph = {kit::VerdictKind::kNo, "UNSUPPORTED_OP", "no Neg", -1};
        support.nodes.push_back({node.index(), support.graph});
      }
      return support;
    };
    script_of("right").answer_support = of_precision;
    script_of("left").compute = testing::elementwise([](float v) { return v + 1; });
    script_of("right").compute = testing::elementwise([](float v) { return v * 10; });
    AXLE_ASSERT_OK_AND_ASSIGN(model_, Model::from_bytes(testing::as_bytes(model_bytes(false))));
    RuntimeOptions options;
    options.cache_folder = path("cache");
    options.engines = {"left", "right"};
    AXLE_ASSERT_OK_AND_ASSIGN(options_.runtime, Runtime::create(options));
    options_.policy.execution.precisions = {"int8"};
    options_.policy.engines.allow = {"left"};
  }
  void TearDown() override {
    options_.runtime.reset();
    for (const char* name : {"left", "right"}) testing::reset_fake(name);
    ::unsetenv("AXLE_PYTHON");
  }

  static kit::Support of_precision(const kit::SupportArgs& args) {
    kit::Support support;
    support.graph.kind = support.otherwise.kind = kit::VerdictKind::kYes;
    bool quantised = false;
    for (const kit::Node& node : args.graph.nodes()) quantised |= node.op_type() == "QuantizeLinear";
    // A part of the copy need not hold a quantised node.
    if (args.precision == "int8" && !quantised && args.graph.node_count() > 1)
      support.graph = support.otherwise = {kit::VerdictKind::kNo, "PRECISION", "the model is not quantised", -1};
    return support;
  }
  static testing::FakeScript& script_of(const char* name) { return testing::registered_fake(name).script(); }
  std::string path(const std::string& name) const { return folder_->file(name); }

  std::optional<ScratchDir> folder_;
  std::optional<Model> model_;
  SessionOptions options_;
};

TEST_F(MixedVariant, RunsOnTheFallbackWhatTheEngineLacks) {
  options_.policy.fallback.engine = {"right"};
  AXLE_ASSERT_OK_AND_ASSIGN(Session session, Session::create(*model_, options_));
  const Plan& plan = session.plan();
  ASSERT_EQ(plan.partitions.size(), 2u);
  EXPECT_THAT(plan.partitions[0].nodes, ElementsAre("quantise", "dequantise", "first"));
  EXPECT_THAT(plan.partitions[1].nodes, ElementsAre("second"));
  for (const Partition& part : plan.partitions) {
    ASSERT_TRUE(part.variant.has_value());
    EXPECT_EQ(part.candidate.variant, part.variant->name());
    EXPECT_EQ(part.candidate.precision, "int8");
  }
  ASSERT_EQ(plan.substitutions.size(), 1u);
  EXPECT_THAT(plan.substitutions[0].reason, HasSubstr("cannot run Neg \"second\": no Neg"));
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor x, Tensor::allocate(DataType::kFloat32, {1, 4}));
  for (size_t i = 0; i < 4; ++i) x.mutable_as<float>()[i] = static_cast<float>(i);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run(std::vector<NamedTensor>{{"x", x}}));
  EXPECT_THAT(outputs.front().tensor.as<float>(), ElementsAre(10, 20, 30, 40));
}

TEST_F(MixedVariant, IsNotCutWithoutAFallback) {
  EXPECT_THAT(Session::create(*model_, options_).status(), StatusIs(StatusCode::kFailedPrecondition, "no Neg"));
}

TEST_F(MixedVariant, SurvivesALock) {
  options_.policy.fallback.engine = {"right"};
  AXLE_ASSERT_OK_AND_ASSIGN(Session session, Session::create(*model_, options_));
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock lock, session.lock());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, lock_to_json(lock));
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock again, parse_lock(text));
  EXPECT_THAT(check_replans(again), IsOk());
  EXPECT_EQ(again.plan.digest(), session.plan().digest());
}

}  // namespace
}  // namespace axle
