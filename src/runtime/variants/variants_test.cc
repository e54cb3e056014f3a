// Variants: a converter that does well, and one that fails in every way it can. The converter is a shell script that stands in for
// Python; engines are fakes.
// Long file: every case is that converter and that engine.
#include "runtime/variants/variants.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "axle/session.h"
#include "axle/tune.h"
#include "base/file.h"
#include "base/testing/status_matchers.h"
#include "runtime/testing/fake_engines.h"
#include "runtime/variants/calibration.h"

namespace axle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::IsOk;
using testing::ModelBuilder;
using ::testing::SizeIs;
using testing::StatusIs;

// x[n,4] -> y[n,4] with a quantised step between.
std::string quantised_copy(const std::string& output = "y") {
  ModelBuilder builder;
  builder.input("x", testing::kF32, {-1, 4}, {"n"}).output(output, testing::kF32, {-1, 4}, {"n"});
  builder.quantised_step("x", "h").node("Relu", {"h"}, {output}, "second");
  return builder.serialise();
}

class Variants : public ::testing::Test {
 protected:
  void SetUp() override {
    AXLE_ASSERT_OK_AND_ASSIGN(folder_, ScratchDir::create());
    testing::reset_fake("abacus").script().capability.precisions = {{"f32", "f32", true}, {"int8", "i32", true}};
    engine().script().answer_support = [](const kit::SupportArgs& args) {
      kit::Support support;
      if (args.precision == "int8" && args.graph.node_count() != 3)
        support.graph = support.otherwise = {kit::VerdictKind::kNo, "PRECISION", "the model is not quantised", -1};
      return support;
    };
    // The copy is a little off.
    engine().script().compute = [](const testing::FakeLoad& load, auto inputs, auto outputs) {
      const float shift = load.precision == "int8" ? 0.5f : 0.0f;
      testing::elementwise([shift](float v) { return v + shift; })(load, inputs, outputs);
    };
    AXLE_ASSERT_OK_AND_ASSIGN(model_, testing::two_step_model());
    ASSERT_THAT(write_file_atomic(path("good.onnx"), quantised_copy()), IsOk());
    converter("cp " + path("good.onnx") + " \"$output\"");
    request_.policy.execution.precisions = {"int8"};
    start();
  }
  void TearDown() override {
    runtime_.reset();
    testing::reset_fake("abacus");
    ::unsetenv("AXLE_PYTHON");
  }

  static testing::FakeEngine& engine() { return testing::registered_fake("abacus"); }
  std::string path(const std::string& name) const { return folder_->file(name); }

  void start(int64_t timeout_ns = 0) {
    RuntimeOptions options;
    options.cache_folder = path("cache");
    options.engines = {"abacus"};
    options.converter_timeout_ns = timeout_ns;
    AXLE_ASSERT_OK_AND_ASSIGN(runtime_, Runtime::create(options));
  }

  // Stands in for Python: called as `-I -B SCRIPT --probe`, then as `-I -B SCRIPT REQUEST`. Counts its conversions.
  void converter(const std::string& converts, const std::string& probes = "echo fake 1.0") {
    const std::string script = "#!/bin/sh\nif [ \"$4\" = --probe ]; then " + probes +
                               "; exit $?; fi\n"
                               "output=$(dirname \"$4\")/variant.onnx\n"
                               "echo called >> " +
                               path("calls") + "\n" + converts + "\n";
    ASSERT_THAT(write_file_atomic(path("python"), script, 0755), IsOk());
    ::setenv("AXLE_PYTHON", path("python").c_str(), 1);
  }
  size_t conversions() const {
    const auto text = read_file(path("calls"), 1u << 20);
    return text ? static_cast<size_t>(std::count(text->begin(), text->end(), '\n')) : 0;
  }

  // Prepares, and gives the one row there is.
  VariantFacts prepared() {
    EXPECT_THAT(prepare_variants(*runtime_, *model_, request_), IsOk());
    return found();
  }
  VariantFacts found() {
    auto rows = collect_variants(*runtime_, *model_, request_);
    EXPECT_TRUE(rows.ok()) << rows.status().to_string();
    return rows && rows->size() == 1 ? rows->front() : VariantFacts{};
  }

  std::optional<ScratchDir> folder_;
  std::shared_ptr<Runtime> runtime_;
  std::optional<Model> model_;
  PlanRequest request_;
};

