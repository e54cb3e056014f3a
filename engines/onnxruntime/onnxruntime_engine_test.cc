// The plugin through the C ABI, driven by the host's own classes: what it says of itself, offers, reports and refuses.
#include <sched.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "engine/testing/engine_case.h"

namespace axle::testing {
namespace {

class OnnxRuntimeEngine : public EngineCase {
 protected:
  OnnxRuntimeEngine() : EngineCase("onnxruntime") {}
};

TEST_F(OnnxRuntimeEngine, SaysExactlyWhichLibraryItOpened) {
  ASSERT_TRUE(engine_->info().library.has_value());
  EXPECT_TRUE(std::filesystem::exists(engine_->info().library->path));
  EXPECT_EQ(engine_->info().library->version.substr(0, 2), "1.");
  EXPECT_EQ(engine_->info().cancel_latency, CancelLatency::kNode);
  EXPECT_TRUE(engine_->info().honours_cpu_set);
}

TEST_F(OnnxRuntimeEngine, OffersTheCpuWithDeclaredOptions) {
  const auto capability = engine_->capability("cpu:0");
  ASSERT_THAT(capability, IsOk());
  EXPECT_TRUE(capability->ops_probed);
  EXPECT_LE(capability->presets.size(), kMaxPresets);
  for (const Preset& preset : capability->presets)
    EXPECT_THAT(resolve_options(*capability, preset.name, {}), IsOk()) << preset.name;
}

TEST_F(OnnxRuntimeEngine, NamesTheNodeItCannotRun) {
  const auto made = graph_of_text(R"(<ir_version: 8, opset_import: ["": 17, "vendor.test": 1]>
      g (float[n] x) => (float[n] y) { a = Relu(x)  b = vendor.test.Gizmo(a)  y = Neg(b) })");
  ASSERT_NE(made, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(made)));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kYes);
  EXPECT_EQ(verdict.of_node(1).kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(1).code, "UNSUPPORTED_OP");
  EXPECT_THAT(verdict.of_node(1).text, ::testing::HasSubstr("Gizmo"));
}

// Another engine of the same library stands for another process: what it is given was found with another model, and is not tried again.
TEST_F(OnnxRuntimeEngine, TriesNoKindOfNodeTwiceForTheWholeLibrary) {
  const auto model = [](const std::string& node, const std::string& alpha) {
    return graph_of_text(R"(<ir_version: 8, opset_import: ["": 17, "vendor.test": 1]>
      g (float[n] x) => (float[n] y) { )" +
                         node + R"(_a = LeakyRelu <alpha = )" + alpha + R"(> (x)  b = Neg()" + node +
                         R"(_a)  y = vendor.test.Gizmo(b) })");
  };
  EngineLoadRequest first = request(model("first", "0.1"));
  first.scratch_folder = scratch_.path();
  const std::string file = scratch_.path() + "/known-nodes";
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict found, engine_->support(first));
  std::ifstream in(file);
  std::string notes, line;
  int refused = 0, taken = 0;
  while (std::getline(in, line)) {
    const size_t no = line.find(" no UNSUPPORTED_OP ");
    taken += line.ends_with(" yes") ? 1 : 0;
    refused += no != std::string::npos ? 1 : 0;
    // Words that no library says.
    notes += no != std::string::npos ? line.substr(0, no) + " no UNSUPPORTED_OP remembered%20of%20'%010%01'" : line;
    notes += '\n';
  }
  EXPECT_EQ(refused, 1) << notes;
  EXPECT_EQ(taken, 2) << notes;
  std::ofstream(file) << notes;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, registry_of("onnxruntime"));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto other, registry->open("onnxruntime"));
  const auto graph = model("second", "0.2");
  EngineLoadRequest second = request(graph);
  second.scratch_folder = scratch_.path();
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, other->support(second));
  EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kYes);
  EXPECT_EQ(verdict.of_node(1).kind, VerdictKind::kYes);
  EXPECT_EQ(verdict.of_node(2).kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(2).text, "remembered of '" + graph->graph().nodes[2].name + "'");
}

TEST_F(OnnxRuntimeEngine, NamesTheTypeItHasNoKernelFor) {
  const auto made = graph_of_text(R"(<ir_version: 8, opset_import: ["": 17]>
      g (uint16[n] x) => (uint16[n] z) { y = Max(x, x)  z = Identity(y) })");
  ASSERT_NE(made, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(made)));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(1).kind, VerdictKind::kYes);
}

