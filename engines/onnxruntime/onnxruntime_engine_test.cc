// The plugin through the C ABI, driven by the host's own classes: what it says of itself, loads, runs and refuses.
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <thread>

#include "testing/engine_case.h"
#include "trace/sink.h"

namespace axle::testing {
namespace {

constexpr const char* kMlp = R"(<ir_version: 8, opset_import: ["": 17]>
  mlp (float[n, 4] x) => (float[n, 2] y)
  <float[4, 2] w = {1, 2, 3, 4, 5, 6, 7, 8}, float[2] b = {0.5, -0.5}>
  { h = MatMul(x, w)  y = Add(h, b) })";

constexpr const char* kNonZero = R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[n] x) => (int64[1, m] y) { y = NonZero(x) })";

// About 10 s if nobody stops it.
constexpr const char* kLongLoop = R"(<ir_version: 8, opset_import: ["": 17]>
  g (float[64, 64] x) => (float[64, 64] y)
  <int64 trips = {200000}, bool go = {1}>
  { y = Loop(trips, go, x) <body = b (int64 i, bool c, float[64, 64] s) => (bool d, float[64, 64] t) { d = Identity(c)  p = MatMul(s, s)  t = Tanh(p) }> })";

std::shared_ptr<const GraphIndex> graph(const char* text) {
  auto made = graph_from_text(text);
  EXPECT_THAT(made, IsOk());
  return made.has_value() ? *made : nullptr;
}