TEST_F(Variants, AreMadeOnceAndFoundAgain) {
  EXPECT_EQ(found().code, "NOT_PREPARED");
  const VariantFacts row = prepared();
  EXPECT_EQ(row.code, "");
  EXPECT_EQ(row.precision, "int8");
  EXPECT_THAT(row.variant.digest, ::testing::StartsWith("sha256:"));
  EXPECT_EQ(row.variant.converter, "fake 1.0");
  EXPECT_EQ(row.variant.options.at("per_channel"), "true");
  EXPECT_THAT(row.note, HasSubstr("generated inputs"));
  start();
  EXPECT_EQ(prepared().variant, row.variant);
  EXPECT_EQ(conversions(), 1u);
}

TEST_F(Variants, AreMadeByTheRecipeThatTheEngineStates) {
  request_.policy.execution.targets = {"npu"};
  EXPECT_FALSE(found().variant.options.contains("recipe"));
  testing::FakeEngine& fake = testing::reset_fake("abacus");
  kit::ResourceInfo& npu = fake.script().resources.front();
  npu.id = "npu:0";
  npu.kind = "npu";
  npu.simulated = true;
  fake.script().capability.copy_recipe = "qnn";
  fake.script().capability.precisions = {{"f32", "f32", true}, {"int8", "i32", true}};
  start();
  EXPECT_EQ(found().variant.options.at("recipe"), "qnn");
  request_.policy.execution.targets = {"cpu"};
  EXPECT_FALSE(found().variant.options.contains("recipe"));
}

TEST_F(Variants, AreNotLookedForUninvited) {
  request_.policy = Policy();
  request_.policy.accuracy.cosine_min = 0.99;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto rows, collect_variants(*runtime_, *model_, request_));
  EXPECT_THAT(rows, IsEmpty());
  EXPECT_THAT(prepare_variants(*runtime_, *model_, request_), IsOk());
  EXPECT_EQ(conversions(), 0u);
}

TEST_F(Variants, AreMadeOnceByTwoThreads) {
  const auto prepare = [&] { EXPECT_THAT(prepare_variants(*runtime_, *model_, request_), IsOk()); };
  std::thread other(prepare);
  prepare();
  other.join();
  EXPECT_EQ(found().code, "");
  EXPECT_EQ(conversions(), 1u);
}

TEST_F(Variants, OfAnotherCalibrationAreOthers) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto inputs, generate_inputs(*model_, {}));
  for (const char* name : {"a.npz", "b.npz"}) {
    std::vector<NamedTensor> arrays = inputs;
    arrays.front().tensor.mutable_as<float>()[0] = name[0];
    ASSERT_THAT(save_npz(path(name), arrays), IsOk());
  }
  request_.policy.accuracy.calibration = path("a.npz");
  const VariantFacts a = prepared();
  request_.policy.accuracy.calibration = path("b.npz");
  EXPECT_EQ(found().code, "NOT_PREPARED");
  const VariantFacts b = prepared();
  EXPECT_NE(a.variant.calibration_digest, b.variant.calibration_digest);
  EXPECT_EQ(a.note, "");
  EXPECT_EQ(conversions(), 2u);
}

TEST_F(Variants, KeepTheirCalibrationWhenARunHasOtherInputs) {
  AXLE_ASSERT_OK_AND_ASSIGN(std::vector<NamedTensor> inputs, generate_inputs(*model_, {.seed = 1}));
  request_.samples = inputs;
  const VariantFacts first = prepared();
  AXLE_ASSERT_OK_AND_ASSIGN(request_.samples, generate_inputs(*model_, {.seed = 2}));
  EXPECT_EQ(prepared().variant, first.variant);
  EXPECT_EQ(conversions(), 1u);
}

TEST_F(Variants, CalibratedOnGeneratedInputsMakeRoomForRealOnes) {
  const VariantFacts first = prepared();
  AXLE_ASSERT_OK_AND_ASSIGN(request_.samples, generate_inputs(*model_, {.seed = 1}));
  EXPECT_NE(prepared().variant.calibration_digest, first.variant.calibration_digest);
  EXPECT_EQ(conversions(), 2u);
}

