#include "runtime/execution/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>

namespace axle {
namespace {

TEST(WorkerPool, RunsWhatIsQueuedBeforeItStops) {
  std::atomic<int> done{0};
  {
    WorkerPool pool(2);
    for (int i = 0; i < 100; ++i) pool.submit([&] { ++done; });
  }
  EXPECT_EQ(done, 100);
}

TEST(WorkerPool, RunsJobsAtTheSameTime) {
  std::promise<void> first, second;  // outlive the pool, which waits for its jobs
  WorkerPool pool(2);
  pool.submit([&] {
    first.set_value();
    second.get_future().wait();
  });
  pool.submit([&] {
    first.get_future().wait();
    second.set_value();
  });
}

// Guards: the job of an asynchronous run held the last session, and the pool's thread tried to join itself.
TEST(WorkerPool, AJobMayDestroyThePool) {
  for (int i = 0; i < 50; ++i) {
    auto pool = std::make_shared<WorkerPool>(2);
    std::promise<void> released, destroyed;
    auto over = destroyed.get_future();
    pool->submit([held = pool, go = released.get_future().share(), &destroyed]() mutable {
      go.wait();
      held.reset();
      destroyed.set_value();
    });
    pool.reset();
    released.set_value();
    ASSERT_EQ(over.wait_for(std::chrono::seconds(10)), std::future_status::ready);
  }
}

}  // namespace
}  // namespace axle