class EventList final : public TraceSink {
 public:
  void record(const TraceEvent& event) noexcept override { all.push_back(event); }
  TraceText intern(std::string_view) override { return 1; }
  std::vector<TraceEvent> all;
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

TEST_F(OnnxRuntimeEngine, RunsWithItsOwnOutputsAndWithTheCallers) {
  const auto executable = load(request(graph(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({1, 4}, {1, 1, 1, 1});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView own, context.output(0));
  EXPECT_EQ(static_cast<const float*>(own.data)[0], 16.5f);
  EXPECT_EQ(static_cast<const float*>(own.data)[1], 19.5f);

  Tensor y = float_tensor({1, 2}, {0, 0});
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  for (int repeat = 0; repeat < 3; ++repeat) {  // the third goes through the vendor's binding
    static_cast<float*>(y.mutable_data())[0] = 0;
    ASSERT_THAT(context.run(), IsOk());
    EXPECT_EQ(y.as<float>()[0], 16.5f);
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView bound, context.output(0));
  EXPECT_EQ(bound.data, y.data());
  ASSERT_THAT(context.unbind_output(0), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView again, context.output(0));
  EXPECT_NE(again.data, y.data());
}

TEST_F(OnnxRuntimeEngine, SeesNewBytesBehindABoundInput) {
  const auto executable = load(request(graph(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  Tensor x = float_tensor({1, 4}, {0, 0, 0, 0});
  Tensor y = float_tensor({1, 2}, {9, 9});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  for (int repeat = 0; repeat < 4; ++repeat) {
    x.mutable_as<float>()[0] = static_cast<float>(repeat);
    ASSERT_THAT(context.run(), IsOk());
    EXPECT_EQ(y.as<float>()[0], static_cast<float>(repeat) + 0.5f);
  }
}

TEST_F(OnnxRuntimeEngine, RunsOneContextWithChangingShapes) {
  const auto executable = load(request(graph(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  for (const int64_t rows : {1, 3, 0, 2}) {
    const Tensor x = float_tensor({rows, 4}, std::vector<float>(static_cast<size_t>(rows) * 4, 1.0f));
    Tensor y = float_tensor({rows, 2}, std::vector<float>(static_cast<size_t>(rows) * 2, 0.0f));
    ASSERT_THAT(context.bind_input(0, x), IsOk());
    ASSERT_THAT(context.bind_output(0, y), IsOk());
    ASSERT_THAT(context.run(), IsOk());
    for (int64_t row = 0; row < rows; ++row) EXPECT_EQ(y.as<float>()[static_cast<size_t>(row) * 2], 16.5f);
  }
}

TEST_F(OnnxRuntimeEngine, CopiesWhenTheRealShapeDiffersFromTheBoundOne) {
  const auto executable = load(request(graph(kNonZero)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({4}, {1, 0, 0, 1});
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor y, Tensor::allocate(DataType::kInt64, {1, 4}));
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  for (int repeat = 0; repeat < 2; ++repeat) {
    ASSERT_THAT(context.run(), IsOk());
    AXLE_ASSERT_OK_AND_ASSIGN(const OutputView view, context.output(0));
    EXPECT_EQ(Shape(view.shape.begin(), view.shape.end()), (Shape{1, 2}));
    EXPECT_EQ(view.data, y.data());
    EXPECT_EQ(y.as<int64_t>()[1], 3);
  }
}

TEST_F(OnnxRuntimeEngine, SaysHowManyBytesAnOutputNeeds) {
  const auto executable = load(request(graph(kNonZero)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({4}, {1, 1, 1, 1});
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor y, Tensor::allocate(DataType::kInt64, {1, 2}));
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  const Status failed = context.run();
  EXPECT_THAT(failed, StatusIs(StatusCode::kOutOfRange, "needs 32 bytes"));
  EXPECT_THAT(failed.details(), ::testing::Contains(std::pair<std::string, std::string>("required_bytes", "32")));
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor large, Tensor::allocate(DataType::kInt64, {1, 4}));
  ASSERT_THAT(context.bind_output(0, large), IsOk());
  EXPECT_THAT(context.run(), IsOk());
  EXPECT_EQ(large.as<int64_t>()[3], 3);
}

TEST_F(OnnxRuntimeEngine, StaysWithTheCallersMemoryAfterAFailedRun) {
  const auto executable = load(request(graph(R"(<ir_version: 8, opset_import: ["": 17]>
      g (float[n] x, int64[k] i) => (float[k] y) { y = Gather(x, i) })")));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({2}, {5, 6});
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor i, Tensor::allocate(DataType::kInt64, {1}));
  Tensor y = float_tensor({1}, {0});
  i.mutable_as<int64_t>()[0] = 99;
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_input(1, i), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  const Status failed = context.run();
  EXPECT_FALSE(failed.ok());
  EXPECT_THAT(failed.message(), ::testing::HasSubstr("Gather"));
  i.mutable_as<int64_t>()[0] = 1;
  for (int repeat = 0; repeat < 3; ++repeat) {
    y.mutable_as<float>()[0] = 0;
    ASSERT_THAT(context.run(), IsOk());
    EXPECT_EQ(y.as<float>()[0], 6.0f);
  }
}

TEST_F(OnnxRuntimeEngine, RecordsTheNodesOfOneRun) {
  const auto executable = load(request(graph(kMlp), {{"graph_optimization_level", "none"}}));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({1, 4}, {1, 1, 1, 1});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  EventList events;
  RunProfile profile;
  profile.sink = &events;
  const int64_t before = trace_now_ns();
  ASSERT_THAT(context.run(CancelToken::none(), &profile), IsOk());
  const int64_t after = trace_now_ns();
  ASSERT_FALSE(events.all.empty());
  for (const TraceEvent& event : events.all) {
    EXPECT_EQ(event.category, TraceCategory::kKernel);
    EXPECT_GE(event.start_ns, before);
    EXPECT_LE(event.start_ns, after + 1000000);  // the vendor's clock has whole microseconds
  }
  const size_t recorded = events.all.size();
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(events.all.size(), recorded) << "recording must end with its run";
}

TEST_F(OnnxRuntimeEngine, RefusesTensorsThatDoNotFit) {
  const auto executable = load(request(graph(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  EXPECT_THAT(context.run(), StatusIs(StatusCode::kFailedPrecondition, "'x'"));
  EXPECT_THAT(context.bind_input(0, float_tensor({4}, {1, 1, 1, 1})), StatusIs(StatusCode::kInvalidArgument, "rank"));
  EXPECT_THAT(context.bind_input(0, float_tensor({1, 5}, {1, 1, 1, 1, 1})), StatusIs(StatusCode::kInvalidArgument, "axis 1"));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor integers, Tensor::allocate(DataType::kInt32, {1, 4}));
  EXPECT_THAT(context.bind_input(0, integers), StatusIs(StatusCode::kInvalidArgument, "i32"));
  EXPECT_THAT(context.bind_input(7, float_tensor({1, 4}, {1, 1, 1, 1})), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(context.output(0), StatusIs(StatusCode::kFailedPrecondition));
  axle_tensor_t small{};
  float two[2] = {};
  const int64_t shape[2] = {1, 4};
  small.struct_size = sizeof(small);
  small.dtype = 1;
  small.rank = 2;
  small.shape = shape;
  small.data = two;
  small.size_bytes = sizeof(two);
  EXPECT_THAT(context.bind_input(0, small), StatusIs(StatusCode::kOutOfRange));
}

TEST_F(OnnxRuntimeEngine, PassesStringsBothWays) {
  const auto executable = load(request(graph(R"(<ir_version: 9, opset_import: ["": 20]>
      g (string[n] a, string[n] b) => (string[n] c) { c = StringConcat(a, b) })")));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor a, Tensor::from_strings({3}, {"x", "", std::string("n\0l", 3)}));
  AXLE_ASSERT_OK_AND_ASSIGN(const Tensor b, Tensor::from_strings({3}, {"1", "2", ""}));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"a", a}, {"b", b}}));
  const auto c = outputs.at("c").strings();
  ASSERT_EQ(c.size(), 3u);
  EXPECT_EQ(c[0], "x1");
  EXPECT_EQ(c[1], "2");
}

TEST_F(OnnxRuntimeEngine, CarriesNarrowTypes) {
  struct Case {
    const char* name;
    DataType dtype;
  };
  for (const Case& narrow :
       {Case{"float16", DataType::kFloat16}, Case{"bfloat16", DataType::kBfloat16}, Case{"double", DataType::kFloat64},
        Case{"bool", DataType::kBool}, Case{"uint8", DataType::kUint8}, Case{"int16", DataType::kInt16}}) {
    const std::string text = std::string(R"(<ir_version: 9, opset_import: ["": 19]> g ()") + narrow.name + "[4] x) => (" +
                             narrow.name + "[4] y) { y = Identity(x) }";
    auto made = graph_from_text(text);
    ASSERT_THAT(made, IsOk()) << narrow.name;
    const auto executable = load(request(*made));
    ASSERT_NE(executable, nullptr) << narrow.name;
    EXPECT_EQ(executable->io().inputs[0].dtype, narrow.dtype);
    AXLE_ASSERT_OK_AND_ASSIGN(Tensor x, Tensor::allocate(narrow.dtype, {4}));
    static_cast<unsigned char*>(x.mutable_data())[1] = 1;
    AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", x}}));
    EXPECT_EQ(std::memcmp(outputs.at("y").data(), x.data(), x.size_bytes()), 0) << narrow.name;
  }
}

TEST_F(OnnxRuntimeEngine, NamesTheNodeItCannotRun) {
  const auto made = graph(R"(<ir_version: 8, opset_import: ["": 17, "vendor.test": 1]>
      g (float[n] x) => (float[n] y) { a = Relu(x)  b = vendor.test.Gizmo(a)  y = Neg(b) })");
  ASSERT_NE(made, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(made)));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kYes);
  EXPECT_EQ(verdict.of_node(1).kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(1).code, "UNSUPPORTED_OP");
  EXPECT_THAT(verdict.of_node(1).text, ::testing::HasSubstr("Gizmo"));
}

TEST_F(OnnxRuntimeEngine, NamesTheTypeItHasNoKernelFor) {
  const auto made = graph(R"(<ir_version: 8, opset_import: ["": 17]>
      g (uint16[n] x) => (uint16[n] z) { y = Max(x, x)  z = Identity(y) })");
  ASSERT_NE(made, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, engine_->support(request(made)));
  EXPECT_EQ(verdict.graph.kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(0).kind, VerdictKind::kNo);
  EXPECT_EQ(verdict.of_node(1).kind, VerdictKind::kYes);
}

TEST_F(OnnxRuntimeEngine, ConvertsNoPrecision) {
  const auto made = graph(kMlp);
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
  EngineLoadRequest unknown = request(graph(kMlp));
  unknown.options["no_such_option"] = "1";
  EXPECT_THAT(engine_->load(unknown), StatusIs(StatusCode::kInvalidArgument, "no_such_option"));
  EngineLoadRequest foreign = request(graph(kMlp));
  foreign.options["provider"] = "cuda";
  EXPECT_THAT(engine_->load(foreign), StatusIs(StatusCode::kUnavailable, "cuda"));
}

TEST_F(OnnxRuntimeEngine, ReportsWhatIsInForce) {
  EngineLoadRequest asked = request(graph(kMlp), {{"graph_optimization_level", "basic"}});
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
  EngineLoadRequest first = request(graph(kMlp));
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
  EngineLoadRequest asked = request(graph(kMlp));
  asked.threads = 2;
  asked.cpu_set = {4095};
  EXPECT_THAT(engine_->load(asked), StatusIs(StatusCode::kFailedPrecondition, "CPUs"));
}

TEST_F(OnnxRuntimeEngine, StopsALongRunSoonAfterCancel) {
  const auto executable = load(request(graph(kLongLoop)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({64, 64}, std::vector<float>(64 * 64, 0.01f));
  Tensor y = float_tensor({64, 64}, std::vector<float>(64 * 64, 0.0f));
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  ASSERT_THAT(context.bind_output(0, y), IsOk());
  CancelToken cancel;
  std::atomic<bool> returned{false};
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(returned.load());  // else the run was too short to show anything
    cancel.cancel();
  });
  EXPECT_THAT(context.run(cancel), StatusIs(StatusCode::kCancelled));
  returned = true;
  canceller.join();
}

TEST_F(OnnxRuntimeEngine, RunsAgainAfterACancelledRun) {
  const auto executable = load(request(graph(kMlp)));
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const Tensor x = float_tensor({1, 4}, {1, 1, 1, 1});
  ASSERT_THAT(context.bind_input(0, x), IsOk());
  CancelToken cancelled;
  cancelled.cancel();
  EXPECT_THAT(context.run(cancelled), StatusIs(StatusCode::kCancelled));
  EXPECT_THAT(context.run(CancelToken()), IsOk());
  EXPECT_THAT(context.run(), IsOk());
}

TEST_F(OnnxRuntimeEngine, ServesSeveralContextsAtOnce) {
  const auto executable = load(request(graph(kMlp)));
  ASSERT_NE(executable, nullptr);
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&executable, caller] {
      auto context = executable->make_context();
      ASSERT_THAT(context, IsOk());
      const Tensor x = float_tensor({1, 4}, {static_cast<float>(caller), 0, 0, 0});
      Tensor y = float_tensor({1, 2}, {0, 0});
      ASSERT_THAT(context->bind_input(0, x), IsOk());
      ASSERT_THAT(context->bind_output(0, y), IsOk());
      for (int repeat = 0; repeat < 200; ++repeat) {
        ASSERT_THAT(context->run(), IsOk());
        ASSERT_EQ(y.as<float>()[0], static_cast<float>(caller) + 0.5f);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST_F(OnnxRuntimeEngine, ReloadsItsArtefactWithoutTheModel) {
  const auto warm = load_artefact(request(graph(kMlp)));
  ASSERT_NE(warm, nullptr);
  EXPECT_EQ(warm->io().inputs[0].name, "x");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*warm, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_EQ(outputs.at("y").as<float>()[0], 16.5f);
}

TEST_F(OnnxRuntimeEngine, RefusesADamagedArtefact) {
  const std::string path = scratch_.path() + "/model.ort";
  EngineLoadRequest warm = request(nullptr);
  warm.blobs = {{"model.ort", {}, path}};
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "cannot read"));
  std::ofstream(path) << "this is no artefact at all";
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "ORT format"));
  warm.blobs = {{"surprise.bin", {}, path}};
  EXPECT_THAT(engine_->load(warm), StatusIs(StatusCode::kDataLoss, "surprise.bin"));
}

TEST_F(OnnxRuntimeEngine, ReadsArtefactBytesAtAnyAlignment) {
  ASSERT_NE(load_artefact(request(graph(kMlp))), nullptr);
  std::ifstream file(scratch_.path() + "/artefact/model.ort", std::ios::binary);
  const std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<char> shifted(content.size() + 1);
  std::memcpy(shifted.data() + 1, content.data(), content.size());
  EngineLoadRequest warm = request(nullptr);
  warm.blobs = {{"model.ort", std::string_view(shifted.data() + 1, content.size()), ""}};
  const auto executable = load(warm);
  ASSERT_NE(executable, nullptr);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto outputs, run_once(*executable, {{"x", float_tensor({1, 4}, {1, 1, 1, 1})}}));
  EXPECT_EQ(outputs.at("y").as<float>()[1], 19.5f);
}

TEST(OnnxRuntimeLibrary, SaysWhatIsWrongWithAnExplicitPath) {
  struct Case {
    std::string path;
    const char* reason;
  };
  for (const Case& wrong : {Case{"/no/such/libonnxruntime.so", "No such file"}, Case{"/etc/passwd", "invalid ELF header"},
                            Case{AXLE_ORT_OLD_LIBRARY, "too old"}, Case{"libm.so.6", "not ONNX Runtime"}}) {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto registry, onnxruntime_registry(wrong.path));
    const auto engine = registry->open("onnxruntime");
    EXPECT_THAT(engine, StatusIs(StatusCode::kUnavailable, wrong.reason)) << wrong.path;
    EXPECT_THAT(engine.status().hint(), ::testing::HasSubstr("pip install onnxruntime")) << wrong.path;
  }
}

}  // namespace
}  // namespace axle::testing
