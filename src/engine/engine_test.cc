#include "engine/engine.h"

#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/file.h"
#include "engine/testing/engine_fixture.h"

namespace axle {
namespace {

using testing::FakeEngine;
using testing::FloatTensor;
using testing::IsOk;
using testing::StatusIs;

std::shared_ptr<Engine> open(const FakeEngine& fake) {
  auto registry = EngineRegistry::create(testing::only(fake));
  auto engine = (*registry)->open("fake");
  EXPECT_TRUE(engine.ok()) << engine.status().to_string();
  return engine.ok() ? *engine : nullptr;
}

EngineLoadRequest request_for(const std::shared_ptr<const Graph>& graph) {
  EngineLoadRequest request;
  request.graph = testing::index_of(graph);
  request.resource = "cpu:0";
  return request;
}

TEST(Engine, RunsAGraph) {
  FakeEngine fake;
  fake.script().compute = [](const testing::FakeLoad&, std::span<const axle_tensor_t> in, std::span<testing::FakeOutput> out) {
    std::vector<float> values(static_cast<const float*>(in[0].data),
                              static_cast<const float*>(in[0].data) + in[0].shape[0] * 4);
    for (float& value : values) value *= 2;
    out[0].set<float>({in[0].shape[0], 4}, values);
  };
  const auto engine = open(fake);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, engine->load(request_for(testing::small_graph())));
  EXPECT_EQ(executable->io().inputs.at(0).name, "x");
  EXPECT_EQ(executable->effective().precision, "f32");
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const OutputView y, context.output(0));
  EXPECT_EQ(testing::floats(y), (std::vector<float>{2, 4, 6, 8, 10, 12, 14, 16}));
  EXPECT_EQ(std::vector<int64_t>(y.shape.begin(), y.shape.end()), (std::vector<int64_t>{2, 4}));
}

TEST(Engine, ErrorsCarryCodeVendorCodeAndPlace) {
  FakeEngine fake;
  const auto engine = open(fake);
  fake.fail("load", 1, AXLE_RESOURCE_EXHAUSTED, "no\nmemory");
  const auto failed = engine->load(request_for(testing::small_graph()));
  ASSERT_THAT(failed, StatusIs(StatusCode::kResourceExhausted, "load on fake@cpu:0"));
  EXPECT_EQ(failed.status().vendor_code(), -7);
  EXPECT_EQ(failed.status().message().find('\n'), std::string::npos);
  fake.fail("load", 1, 99, "what");
  EXPECT_THAT(engine->load(request_for(testing::small_graph())), StatusIs(StatusCode::kUnknown, "what"));
}

TEST(Engine, TooSmallAnOutputSaysWhatItNeeds) {
  FakeEngine fake;
  const auto engine = open(fake);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, engine->load(request_for(testing::small_graph())));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{2, 4}, std::vector<float>(8)}, y{{2, 4}, std::vector<float>(4)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  const Status status = context.bind_output(0, y.abi());
  ASSERT_THAT(status, StatusIs(StatusCode::kOutOfRange));
  ASSERT_EQ(status.details().size(), 1u);
  EXPECT_EQ(status.details()[0], (std::pair<std::string, std::string>{"required_bytes", "32"}));
}

TEST(Engine, CancelAndDeadlineAreToldApart) {
  FakeEngine fake;
  fake.script().run_delay = std::chrono::seconds(30);
  const auto engine = open(fake);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, engine->load(request_for(testing::small_graph())));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{1, 4}, std::vector<float>(4)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  CancelToken cancel;
  std::thread canceller([&] { cancel.cancel(); });
  EXPECT_THAT(context.run(cancel), StatusIs(StatusCode::kCancelled));
  canceller.join();
  const CancelToken deadline = CancelToken::with_deadline(std::chrono::steady_clock::now() + std::chrono::milliseconds(5));
  EXPECT_THAT(context.run(deadline), StatusIs(StatusCode::kDeadlineExceeded));
}

TEST(Engine, NonsenseFromThePluginIsInternal) {
  FakeEngine fake;
  const auto engine = open(fake);
  fake.script().change_effective = [](kit::Effective& effective) { effective.precision = "no such name!"; };
  EXPECT_THAT(engine->load(request_for(testing::small_graph())), StatusIs(StatusCode::kInternal, "malformed"));
  EXPECT_EQ(fake.live_executables(), 0);
  fake.script().support.nodes = {{77, {}}};
  EXPECT_THAT(engine->support(request_for(testing::small_graph())), StatusIs(StatusCode::kInternal, "2 nodes"));
}

TEST(Engine, CompilesIntoTheScratchFolderAndLoadsTheArtefact) {
  FakeEngine fake;
  const auto engine = open(fake);
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  EngineLoadRequest request = request_for(testing::small_graph());
  request.scratch_folder = scratch.path();
  std::vector<uint64_t> steps;
  request.progress = [&](uint64_t done, uint64_t, std::string_view) { steps.push_back(done); };
  AXLE_ASSERT_OK_AND_ASSIGN(const ArtefactManifest manifest, engine->compile(request, 1));
  EXPECT_EQ(steps, (std::vector<uint64_t>{0, 1}));
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string blob, read_file(scratch.file(manifest.blobs.at(0).path), 1000));
  request.blobs = {{manifest.blobs[0].name, blob, ""}};
  EXPECT_THAT(engine->load(request), IsOk());
  EXPECT_TRUE(fake.loads().back().from_artefact);
  request.blobs[0].data = "damaged";
  EXPECT_THAT(engine->load(request), StatusIs(StatusCode::kDataLoss));
}

