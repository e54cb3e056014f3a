#include "engine/loopback.h"

#include <future>
#include <random>
#include <thread>

#include "base/file.h"
#include "engine/flat_server.h"
#include "engine/testing/engine_fixture.h"
#include "trace/recorder.h"

namespace axle {
namespace {

using testing::FakeEngine;
using testing::FloatTensor;
using testing::IsOk;
using testing::StatusIs;

// An engine behind a loopback, and the fake that is really asked.
struct Behind {
  FakeEngine fake;
  std::unique_ptr<Loopback> loopback;
  std::shared_ptr<EngineRegistry> registry;
  std::shared_ptr<Engine> engine;

  void open() {
    auto plugin = Plugin::from_query(fake.query(), "fake");
    ASSERT_THAT(plugin, IsOk());
    auto made = Loopback::create(*plugin);
    ASSERT_THAT(made, IsOk());
    loopback = *std::move(made);
    EngineRegistryOptions options;
    options.default_folders = false;
    options.in_process["fake"] = loopback->query();
    registry = *EngineRegistry::create(options);
    auto opened = registry->open("fake");
    ASSERT_THAT(opened, IsOk());
    engine = *opened;
  }
  ~Behind() {
    engine.reset();
    registry.reset();
    loopback.reset();
  }
};

EngineLoadRequest request_for(const std::shared_ptr<const Graph>& graph) {
  EngineLoadRequest request;
  request.graph = testing::index_of(graph);
  request.resource = "cpu:0";
  return request;
}

testing::FakeCompute doubling() {
  return [](const testing::FakeLoad&, std::span<const axle_tensor_t> in, std::span<testing::FakeOutput> out) {
    std::vector<float> values(static_cast<const float*>(in[0].data),
                              static_cast<const float*>(in[0].data) + in[0].shape[0] * 4);
    for (float& value : values) value *= 2;
    out[0].set<float>({in[0].shape[0], 4}, values);
  };
}

TEST(Loopback, DescribesAndAnswersTheSame) {
  Behind behind;
  behind.open();
  FakeEngine& fake = behind.fake;
  fake.script().support.nodes = {{1, {kit::VerdictKind::kNo, "DTYPE", "no f32 here", -1}}};
  AXLE_ASSERT_OK_AND_ASSIGN(const auto direct_registry, EngineRegistry::create(testing::only(fake)));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto direct, direct_registry->open("fake"));
  EXPECT_EQ(behind.engine->info(), direct->info());
  EXPECT_EQ(behind.engine->resources(), direct->resources());
  EXPECT_EQ(*behind.engine->capability("cpu:0"), *direct->capability("cpu:0"));
  const EngineLoadRequest request = request_for(testing::small_graph());
  EXPECT_EQ(*behind.engine->support(request), *direct->support(request));
  EXPECT_EQ(behind.engine->can_compile(), direct->can_compile());
}

TEST(Loopback, RunsWithChangingInputsShapesAndBothOutputModes) {
  Behind behind;
  behind.fake.script().compute = doubling();
  behind.open();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, behind.engine->load(request_for(testing::small_graph())));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{1, 4}, {1, 2, 3, 4}};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  for (const float first : {1.0f, 10.0f}) {  // the caller writes between runs without binding anew
    x.values[0] = first;
    ASSERT_THAT(context.run(), IsOk());
    AXLE_ASSERT_OK_AND_ASSIGN(const OutputView y, context.output(0));
    EXPECT_EQ(testing::floats(y), (std::vector<float>{2 * first, 4, 6, 8}));
  }
  FloatTensor larger{{100, 4}, std::vector<float>(400, 3)};
  ASSERT_THAT(context.bind_input(0, larger.abi()), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(OutputView y, context.output(0));
  EXPECT_EQ(testing::floats(y), std::vector<float>(400, 6));
  FloatTensor bound{{100, 4}, std::vector<float>(400, 0)};
  ASSERT_THAT(context.bind_output(0, bound.abi()), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(bound.values, std::vector<float>(400, 6));
  AXLE_ASSERT_OK_AND_ASSIGN(y, context.output(0));
  EXPECT_EQ(y.data, bound.values.data());
}

TEST(Loopback, RefusedBindingLeavesTheOldOne) {
  Behind behind;
  behind.fake.script().compute = doubling();
  behind.open();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, behind.engine->load(request_for(testing::small_graph())));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{1, 4}, {1, 2, 3, 4}}, wrong{{1, 2, 3}, std::vector<float>(6)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  EXPECT_THAT(context.bind_input(0, wrong.abi()), StatusIs(StatusCode::kInvalidArgument, "rank"));
  EXPECT_THAT(context.bind_input(7, x.abi()), StatusIs(StatusCode::kInvalidArgument));
  x.values[0] = 5;
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(testing::floats(*context.output(0)).at(0), 10.0f);
}

TEST(Loopback, ErrorsTravelWhole) {
  Behind behind;
  behind.open();
  behind.fake.fail("run", 1, AXLE_RESOURCE_EXHAUSTED, "no memory left");
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, behind.engine->load(request_for(testing::small_graph())));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  EXPECT_THAT(context.output(0), StatusIs(StatusCode::kFailedPrecondition));
  FloatTensor x{{2, 4}, std::vector<float>(8)}, small{{2, 4}, std::vector<float>(3)};
  EXPECT_EQ(context.bind_output(0, small.abi()).details().at(0).second, "32");
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  const Status failed = context.run();
  EXPECT_THAT(failed, StatusIs(StatusCode::kResourceExhausted, "no memory left"));
  EXPECT_EQ(failed.vendor_code(), -7);
}

