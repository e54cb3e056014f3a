#include "engine/worker.h"

#include <fmt/format.h>

#include "base/file.h"
#include "engine/testing/worker_case.h"
#include "trace/recorder.h"

namespace axle {
namespace {

using testing::doubling;
using testing::FloatTensor;
using testing::GraphBuilder;
using ::testing::HasSubstr;
using testing::IsOk;
using testing::Isolated;
using testing::null_options;
using testing::StatusIs;

TEST(Worker, RunsLikeInThisProcess) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  EXPECT_EQ(worker.engine->name(), "null");
  ASSERT_THAT(worker.load(testing::small_graph()), StatusIs(StatusCode::kInvalidArgument, "rank"));
  FloatTensor x{{2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}};
  ASSERT_THAT(worker.context->bind_input(0, x.abi()), IsOk());
  for (const float first : {1.0f, 10.0f}) {  // the caller writes between runs without binding anew
    x.values[0] = first;
    ASSERT_THAT(worker.context->run(), IsOk());
    EXPECT_EQ(worker.y(), (std::vector<float>{first + 1, 0, 6, 0, 6, 4, 10, 4}));
  }
  FloatTensor y{{2, 4}, std::vector<float>(8)};
  ASSERT_THAT(worker.context->bind_output(0, y.abi()), IsOk());
  ASSERT_THAT(worker.context->run(), IsOk());
  EXPECT_EQ(y.values, (std::vector<float>{11, 0, 6, 0, 6, 4, 10, 4}));
  EXPECT_EQ(worker.counter("runs"), 3);
  EXPECT_EQ(worker.counter("worker_copied_bytes"), 4 * 32);  // three times in, once out; the others are read in place
  EXPECT_GT(worker.counter("worker_peak_memory_bytes"), 1 << 20);
}

TEST(Worker, TensorsInSharedMemoryAreNotCopied) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  ASSERT_THAT(worker.load(doubling()), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor x, Tensor::allocate_shared(DataType::kFloat32, {4}));
  AXLE_ASSERT_OK_AND_ASSIGN(Tensor y, Tensor::allocate_shared(DataType::kFloat32, {4}));
  ASSERT_THAT(worker.context->bind_input(0, x), IsOk());
  ASSERT_THAT(worker.context->bind_output(0, y), IsOk());
  for (const float first : {3.0f, 4.0f}) {
    x.mutable_as<float>()[0] = first;
    Status status = worker.context->run();
    if (status.code() == StatusCode::kUnavailable) status = worker.context->run();  // the kill below
    ASSERT_THAT(status, IsOk());
    EXPECT_EQ(y.as<float>()[0], 2 * first);
    EXPECT_EQ(worker.counter("worker_copied_bytes"), 0);
    worker.kill_worker();  // and the new process sees the same memory
  }
  Status back = worker.context->bind_input(0, worker.x.abi());
  if (!back.ok()) back = worker.context->bind_input(0, worker.x.abi());
  ASSERT_THAT(back, IsOk());  // back to the caller's own
  ASSERT_THAT(worker.run(7), IsOk());
  EXPECT_EQ(y.as<float>()[0], 14);
  EXPECT_EQ(worker.counter("worker_copied_bytes"), 16);
}

bool maps(pid_t process, const std::string& path) {
  return read_file(fmt::format("/proc/{}/maps", process), 16u << 20).value_or("").find(path) != std::string::npos;
}

// The worker reads the cache's file; a file that has become another one is not taken for the bytes that were verified.
TEST(Worker, MapsTheFileOfAnArtefact) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  EngineLoadRequest request;
  request.graph = testing::index_of(doubling());
  request.resource = "cpu:0";
  request.scratch_folder = folder.path();
  AXLE_ASSERT_OK_AND_ASSIGN(const ArtefactManifest manifest, worker.engine->compile(request, 1));
  const std::string path = folder.file(manifest.blobs.at(0).path);
  AXLE_ASSERT_OK_AND_ASSIGN(const std::string bytes, read_file(path, 1u << 20));
  request.blobs = {{manifest.blobs[0].name, bytes, path}};
  const auto load = [&] {
    worker.executable.reset();
    AXLE_ASSIGN_OR_RETURN(worker.executable, worker.engine->load(request));
    return ok_status();
  };
  ASSERT_THAT(load(), IsOk());
  EXPECT_TRUE(maps(worker.pid(), path));
  std::string other = bytes;
  other.back() = static_cast<char>(other.back() ^ 1);
  ASSERT_THAT(write_file_atomic(path, other), IsOk());
  ASSERT_THAT(load(), IsOk()) << "by the bytes given, not by the file's";
  EXPECT_FALSE(maps(worker.pid(), path));
  request.blobs[0].path = folder.file("missing");
  ASSERT_THAT(load(), IsOk());
}

TEST(Worker, LongMessagesTravelInPieces) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  constexpr int kNodes = 3000;
  GraphBuilder builder;
  builder.input("x", {{4, ""}});
  for (int i = 0; i < kNodes; ++i) {
    builder.node("Erf", {i == 0 ? "x" : "v" + std::to_string(i - 1)}, i + 1 == kNodes ? "y" : "v" + std::to_string(i),
                 SymbolicShape{{4, ""}});
  }
  EngineRequest request;
  request.graph = testing::index_of(builder.output("y").build());
  request.resource = "cpu:0";
  AXLE_ASSERT_OK_AND_ASSIGN(const GraphVerdict verdict, worker.engine->support(request));
  EXPECT_EQ(verdict.nodes.size(), static_cast<size_t>(kNodes));
}

TEST(Worker, ProgressAndTraceArriveBeforeTheReply) {
  Isolated worker;
  ASSERT_THAT(worker.open(null_options()), IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir scratch, ScratchDir::create());
  for (int round = 0; round < 50; ++round) {
    AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create(scratch.path()));
    EngineRequest request;
    request.graph = testing::index_of(doubling());
    request.resource = "cpu:0";
    request.scratch_folder = folder.path();
    std::atomic<int> steps{0};
    request.progress = [&](uint64_t, uint64_t, std::string_view) { ++steps; };
    ASSERT_THAT(worker.engine->compile(request, 1), IsOk());
    ASSERT_EQ(steps.load(), 2);
  }
  ASSERT_THAT(worker.load(doubling()), IsOk());
  TraceRecorder recorder(16);
  const RunProfile profile{&recorder, 0, 1};
  ASSERT_THAT(worker.context->run(CancelToken::none(), &profile), IsOk());
  EXPECT_EQ(recorder.log().events.size(), 1u);
}

TEST(Worker, StaysOnItsCoreSet) {
  cpu_set_t allowed;
  ASSERT_EQ(::sched_getaffinity(0, sizeof(allowed), &allowed), 0);
  int first = 0;
  while (!CPU_ISSET(first, &allowed)) ++first;
  WorkerOptions options = null_options();
  options.cpu_set = {first};
  Isolated worker;
  ASSERT_THAT(worker.open(options), IsOk());
  ASSERT_THAT(worker.load(doubling()), IsOk());
  EXPECT_TRUE(worker.executable->effective().cpu_set_honoured);
  EXPECT_EQ(worker.executable->effective().cpu_set, std::vector<int32_t>{first});
  EXPECT_THAT(worker.executable->effective().json, HasSubstr("\"cpu_set_honoured\":true"));
  ASSERT_THAT(worker.run(), IsOk());
}

}  // namespace
}  // namespace axle