TEST(Engine, MissingSlotsMeanUnimplemented) {
  FakeEngine fake;
  fake.script().missing_slots = {"compile", "counters", "run_async"};
  const auto engine = open(fake);
  EXPECT_FALSE(engine->can_compile());
  AXLE_ASSERT_OK_AND_ASSIGN(const Capability capability, engine->capability("cpu:0"));
  EXPECT_FALSE(capability.can_compile);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, engine->load(request_for(testing::small_graph())));
  AXLE_ASSERT_OK_AND_ASSIGN(const auto counters, executable->counters());
  EXPECT_TRUE(counters.empty());
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  EXPECT_FALSE(context.runs_async());
}

TEST(Engine, PartsOfAResourceAskTheWhole) {
  FakeEngine fake;
  fake.script().resources[0].id = "CPU";
  const auto engine = open(fake);
  Machine machine;
  machine.resources.resize(1);
  machine.resources[0].id = "cpu:0";
  machine.resources[0].kind = ResourceKind::kCpu;
  engine->bind_machine(machine);
  EXPECT_EQ(*engine->engine_resource_id("cpu:0/1"), "CPU");
  EXPECT_THAT(engine->capability("cpu:0/1"), IsOk());
  EXPECT_THAT(engine->capability("npu:0"), StatusIs(StatusCode::kNotFound, "it reports cpu:0"));
  EngineLoadRequest request = request_for(testing::small_graph());
  request.resource = "cpu:0/0";
  ASSERT_THAT(engine->load(request), IsOk());
  EXPECT_EQ(fake.loads().back().resource, "CPU");
}

TEST(Engine, NothingIsLeftAfterUnload) {
  FakeEngine fake;
  auto engine = open(fake);
  {
    AXLE_ASSERT_OK_AND_ASSIGN(auto executable, engine->load(request_for(testing::small_graph())));
    AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
    engine.reset();
    executable.reset();  // the context keeps both alive
    FloatTensor x{{1, 4}, std::vector<float>(4)};
    ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
    EXPECT_THAT(context.run(), IsOk());
    EXPECT_EQ(fake.live_contexts(), 1);
  }
  EXPECT_EQ(fake.live_contexts(), 0);
  EXPECT_EQ(fake.live_executables(), 0);
}

TEST(Engine, ForkedChildIsRefused) {
#ifdef AXLE_SANITIZED
  GTEST_SKIP() << "fork with sanitizers";
#endif
  FakeEngine fake;
  const auto engine = open(fake);
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, engine->load(request_for(testing::small_graph())));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  const pid_t child = ::fork();
  if (child == 0) {
    const bool refused = context.run().code() == StatusCode::kFailedPrecondition &&
                         executable->make_context().status().code() == StatusCode::kFailedPrecondition;
    ::_exit(refused ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Engine, CompilesForADeviceThatIsNotHereAndLoadsOnNone) {
  FakeEngine fake;
  kit::ResourceInfo absent;
  absent.id = "fake:0";
  absent.kind = "npu";
  absent.name = "FAKE NPU";
  absent.attributes["compiles_for"] = "1e60:2864 1e60:2865 1e61:* driver:fastrpc+hexagon=";
  fake.script().resources.push_back(absent);
  kit::ResourceInfo one_generation = absent;
  one_generation.id = "fake:73";
  one_generation.attributes["compiles_for"] = "hexagon=v73";
  fake.script().resources.push_back(one_generation);
  const auto registry = EngineRegistry::create(only(fake));
  ASSERT_THAT(registry, IsOk());
  const auto opened = (*registry)->open("fake");
  ASSERT_THAT(opened, IsOk());
  const Engine& engine = **opened;
  ASSERT_EQ(engine.resources().size(), 1u) << "what is not here is not listed";
  ASSERT_EQ(engine.targets().size(), 2u);
  Resource board;
  board.id = "npu:0";
  board.kind = ResourceKind::kNpu;
  board.name = "Board NPU";
  EXPECT_THAT(engine.target_for(board), StatusIs(StatusCode::kFailedPrecondition, "Board NPU"));
  board.attributes["pci_id"] = "1e60:2865";
  EXPECT_EQ(engine.target_for(board).value_or(""), "fake:0");
  for (const char* id : {"1e61:0007", "1e62:0007"}) {
    board.attributes["pci_id"] = id;
    EXPECT_EQ(engine.target_for(board).ok(), id == std::string("1e61:0007")) << "all of one vendor's, and no other's";
  }
  board.attributes.clear();
  board.driver = "fastrpc 6.14.0";
  EXPECT_EQ(engine.target_for(board).value_or(""), "fake:0") << "a device on no PCI bus";
  for (const auto& [attribute, target] : {std::pair("v73", "fake:73"), std::pair("v66", ""), std::pair("", "fake:0")}) {
    board.attributes = {{"hexagon", attribute}};
    EXPECT_EQ(engine.target_for(board).value_or(""), target) << "hexagon " << attribute;
  }
  board.attributes.clear();
  board.driver = "fastrpcx";
  EXPECT_THAT(engine.target_for(board), StatusIs(StatusCode::kFailedPrecondition));
  EXPECT_EQ(engine.engine_resource_id("fake:0").value_or(""), "fake:0");
  EXPECT_THAT(engine.capability("fake:0"), IsOk());
  EngineLoadRequest load;
  load.resource = "fake:0";
  EXPECT_THAT(engine.load(load), StatusIs(StatusCode::kFailedPrecondition, "not here to run on"));
  board.kind = ResourceKind::kGpu;
  EXPECT_THAT(engine.target_for(board), StatusIs(StatusCode::kFailedPrecondition, "compiles for no gpu"));
}

}  // namespace
}  // namespace axle