TEST_F(Variants, GeneratedInputsOfAnotherSeedAreNotTakenForReal) {
  const VariantFacts first = prepared();
  SampleOptions random;
  random.seed = 7;
  AXLE_ASSERT_OK_AND_ASSIGN(const GeneratedSamples samples, generate_samples(*runtime_, *model_, random));
  request_.samples = samples.tensors;
  EXPECT_EQ(prepared().variant, first.variant);
  EXPECT_THAT(found().note, ::testing::HasSubstr("generated inputs"));
  EXPECT_EQ(conversions(), 1u);
}

// ---- a converter that fails

struct Misdeed {
  const char* name;
  const char* script;  // of the conversion
  const char* told;
};

class VariantMisdeeds : public Variants, public ::testing::WithParamInterface<Misdeed> {};

TEST_P(VariantMisdeeds, IsToldAndNothingIsKept) {
  ASSERT_THAT(write_file_atomic(path("renamed.onnx"), quantised_copy("z")), IsOk());
  std::string script = GetParam().script;
  for (const std::string name : {"good.onnx", "renamed.onnx"}) {
    if (const size_t at = script.find("@" + name); at != std::string::npos) script.replace(at, name.size() + 1, path(name));
  }
  converter(script);
  const VariantFacts row = prepared();
  EXPECT_EQ(row.code, "CONVERSION");
  EXPECT_THAT(row.reason, HasSubstr(GetParam().told));
  EXPECT_EQ(row.variant.digest, "");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto entries, runtime_->cache()->ls());
  EXPECT_THAT(entries, IsEmpty());
  // It may do better the next time it is asked to.
  converter("cp " + path("good.onnx") + " \"$output\"");
  EXPECT_EQ(prepared().code, "");
}

INSTANTIATE_TEST_SUITE_P(
    Converter, VariantMisdeeds,
    ::testing::Values(Misdeed{"Refuses", "echo 'ValueError: no such operator' >&2; exit 1", "ValueError: no such operator"},
                      Misdeed{"Crashes", "kill -SEGV $$", "signal 11"}, Misdeed{"WritesNothing", "exit 0", "left no file"},
                      Misdeed{"WritesHalf", "head -c 60 @good.onnx > \"$output\"", "cannot be read"},
                      Misdeed{"WritesHalfAndFails", "head -c 60 @good.onnx > \"$output\"; exit 3", "exit code 3"},
                      Misdeed{"WritesAnotherModel", "cp @renamed.onnx \"$output\"", "output 0"},
                      Misdeed{"WritesNoise", "echo hello > \"$output\"", "cannot be read"},
                      Misdeed{"LeavesALink", "ln -s @good.onnx \"$output\"", "left no file"}),
    [](const auto& test) { return test.param.name; });

TEST_F(Variants, OfAConverterThatHangsEndWithTheTimeLimit) {
  start(300'000'000);
  converter("sleep 30");
  const VariantFacts row = prepared();
  EXPECT_EQ(row.code, "CONVERSION");
  EXPECT_THAT(row.reason, HasSubstr("took longer"));
}

TEST_F(Variants, ThatAreTheModelUnchangedAreRefused) {
  ModelBuilder builder;
  builder.input("x", testing::kF32, {-1, 4}, {"n"}).output("y", testing::kF32, {-1, 4}, {"n"});
  builder.node("Relu", {"x"}, {"y"}, "first");
  ASSERT_THAT(write_file_atomic(path("good.onnx"), builder.serialise()), IsOk());
  EXPECT_THAT(prepared().reason, HasSubstr("nothing of the copy is int8"));
}

TEST_F(Variants, WithoutAConverterAreToldWithTheInstallCommand) {
  converter("exit 0", "echo \"No module named 'onnx'\" >&2; exit 1");
  const VariantFacts row = prepared();
  EXPECT_EQ(row.code, "NO_CONVERTER");
  EXPECT_THAT(row.reason, HasSubstr("No module named 'onnx'"));
  const auto plan = make_plan(*runtime_, *model_, request_);
  EXPECT_THAT(plan.status(), StatusIs(StatusCode::kFailedPrecondition, "No module named 'onnx'"));
  EXPECT_EQ(plan.error().hint(), "pip install onnxruntime onnx");
}

TEST_F(Variants, EndWhenCancelled) {
  converter("sleep 30");
  request_.cancel = CancelToken();
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    request_.cancel.cancel();
  });
  EXPECT_THAT(prepare_variants(*runtime_, *model_, request_), StatusIs(StatusCode::kCancelled));
  canceller.join();
}

// ---- calibration data

