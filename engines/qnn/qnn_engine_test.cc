// The plugin through the C ABI, driven by the host's own classes: what it says of itself, computes and refuses.
#include <filesystem>
#include <fstream>

#include "engine/testing/engine_case.h"
#include "qnn_models.h"

namespace axle::testing {
namespace {

using ::testing::HasSubstr;

class QnnEngine : public EngineCase {
 protected:
  QnnEngine() : EngineCase("qnn", "npu:0") {}
};

TEST_F(QnnEngine, IsClosedAndBringsASimulatedNpu) {
  EXPECT_TRUE(engine_->info().closed);
  EXPECT_FALSE(engine_->info().honours_cpu_set);
  ASSERT_TRUE(engine_->info().library.has_value());
  EXPECT_TRUE(std::filesystem::exists(engine_->info().library->path));
  EXPECT_THAT(engine_->info().library->version, HasSubstr(" on onnxruntime 1."));
  const std::vector<EngineResource> resources = engine_->resources();
  ASSERT_EQ(resources.size(), 1u);
  const Resource& resource = resources.front().resource;
  EXPECT_EQ(resource.kind, ResourceKind::kNpu);
  EXPECT_TRUE(resource.simulated);
  EXPECT_EQ(resource.name, "Qualcomm HTP x86 emulator");
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine_->capability("npu:0"));
  EXPECT_TRUE(capability.needs_compile);
  EXPECT_TRUE(capability.can_compile);
  EXPECT_EQ(capability.dynamic_shapes, DynamicShapes::kNo);
  EXPECT_THAT(engine_->capability("cpu:0"), StatusIs(StatusCode::kNotFound));
}

TEST_F(QnnEngine, ComputesAFloatModelInFloats) {
  const EngineLoadRequest asked = request(graph_of_text(kFixedMlp));
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(asked));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kYes) << verdict.graph.text;
  const auto executable = load(asked);
  ASSERT_NE(executable, nullptr);
  EXPECT_EQ(executable->effective().precision, "f32");
  EXPECT_TRUE(executable->effective().precision_read_back);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_NEAR(outputs.at("y").as<float>()[0], 16.5f, 1e-5f);
  EXPECT_NEAR(outputs.at("y").as<float>()[1], 19.5f, 1e-5f);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto counters, executable->counters());
  EXPECT_GT(counters.at("nodes_float"), 0);
  EXPECT_EQ(counters.at("nodes_fixed8"), 0);
}

// The emulator really computes in f16: 2049 is none of its numbers.
TEST_F(QnnEngine, ComputesAFloatModelInHalf) {
  EngineLoadRequest old = request(graph_of_text(kFixedMlp), {{"htp_arch", "68"}});
  old.precision = "f16";
  EXPECT_THAT(engine_->load(old), StatusIs(StatusCode::kUnimplemented, "v68"));
  for (const char* arch : {"69", "73", "75", "79", "81"}) {
    EngineLoadRequest asked = request(graph_of_text(kFixedMlp), {{"htp_arch", arch}});
    asked.precision = "f16";
    AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(asked));
    EXPECT_EQ(verdict.graph.kind, VerdictKind::kYes) << arch << ": " << verdict.graph.text;
    const auto executable = load(asked);
    ASSERT_NE(executable, nullptr) << arch;
    EXPECT_EQ(executable->effective().precision, "f16");
    EXPECT_FALSE(executable->effective().precision_read_back);  // the description says floats
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({1, 4}, {2049, 0, 0, 0})}}));
    EXPECT_NE(outputs.at("y").as<float>()[0], 2049.5f) << arch;
    EXPECT_NEAR(outputs.at("y").as<float>()[0], 2049.5f, 2.0f) << arch;
  }
}

TEST_F(QnnEngine, ComputesAQuantisedModelInIntegers) {
  EngineLoadRequest asked = request(graph_of_text(kQuantised));
  asked.precision = "int8";
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(asked));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kYes) << verdict.graph.text;
  const auto executable = load(asked);
  ASSERT_NE(executable, nullptr);
  EXPECT_EQ(executable->effective().precision, "int8");
  EXPECT_TRUE(executable->effective().precision_read_back);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_NEAR(outputs.at("y").as<float>()[0], 3.2f, 0.101f);  // one step
  EXPECT_NEAR(outputs.at("y").as<float>()[1], 4.0f, 0.101f);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto counters, executable->counters());
  EXPECT_GT(counters.at("nodes_fixed8"), 0);
}

TEST_F(QnnEngine, PrecisionsAreThoseOfTheModel) {
  EngineLoadRequest floats = request(graph_of_text(kFixedMlp));
  floats.precision = "int8";
  AXLE_ASSERT_OK_AND_ASSIGN(GraphVerdict verdict, engine_->support(floats));
  EXPECT_EQ(verdict.graph.code, "PRECISION");
  EXPECT_THAT(engine_->load(floats), StatusIs(StatusCode::kUnimplemented, "not quantised"));
  EngineLoadRequest quantised = request(graph_of_text(kQuantised));
  AXLE_ASSERT_OK_AND_ASSIGN(verdict, engine_->support(quantised));
  EXPECT_EQ(verdict.graph.code, "PRECISION");
  quantised.precision = "bf16";
  EXPECT_THAT(engine_->load(quantised), StatusIs(StatusCode::kUnimplemented, "bf16"));
}

