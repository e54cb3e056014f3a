// The plugin through the C ABI, driven by the host's own classes: what it says of itself, offers, reports and refuses.
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

class OpenVinoEngine : public EngineCase {
 protected:
  OpenVinoEngine() : EngineCase("openvino") {}
};

TEST_F(OpenVinoEngine, SaysWhichLibraryItOpenedAndThatItCannotKeepCpuSets) {
  ASSERT_TRUE(engine_->info().library.has_value());
  EXPECT_TRUE(std::filesystem::exists(engine_->info().library->path));
  EXPECT_EQ(engine_->info().library->version.substr(0, 2), "20");
  EXPECT_FALSE(engine_->info().honours_cpu_set);
}

TEST_F(OpenVinoEngine, OffersTheCpuWithDeclaredOptions) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine_->capability("cpu:0"));
  EXPECT_THAT(capability.formats, ::testing::IsSupersetOf({"onnx", "openvino-ir"}));
  for (const Preset& preset : capability.presets)
    EXPECT_THAT(resolve_options(capability, preset.name, {}), IsOk()) << preset.name;
  EXPECT_THAT(engine_->capability("AUTO"), StatusIs(StatusCode::kNotFound));
}

TEST_F(OpenVinoEngine, NamesTheNodeItCannotRun) {
  const auto graph = graph_of_text(R"(<ir_version: 8, opset_import: ["": 17, "vendor.test": 1]>
      g (float[n] x) => (float[n] y) { a = Relu(x)  b = vendor.test.Gizmo(a)  y = Neg(b) })");
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(graph)));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kUnknown);
  EXPECT_EQ(verdict.of_node(1).kind, VerdictKind::kNo) << verdict.graph.text;
  EXPECT_THAT(verdict.of_node(1).text, ::testing::HasSubstr("Gizmo"));
}

// Guards: it answered the least finite number where ONNX says minus infinity, and what happened to be in memory.
TEST_F(OpenVinoEngine, RefusesReductionsOfNothingThatItMakesUp) {
  const auto reduction = [](const char* input, const char* node) {
    return graph_of_text(std::string(R"(<ir_version: 8, opset_import: ["": 20]> g ()") + input +
                         " x) => (y) <int64[1] first = {0}, int64[0] none = {}> { s = Identity(x) y = " + node + " }");
  };
  struct Case {
    const char *input, *node;
    bool runs;
  };
  for (const auto& [input, node, runs] :
       {Case{"float[0, 3]", "ReduceMax(s, first)", false}, Case{"double[0, 3]", "ReduceMin(s)", false},
        Case{"int64[3, 0]", "ReduceMax(s, none)", false}, Case{"float[0, 3]", "ArgMax(s)", false},
        Case{"float[3, 0]", "ArgMin <axis = -1> (s)", false}, Case{"float[1, 2, 0]", "GlobalAveragePool(s)", false},
        Case{"float[3, 0]", "ReduceMax(s, first)", true}, Case{"float[0, 3]", "ArgMax <axis = 1> (s)", true},
        Case{"float[0, 3]", "ReduceMax <noop_with_empty_axes = 1> (s)", true}, Case{"int32[0, 3]", "ReduceMax(s, first)", true},
        Case{"float[0, 3]", "ReduceMean(s, first)", true}, Case{"float[n, 3]", "ReduceMax(s, first)", true}}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(reduction(input, node))));
    EXPECT_EQ(verdict.graph.kind, runs ? VerdictKind::kYes : VerdictKind::kNo) << input << " " << node << verdict.graph.text;
    if (runs) continue;
    EXPECT_EQ(verdict.graph.code, "SHAPE");
    EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kUnknown);
    EXPECT_EQ(verdict.of_node(1).kind, VerdictKind::kNo);
    EXPECT_THAT(verdict.of_node(1).text, ::testing::HasSubstr("axis of size 0"));
  }
}

TEST_F(OpenVinoEngine, PromisesNothingBelowF32BeforeItIsLoaded) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine_->capability("cpu:0"));
  EngineLoadRequest asked = request(graph_of_text(kMlp));
  asked.precision = "bf16";
  if (std::none_of(capability.precisions.begin(), capability.precisions.end(),
                   [](const auto& p) { return p.name == "bf16"; })) {
    GTEST_SKIP() << "this CPU has no bf16";
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(asked));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kUnknown);
  const auto executable = load(asked);
  ASSERT_NE(executable, nullptr);
  EXPECT_TRUE(executable->effective().precision_read_back);
  EXPECT_FALSE(executable->effective().kernels.empty());
  asked.precision = "int8";
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict integers, engine_->support(asked));
  EXPECT_EQ(integers.graph.code, "PRECISION");
}