TEST(Loopback, CancelReachesTheEngine) {
  Behind behind;
  behind.fake.script().run_delay = std::chrono::seconds(60);
  behind.open();
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, behind.engine->load(request_for(testing::small_graph())));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{1, 4}, std::vector<float>(4)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  CancelToken cancel;
  std::thread canceller([&] {
    while (behind.fake.calls("run") == 0) std::this_thread::yield();
    cancel.cancel();
  });
  EXPECT_THAT(context.run(cancel), StatusIs(StatusCode::kCancelled));
  canceller.join();
}

TEST(Loopback, ArtefactsProgressAndTraceTravel) {
  Behind behind;
  behind.open();
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  EngineLoadRequest request = request_for(testing::small_graph());
  request.scratch_folder = scratch.path();
  std::atomic<int> steps{0};
  request.progress = [&](uint64_t, uint64_t total, std::string_view what) {
    steps += total == 1 && what == "compiling" ? 1 : 0;
  };
  AXLE_ASSERT_OK_AND_ASSIGN(const ArtefactManifest manifest, behind.engine->compile(request, 2));
  EXPECT_EQ(steps.load(), 2);
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string blob, read_file(scratch.file(manifest.blobs.at(0).path), 1000));
  request.blobs = {{manifest.blobs[0].name, blob, ""}};
  request.cpu_set = {0};
  request.threads = 3;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, behind.engine->load(request));
  EXPECT_TRUE(behind.fake.loads().back().from_artefact);
  EXPECT_EQ(executable->effective().threads, 3);
  EXPECT_EQ(executable->effective().cpu_set, std::vector<int32_t>{0});
  AXLE_ASSERT_OK_AND_ASSIGN(const auto counters, executable->counters());
  EXPECT_EQ(counters.at("memory_bytes"), 4096);
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{1, 4}, std::vector<float>(4)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  TraceRecorder recorder(16);
  const RunProfile profile{&recorder, 2, 7};
  ASSERT_THAT(context.run(CancelToken::none(), &profile), IsOk());
  const TraceLog log = recorder.log();
  ASSERT_EQ(log.events.size(), 1u);
  EXPECT_EQ(log.events[0].category, TraceCategory::kKernel);
  EXPECT_EQ(log.events[0].partition, 2);
  EXPECT_EQ(log.text(log.events[0].name), "fake");
}

TEST(Loopback, NothingIsLeftBehind) {
  Behind behind;
  behind.open();
  const int64_t weights = detail::live_weight_handles();
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, behind.engine->load(request_for(testing::small_graph())));
    AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
    EXPECT_EQ(behind.fake.live_contexts(), 1);
  }
  EXPECT_EQ(behind.fake.live_contexts(), 0);
  EXPECT_EQ(behind.fake.live_executables(), 0);
  EXPECT_EQ(detail::live_weight_handles(), weights);
}

// A whole conversation's requests, as a server sees them.
std::vector<std::string> sample_requests() {
  std::vector<std::string> requests;
  requests.push_back(FlatWriter(FlatVerb::kDescribe).u64(0).take());
  requests.push_back(FlatWriter(FlatVerb::kCreate).text("").u64(0).options(nullptr, 0).text("/tmp").take());
  requests.push_back(FlatWriter(FlatVerb::kCapability).u64(1).text("cpu:0").take());
  const GraphView view(*GraphIndex::create(testing::small_graph()));
  FlatWriter load(FlatVerb::kLoad);
  load.u64(1).text("cpu:0").text("f32").options(nullptr, 0).text("/tmp").i32(1).i32(0).numbers<int32_t>({}).u64(0);
  write_place(load, {});
  load.u64(0).u32(1);
  EXPECT_THAT(
      write_graph(load, view,
                  [](const Graph& g) -> Result<std::vector<FlatPlace>> { return std::vector<FlatPlace>(g.weights.size()); }),
      IsOk());
  requests.push_back(load.take());
  requests.push_back(FlatWriter(FlatVerb::kContextCreate).u64(1).take());
  FlatWriter bind(FlatVerb::kBindInput);
  bind.u64(1).u32(0).u32(1);
  write_tensor(bind, {1, {0, 4}, {}, {}});
  requests.push_back(bind.take());
  FlatWriter run(FlatVerb::kRun);
  run.u64(1).u32(0).u64(0);
  write_place(run, {});
  run.numbers<uint32_t>(std::vector<uint32_t>{0});
  write_place(run, {});
  requests.push_back(run.take());
  return requests;
}

TEST(FlatServer, SurvivesEveryTruncationAndManyMutations) {
  FakeEngine fake;
  AXLE_ASSERT_OK_AND_ASSIGN(const auto plugin, Plugin::from_query(fake.query(), "fake"));
  FlatServer server(plugin, [](const std::string&) {});
  std::mt19937 random(7);
  for (const std::string& request : sample_requests()) {
    const std::string whole = server.serve(request);
    FlatReader reader(whole);
    EXPECT_EQ(read_error(reader).code, 0) << read_error(reader).message;
    for (size_t size = 0; size < request.size(); ++size) {
      const std::string cut = server.serve(std::string_view(request).substr(0, size));
      FlatReader cut_reader(cut);
      EXPECT_NE(read_error(cut_reader).code, 0) << size;
    }
    for (int i = 0; i < 300; ++i) {
      std::string changed = request;
      for (int k = 0; k < 3; ++k) changed[12 + random() % (changed.size() - 12)] = static_cast<char>(random());
      const std::string answer = server.serve(changed);
      FlatReader answer_reader(answer);
      read_error(answer_reader);
      EXPECT_TRUE(answer_reader.ok());
    }
  }
}

}  // namespace
}  // namespace axle