TEST_F(QnnEngine, NamesTheNodesThatItDoesNotTake) {
  const auto made = graph_of_text(kWithDet);
  ASSERT_NE(made, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(made)));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kYes);
  EXPECT_EQ(verdict.of_node(1).kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(1).code, "UNSUPPORTED_OP");
  EXPECT_FALSE(verdict.of_node(1).text.empty());
  EXPECT_EQ(verdict.of_node(2).kind, VerdictKind::kYes);
}

// The provider promises such nodes and fails when it runs them.
TEST_F(QnnEngine, RefusesOutputsWhoseSizeDependsOnValues) {
  const auto made = graph_of_text(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[4] x) => (int64[1, m] y) { y = NonZero(x) })");
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(made)));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(0).code, "DYNAMIC_SHAPE");
}

// Its CPU may not stand in: a node that the NPU lacks is an error at load, too.
TEST_F(QnnEngine, RunsNothingOnTheCpu) {
  EXPECT_THAT(engine_->load(request(graph_of_text(kWithDet))), StatusIs(StatusCode::kUnknown, "QNN cannot compile the model"));
}

TEST_F(QnnEngine, TakesFixedShapesOnly) {
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(graph_of_text(kMlp))));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.graph.code, "DYNAMIC_SHAPE");
}

TEST_F(QnnEngine, RefusesOptionsThatTheVendorWouldIgnore) {
  EngineLoadRequest asked = request(graph_of_text(kFixedMlp));
  asked.options["no_such_option"] = "1";
  EXPECT_THAT(engine_->load(asked), StatusIs(StatusCode::kInvalidArgument, "no_such_option"));
  asked.options.erase("no_such_option");
  asked.options["htp_arch"] = "99";
  EXPECT_THAT(engine_->load(asked), StatusIs(StatusCode::kInvalidArgument, "htp_arch"));
}

TEST_F(QnnEngine, CompilesForEveryArchitecture) {
  for (const char* arch : {"68", "69", "73", "75", "79", "81"}) {
    const auto executable = load(request(graph_of_text(kFixedMlp), {{"htp_arch", arch}}));
    ASSERT_NE(executable, nullptr) << arch;
    EXPECT_EQ(executable->effective().options.at("htp_arch"), arch);
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
    EXPECT_NEAR(outputs.at("y").as<float>()[0], 16.5f, 1e-5f) << arch;
  }
}

// A machine's NPU says its generation; the option is the engine's answer for that one.
TEST_F(QnnEngine, CompilesForTheGenerationThatAMachineNames) {
  Resource npu;
  npu.kind = ResourceKind::kNpu;
  npu.name = "Qualcomm Hexagon (X1E80100)";
  npu.driver = "fastrpc 6.14.0";
  const auto options_for = [&](const std::string& generation) -> Result<OptionSpec> {
    npu.attributes.clear();
    if (!generation.empty()) npu.attributes["hexagon"] = generation;
    AXLE_ASSIGN_OR_RETURN(const std::string target, engine_->target_for(npu));
    AXLE_ASSIGN_OR_RETURN(const Capability capability, engine_->capability(target));
    return capability.options.front();
  };
  for (const char* arch : {"68", "69", "73", "75", "79", "81"}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const OptionSpec option, options_for(std::string("v") + arch));
    EXPECT_EQ(option.name, "htp_arch");
    EXPECT_EQ(option.default_value, arch);
    EXPECT_THAT(option.choices, ::testing::ElementsAre(arch));
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const OptionSpec unknown, options_for(""));
  EXPECT_EQ(unknown.default_value, "unknown");
  EXPECT_THAT(options_for("v66"), StatusIs(StatusCode::kFailedPrecondition, "compiles for no npu"));
}

TEST_F(QnnEngine, LeavesStandardOutputAlone) {
  ::testing::internal::CaptureStdout();
  const auto executable = load(request(graph_of_text(kFixedMlp)));
  const auto outputs = executable == nullptr ? Result<std::map<std::string, Tensor>>(internal_error("not loaded"))
                                             : run_once(*executable, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}});
  const auto refused = engine_->support(request(graph_of_text(kWithDet)));
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_THAT(outputs, IsOk());
  EXPECT_THAT(refused, IsOk());
}

TEST(QnnLibrary, SaysWhatIsWrongWithAnExplicitPath) {
  const ScratchFolder folder;
  const std::string alone = folder.path() + "/libonnxruntime_providers_qnn.so";
  std::ofstream(alone) << "no library";
  struct Case {
    std::string path;
    const char* reason;
  };
  for (const Case& wrong :
       {Case{"/no/such/libonnxruntime_providers_qnn.so", "No such file"}, Case{alone, "has no libQnnHtp.so"}}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, registry_of("qnn", wrong.path));
    const auto engine = registry->open("qnn");
    EXPECT_THAT(engine, StatusIs(StatusCode::kUnavailable, wrong.reason)) << wrong.path;
    EXPECT_THAT(engine.status().hint(), HasSubstr("axle engines install qnn")) << wrong.path;
  }
}

}  // namespace
}  // namespace axle::testing