TEST_F(Variants, RefuseCalibrationDataThatDoesNotFit) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor wrong, Tensor::allocate(DataType::kFloat32, {2, 5}));
  ASSERT_THAT(save_npz(path("wrong.npz"), std::vector<NamedTensor>{{"x", wrong}}), IsOk());
  ASSERT_THAT(save_npz(path("name.npz"), std::vector<NamedTensor>{{"image", wrong}}), IsOk());
  request_.policy.accuracy.calibration = path("wrong.npz");
  EXPECT_THAT(prepare_variants(*runtime_, *model_, request_), StatusIs(StatusCode::kInvalidArgument, "input 'x' is f32[2, 5]"));
  request_.policy.accuracy.calibration = path("name.npz");
  EXPECT_THAT(prepare_variants(*runtime_, *model_, request_), StatusIs(StatusCode::kInvalidArgument, "no input 'image'"));
  request_.policy.accuracy.calibration = path("absent.npz");
  EXPECT_THAT(prepare_variants(*runtime_, *model_, request_), StatusIs(StatusCode::kNotFound, "accuracy.calibration"));
  EXPECT_EQ(conversions(), 0u);
}

TEST(CalibrationSets, AreCutAlongTheFirstAxis) {
  const IoSpec image{"image", DataType::kFloat32, {{1, ""}, {3, ""}}, true, false};
  const IoSpec open{"open", DataType::kFloat32, {{-1, "n"}, {3, ""}}, true, false};
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor four, Tensor::allocate(DataType::kFloat32, {4, 3}));
  for (size_t i = 0; i < 12; ++i) four.mutable_as<float>()[i] = static_cast<float>(i);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto pieces, calibration_sets({image}, {{"image", four}}));
  ASSERT_THAT(pieces, SizeIs(4));
  EXPECT_THAT(pieces[2].front().tensor.shape(), ElementsAre(1, 3));
  EXPECT_THAT(pieces[2].front().tensor.as<float>(), ElementsAre(6, 7, 8));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto whole, calibration_sets({open}, {{"open", four}}));
  EXPECT_THAT(whole, SizeIs(1));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor stacked, four.reshaped({2, 2, 3}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto sets, calibration_sets({open}, {{"open", stacked}}));
  ASSERT_THAT(sets, SizeIs(2));
  EXPECT_THAT(sets[1].front().tensor.as<float>(), ElementsAre(6, 7, 8, 9, 10, 11));
  EXPECT_THAT(calibration_sets({image, open}, {{"image", four}, {"open", stacked}}).status(),
              StatusIs(StatusCode::kInvalidArgument, "4 sets of inputs, array 'open' 2"));
  EXPECT_THAT(calibration_sets({image}, {}).status(), StatusIs(StatusCode::kInvalidArgument, "no arrays"));
}

// ---- plans and sessions