TEST_F(OnnxRuntimeEngine, ConvertsNoPrecision) {
  const auto made = graph_of_text(kMlp);
  for (const char* precision : {"int8", "f16", "bf16"}) {
    EngineLoadRequest asked = request(made);
    asked.precision = precision;
    AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(asked));
    EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo) << precision;
    EXPECT_EQ(verdict.graph.code, "PRECISION") << precision;
    EXPECT_THAT(engine_->load(asked), StatusIs(StatusCode::kUnimplemented)) << precision;
  }
}

TEST_F(OnnxRuntimeEngine, RefusesOptionsAndProvidersItDoesNotHave) {
  EngineLoadRequest unknown = request(graph_of_text(kMlp));
  unknown.options["no_such_option"] = "1";
  EXPECT_THAT(engine_->load(unknown), StatusIs(StatusCode::kInvalidArgument, "no_such_option"));
  EngineLoadRequest foreign = request(graph_of_text(kMlp));
  foreign.options["provider"] = "cuda";
  EXPECT_THAT(engine_->load(foreign), StatusIs(StatusCode::kUnavailable, "cuda"));
}

TEST_F(OnnxRuntimeEngine, ReportsWhatIsInForce) {
  EngineLoadRequest asked = request(graph_of_text(kMlp), {{"graph_optimization_level", "basic"}});
  asked.threads = 2;
  const auto executable = load(asked);
  ASSERT_NE(executable, nullptr);
  EXPECT_EQ(executable->effective().threads, 2);
  EXPECT_EQ(executable->effective().precision, "f32");
  EXPECT_FALSE(executable->effective().spin);
  EXPECT_EQ(executable->effective().options.at("graph_optimization_level"), "basic");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto counters, executable->counters());
  EXPECT_EQ(counters.at("worker_threads"), 1);
}

// The affinity masks of this process's threads of that name, as the kernel tells them.
std::vector<std::string> affinities_of_threads(const std::string& name) {
  std::vector<std::string> masks;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string comm;
    std::ifstream(task.path() / "comm") >> comm;
    if (comm != name) continue;
    std::ifstream status(task.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Cpus_allowed_list:")) masks.push_back(line.substr(line.find_last_of("\t ") + 1));
    }
  }
  std::sort(masks.begin(), masks.end());
  return masks;
}

TEST_F(OnnxRuntimeEngine, KeepsTwoSessionsOnTheirOwnCpus) {
  cpu_set_t allowed;
  ASSERT_EQ(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  if (!CPU_ISSET(0, &allowed) || !CPU_ISSET(1, &allowed)) GTEST_SKIP() << "CPUs 0 and 1 are not both allowed here";
  EngineLoadRequest first = request(graph_of_text(kMlp));
  first.threads = 2;
  first.cpu_set = {0};
  EngineLoadRequest second = first;
  second.cpu_set = {1};
  const auto one = load(first);
  const auto other = load(second);
  ASSERT_NE(one, nullptr);
  ASSERT_NE(other, nullptr);
  EXPECT_TRUE(one->effective().cpu_set_honoured);
  EXPECT_EQ(one->effective().cpu_set, (std::vector<int32_t>{0}));
  EXPECT_EQ(affinities_of_threads("axle-ort"), (std::vector<std::string>{"0", "1"}));
}

TEST_F(OnnxRuntimeEngine, RefusesCpusThatAreNotThere) {
  EngineLoadRequest asked = request(graph_of_text(kMlp));
  asked.threads = 2;
  asked.cpu_set = {4095};
  EXPECT_THAT(engine_->load(asked), StatusIs(StatusCode::kFailedPrecondition, "CPUs"));
}

TEST(OnnxRuntimeLibrary, SaysWhatIsWrongWithAnExplicitPath) {
  struct Case {
    std::string path;
    const char* reason;
  };
  for (const Case& wrong : {Case{"/no/such/libonnxruntime.so", "No such file"}, Case{"/etc/passwd", "invalid ELF header"},
                            Case{AXLE_ORT_OLD_LIBRARY, "too old"}, Case{"libm.so.6", "not ONNX Runtime"}}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, registry_of("onnxruntime", wrong.path));
    const auto engine = registry->open("onnxruntime");
    EXPECT_THAT(engine, StatusIs(StatusCode::kUnavailable, wrong.reason)) << wrong.path;
    EXPECT_THAT(engine.status().hint(), ::testing::HasSubstr("pip install onnxruntime")) << wrong.path;
  }
}

}  // namespace
}  // namespace axle::testing
