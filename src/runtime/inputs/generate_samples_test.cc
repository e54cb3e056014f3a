// Generated inputs that the model runs on: what is tried, what is remembered, and what is said when nothing helps.
#include <gmock/gmock.h>

#include "axle/tune.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::StatusIs;

// x[batch, time] -> y[batch, time]
Result<Model> sound_model() {
  testing::ModelBuilder builder;
  builder.input("x", testing::kF32, {-1, -1}, {"batch", "time"}).output("y", testing::kF32, {-1, -1}, {"batch", "time"});
  builder.node("Relu", {"x"}, {"y"}, "first");
  return Model::from_bytes(testing::as_bytes(builder.serialise()));
}

class GenerateSamples : public ::testing::Test {
 protected:
  void SetUp() override {
    AXLE_ASSERT_OK_AND_ASSIGN(folder_, ScratchDir::create());
    testing::reset_fake("abacus");
    AXLE_ASSERT_OK_AND_ASSIGN(model_, sound_model());
    start();
  }
  void TearDown() override {
    runtime_.reset();
    testing::reset_fake("abacus");
  }
  void start() {
    RuntimeOptions options;
    options.cache_folder = folder_->file("cache");
    options.engines = {"abacus"};
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
  }
  static testing::FakeEngine& engine() { return testing::registered_fake("abacus"); }
  // Fails, or makes nothing, of less than `least` in the last axis.
  static void needs(int64_t least, bool fails) {
    engine().script().compute = [=](const testing::FakeLoad& load, auto inputs, auto outputs) {
      const int64_t time = inputs[0].shape[inputs[0].rank - 1];
      if (time >= least) return testing::elementwise([](float v) { return v; })(load, inputs, outputs);
      if (fails) throw kit::invalid_argument("the frame is longer than the sound");
      for (testing::FakeOutput& out : outputs) out.set({1, 0}, std::vector<float>{});
    };
  }
  Result<GeneratedSamples> generate(bool may_run = true) {
    SampleOptions options;
    options.may_run = may_run;
    return generate_samples(*runtime_, *model_, options);
  }
  static Shape shape_of(const GeneratedSamples& samples) { return samples.tensors.front().tensor.shape(); }

  std::optional<ScratchDir> folder_;
  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
};

TEST_F(GenerateSamples, KeepTheUsualSizesWhereTheyRun) {
  AXLE_ASSERT_OK_AND_ASSIGN(const GeneratedSamples samples, generate());
  EXPECT_THAT(shape_of(samples), ElementsAre(1, 16));
  EXPECT_TRUE(samples.usual);
  EXPECT_THAT(samples.note, HasSubstr("1 or 16"));
}

TEST_F(GenerateSamples, GrowUntilARunWorksAndAreRemembered) {
  for (const bool fails : {true, false}) {
    needs(500, fails);
    AXLE_ASSERT_OK_AND_ASSIGN(const GeneratedSamples samples, generate());
    EXPECT_THAT(shape_of(samples), ElementsAre(1, 576)) << fails;
    EXPECT_THAT(samples.note, HasSubstr("1 or 576: smaller ones do not run"));
    const int64_t runs = engine().calls("run");
    start();
    AXLE_ASSERT_OK_AND_ASSIGN(const GeneratedSamples again, generate(false));
    EXPECT_THAT(shape_of(again), ElementsAre(1, 576));
    EXPECT_EQ(engine().calls("run"), runs);
    folder_.reset();
    SetUp();
  }
}

TEST_F(GenerateSamples, AreWhatPlansWithoutSamplesAndTuningAssume) {
  needs(500, true);
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanReport before, make_plan(*runtime_, *model_, {}));
  EXPECT_THAT(before.plan.judged_shapes, HasSubstr("[1,16]"));
  TuneOptions options;
  options.budget_ns = 200'000'000;
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport report, tune(*runtime_, *model_, options));
  EXPECT_THAT(report.notes, ::testing::Contains(HasSubstr("1 or 576")));
  for (const TuneRow& row : report.rows) EXPECT_NE(row.verdict, "failed") << row.reason;
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanReport after, make_plan(*runtime_, *model_, {}));
  EXPECT_THAT(after.plan.judged_shapes, HasSubstr("[1,576]"));
  EXPECT_TRUE(after.plan.measured());
}

TEST_F(GenerateSamples, LeaveAxesThatThePolicyPreparesAlone) {
  needs(40, true);
  SampleOptions options;
  options.policy.shapes["time"] = {40};
  AXLE_ASSERT_OK_AND_ASSIGN(const GeneratedSamples samples, generate_samples(*runtime_, *model_, options));
  EXPECT_THAT(shape_of(samples), ElementsAre(1, 40));
}

TEST_F(GenerateSamples, ThatAlwaysGiveNothingAreRightAndSayIt) {
  needs(1'000'000, false);
  AXLE_ASSERT_OK_AND_ASSIGN(const GeneratedSamples samples, generate());
  EXPECT_THAT(shape_of(samples), ElementsAre(1, 16));
  EXPECT_THAT(samples.note, HasSubstr("holds nothing at any of the sizes tried (16, 64"));
}

TEST_F(GenerateSamples, ThatNeverRunNameTheAxis) {
  needs(1'000'000, true);
  const auto samples = generate();
  EXPECT_THAT(samples, StatusIs(StatusCode::kInvalidArgument, "axis 1 (time) of input 'x'"));
  EXPECT_THAT(samples.error().message(), HasSubstr("the frame is longer than the sound"));
  EXPECT_THAT(samples.error().hint(), HasSubstr("--inputs"));
}

TEST_F(GenerateSamples, DoNotBlameTheSizeForWhatIsOfTheMoment) {
  engine().fail("run", 1, AXLE_RESOURCE_EXHAUSTED, "no memory");
  EXPECT_THAT(generate(), StatusIs(StatusCode::kResourceExhausted, "no memory"));
  AXLE_ASSERT_OK_AND_ASSIGN(const GeneratedSamples samples, generate());
  EXPECT_TRUE(samples.usual);
}

}  // namespace
}  // namespace axle