TEST_F(Variants, AskedForByOnePrecisionAreMadeRunAndReported) {
  SessionOptions options;
  options.policy = request_.policy;
  options.runtime = runtime_;
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(*model_, options));
  const Partition& part = session.plan().partitions.front();
  ASSERT_TRUE(part.variant.has_value());
  EXPECT_EQ(part.candidate.variant, part.variant->name());
  EXPECT_THAT(part.candidate.format(), HasSubstr("/int8~qdq-"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto inputs, generate_inputs(*model_, {}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run(inputs));
  EXPECT_FLOAT_EQ(outputs.front().tensor.as<float>()[0], inputs.front().tensor.as<float>()[0] + 0.5f);
  const Decision& chosen = session.plan().decisions.front();
  ASSERT_TRUE(chosen.evidence && chosen.evidence->error);
  EXPECT_GT(chosen.evidence->error->max_relative, 0.1);
  ASSERT_THAT(chosen.evidence->error->outputs, SizeIs(1));
  EXPECT_EQ(chosen.evidence->error->outputs.front().name, "y");
}

// As on an NPU: fixed shapes only, of the copy too; one executable for each size, and the error of the first is reported.
TEST_F(Variants, RunInEachPreparedShapeWhereNoneStaysOpen) {
  testing::FakeScript& script = engine().script();
  script.capability.dynamic_shapes = kit::DynamicShapes::kNo;
  script.answer_support = [answer = script.answer_support](const kit::SupportArgs& args) {
    if (args.graph.input(0).shape()[0].size >= 0) return answer(args);
    kit::Support support;
    support.graph = support.otherwise = {kit::VerdictKind::kNo, "DYNAMIC_SHAPE", "fixed shapes only", -1};
    return support;
  };
  start();
  SessionOptions options;
  options.policy = request_.policy;
  options.policy.execution.static_shape = true;
  options.runtime = runtime_;
  EXPECT_THAT(Session::create(*model_, options),
              StatusIs(StatusCode::kFailedPrecondition,
                       "takes fixed shapes only: execution.static_shape: the model leaves axis n open"));
  EXPECT_THAT(Session::create(*model_, options).status().hint(), HasSubstr("[shapes] n = [1]"));
  EXPECT_EQ(conversions(), 0u);  // no copy could change that
  options.policy.shapes = {{"n", {4, 1, 8}}};
  AXLE_ASSERT_OK_AND_ASSIGN(const Session session, Session::create(*model_, options));
  ASSERT_THAT(session.plan().partitions, SizeIs(3));
  for (const Partition& part : session.plan().partitions) EXPECT_TRUE(part.variant.has_value());
  for (const int64_t size : {1, 4, 8}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto inputs, generate_inputs(*model_, {.axis_size = size}));
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, session.run(inputs));
    EXPECT_FLOAT_EQ(outputs.front().tensor.as<float>()[0], inputs.front().tensor.as<float>()[0] + 0.5f);
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const auto three, generate_inputs(*model_, {.axis_size = 3}));
  EXPECT_THAT(session.run(three), StatusIs(StatusCode::kInvalidArgument, "prepared for n=3: prepared are n=4; n=1; n=8"));
  const Decision& chosen = session.plan().decisions.front();
  ASSERT_TRUE(chosen.evidence && chosen.evidence->error);
  EXPECT_GT(chosen.evidence->error->max_relative, 0.1);
  EXPECT_EQ(conversions(), 1u);
}

TEST_F(Variants, AreAdmittedByTheirErrorAlone) {
  TuneOptions options;
  options.policy.execution.precisions = {"int8", "f32"};
  options.policy.execution.threads = 1;
  options.policy.accuracy.max_relative_error = 1e-3;
  options.budget_ns = 400'000'000;
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport strict, tune(*runtime_, *model_, options));
  EXPECT_FALSE(strict.plan.partitions.front().variant.has_value());
  EXPECT_TRUE(std::any_of(strict.rows.begin(), strict.rows.end(), [](const TuneRow& row) {
    return row.verdict == "gated" && row.candidate.find("~qdq-") != std::string::npos && row.error;
  }));
  options.policy.accuracy.max_relative_error = 10;
  AXLE_ASSERT_OK_AND_ASSIGN(const TuneReport loose, tune(*runtime_, *model_, options));
  EXPECT_TRUE(loose.plan.partitions.front().variant.has_value());
}

TEST_F(Variants, AreInALockThatHolds) {
  request_.prepare = true;
  request_.keep_input = true;
  AXLE_ASSERT_OK_AND_ASSIGN(const PlanReport report, make_plan(*runtime_, *model_, request_));
  ASSERT_TRUE(report.plan.partitions.front().variant.has_value());
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock lock, make_lock(report.plan, report.input_json));
  EXPECT_THAT(check_replans(lock), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string text, lock_to_json(lock));
  AXLE_ASSERT_OK_AND_ASSIGN(const Lock again, parse_lock(text));
  EXPECT_EQ(again, lock);
  SessionOptions options;
  options.runtime = runtime_;
  EXPECT_THAT(Session::load(*model_, again, options).status(), IsOk());
  // Where the copy is not, it is not replaced by anything.
  AXLE_ASSERT_OK_AND_ASSIGN(const auto removed, runtime_->cache()->rm("*"));
  EXPECT_GE(removed.removed_entries, 1u);
  EXPECT_THAT(Session::load(*model_, again, options).status(), StatusIs(StatusCode::kFailedPrecondition, "is not here"));
}

TEST_F(Variants, ThatWereExchangedInTheCacheAreRefused) {
  const VariantFacts row = prepared();
  Variant other = row.variant;
  other.digest = "sha256:" + std::string(64, '0');
  EXPECT_THAT(open_variant(*runtime_, *model_, other).status(), StatusIs(StatusCode::kDataLoss, "is another"));
  EXPECT_THAT(open_variant(*runtime_, *model_, row.variant).status(), IsOk());
}

}  // namespace
}  // namespace axle