// The library takes bf16 on every processor with AVX-512, and only emulates it where there are no instructions for it.
TEST_F(OpenVinoEngine, SaysWhetherBf16IsTheProcessorsOwn) {
  std::ifstream in("/proc/cpuinfo");
  const std::string text = (std::ostringstream() << in.rdbuf()).str();
  const auto has = [&](const char* flag) { return text.find(std::string(" ") + flag) != std::string::npos; };
  if (!has("avx2")) GTEST_SKIP() << "flags of x86 are what is compared";
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine_->capability("cpu:0"));
  for (const auto& precision : capability.precisions) {
    bool native = true;
    if (precision.name == "bf16") native = has("avx512_bf16") || has("amx_bf16") || has("avx_ne_convert");
    if (precision.name == "f16") native = has("avx512_fp16") || has("amx_fp16") || has("avx_ne_convert");
    EXPECT_EQ(precision.native, native) << precision.name;
  }
}

TEST_F(OpenVinoEngine, RefusesOptionsItDoesNotHave) {
  EngineLoadRequest unknown = request(graph_of_text(kMlp));
  unknown.options["no_such_option"] = "1";
  EXPECT_THAT(engine_->load(unknown), StatusIs(StatusCode::kInvalidArgument, "no_such_option"));
}

TEST_F(OpenVinoEngine, RunsAsManyAtOnceAsThereAreThreadsForThroughput) {
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine_->capability("cpu:0"));
  const auto preset = std::ranges::find(capability.presets, "throughput", &Preset::name);
  ASSERT_NE(preset, capability.presets.end());
  EngineLoadRequest asked = request(graph_of_text(kMlp));
  asked.threads = 2;
  asked.options = preset->options;
  const auto executable = load(asked);
  ASSERT_NE(executable, nullptr);
  // "0" only where the library has made one stream for each thread.
  EXPECT_THAT(executable->effective().json, ::testing::HasSubstr(R"("num_streams":"0")"));
  EXPECT_EQ(executable->effective().threads, 2);
}

double process_seconds(int who) {
  rusage usage{};
  getrusage(who, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec) + static_cast<double>(usage.ru_utime.tv_usec) * 1e-6;
}

TEST_F(OpenVinoEngine, ComputesOnTheCallingThreadAloneWithOneThread) {
  EngineLoadRequest asked = request(graph_of_text(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[700, 700] x) => (float[700, 700] y) { a = MatMul(x, x)  b = MatMul(a, x)  y = MatMul(b, x) })"));
  asked.cpu_set = {0};
  const auto executable = load(asked);
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  ASSERT_THAT(context.bind_input(0, float_tensor({700, 700}, std::vector<float>(700 * 700, 0.001f))), IsOk());
  const double all = process_seconds(RUSAGE_SELF), mine = process_seconds(RUSAGE_THREAD);
  for (int i = 0; i < 10; ++i) ASSERT_THAT(context.run(), IsOk());
  const double others = (process_seconds(RUSAGE_SELF) - all) - (process_seconds(RUSAGE_THREAD) - mine);
  EXPECT_LT(others, 0.2 * (process_seconds(RUSAGE_THREAD) - mine));
  asked.threads = 2;
  const auto wider = load(asked);
  ASSERT_NE(wider, nullptr);
  EXPECT_FALSE(wider->effective().cpu_set_honoured) << "this process is not confined to one CPU";
}

TEST(OpenVinoLibrary, SaysWhatIsWrongWithAnExplicitPath) {
  for (const auto& [path, reason] :
       {std::pair("/no/such/libopenvino_c.so", "No such file"), std::pair("/etc/passwd", "invalid ELF header"),
        std::pair("libm.so.6", "not OpenVINO"),
        std::pair(AXLE_OPENVINO_OLD_LIBRARY, "is OpenVINO 2023.3.0, too old: 2024.0 or newer is needed")}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto plugins, registry_of("openvino", path));
    const auto engine = plugins->open("openvino");
    EXPECT_THAT(engine, StatusIs(StatusCode::kUnavailable, reason)) << path;
    EXPECT_THAT(engine.status().hint(), ::testing::HasSubstr("pip install openvino")) << path;
  }
}

}  // namespace
}  // namespace axle::testing
