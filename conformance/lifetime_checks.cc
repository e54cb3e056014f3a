// What an engine leaves: cancel, unload, failed allocations, scratch folders.
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

#include "base/file.h"
#include "subject.h"

namespace axle::conformance {
namespace {

void cancelled_before_it_starts(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(long_graph(50, subject.rows(4))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{4, 1024}, std::vector<float>(4096, 0.5f)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  CancelToken cancel;
  cancel.cancel();
  const Status status = context.run(cancel);
  const bool may_finish = subject.engine().info().cancel_latency == CancelLatency::kRun;
  EXPECT_TRUE(status.code() == StatusCode::kCancelled || (may_finish && status.ok())) << status.to_string();
  EXPECT_THAT(context.run(), IsOk()) << "a cancelled context works again";
}

// Whatever happens, the buffers are the caller's again when run returns.
void cancel_while_running_gives_buffers_back(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(long_graph(200, subject.rows(64))));
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  for (int i = 0; i < 5; ++i) {
    auto x = std::make_unique<FloatTensor>(FloatTensor{{64, 1024}, std::vector<float>(65536, 0.5f)});
    ASSERT_THAT(context.bind_input(0, x->abi()), IsOk());
    CancelToken cancel;
    std::atomic<bool> started{false};
    std::thread canceller([&] {
      while (!started.load()) std::this_thread::yield();
      std::this_thread::sleep_for(std::chrono::microseconds(200 * i));
      cancel.cancel();
    });
    started = true;
    const Status status = context.run(cancel);
    canceller.join();
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kCancelled) << status.to_string();
    x->values.assign(x->values.size(), 7);
    ASSERT_THAT(context.unbind_input(0), IsOk());
    x.reset();
  }
  FloatTensor x{{64, 1024}, std::vector<float>(65536, 0.5f)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  EXPECT_THAT(context.run(), IsOk());
}

void unload_leaves_nothing(const Subject& subject) {
  const auto graph = dynamic_graph(subject.rows(2));
  const auto once = [&] {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(graph));
    for (int i = 0; i < 3; ++i) {
      AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
      FloatTensor x{{2, 4}, ramp(8)};
      ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
      ASSERT_THAT(context.run(), IsOk());
    }
  };
  once();
  const int64_t memory = detail::live_host_allocations();
  const int64_t weights = detail::live_weight_handles();
  for (int i = 0; i < 5; ++i) once();
  EXPECT_EQ(detail::live_host_allocations(), memory);
  EXPECT_EQ(detail::live_weight_handles(), weights);
}

void context_may_be_destroyed_while_bound(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const auto executable, subject.load(dynamic_graph(subject.rows(2))));
  for (int i = 0; i < 3; ++i) {
    FloatTensor x{{2, 4}, ramp(8)}, y{{2, 4}, std::vector<float>(8)};
    AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
    ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
    if (executable->io().output_modes[0] != OutputMode::kEngine) {
      ASSERT_THAT(context.bind_output(0, y.abi()), IsOk());
    }
  }
}

void graph_may_go_after_load(const Subject& subject) {
  std::shared_ptr<const Executable> executable;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(executable, subject.load(dynamic_graph(subject.rows(1))));
  }
  AXLE_ASSERT_OK_AND_ASSIGN(Context context, executable->make_context());
  FloatTensor x{{1, 4}, ramp(4)};
  ASSERT_THAT(context.bind_input(0, x.abi()), IsOk());
  ASSERT_THAT(context.run(), IsOk());
  EXPECT_EQ(axle::testing::floats(*context.output(0)), expected_dynamic(x.values));
}

// Each allocation through the host's table fails once: an error or no harm, never a crash, and it works afterwards.
void every_failing_allocation_is_survived(const Subject& subject) {
  constexpr int64_t kMostPoints = 200;
  const auto graph = dynamic_graph(subject.rows(2));
  const auto attempt = [&]() -> Status {
    AXLE_ASSIGN_OR_RETURN(const auto executable, subject.load(graph));
    AXLE_ASSIGN_OR_RETURN(Context context, executable->make_context());
    FloatTensor x{{2, 4}, ramp(8)};
    AXLE_RETURN_IF_ERROR(context.bind_input(0, x.abi()));
    AXLE_RETURN_IF_ERROR(context.run());
    return context.output(0).status();
  };
  ASSERT_THAT(attempt(), IsOk());
  const int64_t before = detail::total_host_allocations();
  ASSERT_THAT(attempt(), IsOk());
  const int64_t points = std::min(kMostPoints, detail::total_host_allocations() - before);
  if (points == 0) GTEST_SKIP() << "takes no memory from the host";
  for (int64_t point = 0; point < points; ++point) {
    detail::fail_host_allocation_after(point);
    const Status status = attempt();
    detail::fail_host_allocation_after(-1);
    EXPECT_TRUE(status.ok() || status.code() == StatusCode::kResourceExhausted) << point << ": " << status.to_string();
  }
  EXPECT_THAT(attempt(), IsOk());
}

void writes_only_into_the_scratch_folder(const Subject& subject) {
  AXLE_ASSERT_OK_AND_ASSIGN(const ScratchDir folder, ScratchDir::create());
  ASSERT_THAT(make_dirs(folder.file("scratch")), IsOk());
  char* old = ::realpath(".", nullptr);
  ASSERT_NE(old, nullptr);
  ASSERT_EQ(::chdir(folder.path().c_str()), 0);
  EngineLoadRequest request = subject.request(dynamic_graph(subject.rows(1)));
  request.scratch_folder = folder.file("scratch");
  const auto executable = subject.engine().load(request);
  ASSERT_EQ(::chdir(old), 0);
  std::free(old);
  ASSERT_THAT(executable, IsOk());
  AXLE_ASSERT_OK_AND_ASSIGN(const auto entries, list_dir(folder.path()));
  EXPECT_EQ(entries.size(), 1u) << "something was written beside the scratch folder";
}

}  // namespace

std::vector<Check> lifetime_checks() {
  return {{"CancelledBeforeItStarts", cancelled_before_it_starts},
          {"CancelWhileRunningGivesBuffersBack", cancel_while_running_gives_buffers_back},
          {"UnloadLeavesNothing", unload_leaves_nothing},
          {"ContextMayBeDestroyedWhileBound", context_may_be_destroyed_while_bound},
          {"GraphMayGoAfterLoad", graph_may_go_after_load},
          {"EveryFailingAllocationIsSurvived", every_failing_allocation_is_survived},
          {"WritesOnlyIntoTheScratchFolder", writes_only_into_the_scratch_folder}};
}

}  // namespace axle::conformance
