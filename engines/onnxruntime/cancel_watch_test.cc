#include "cancel_watch.h"

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace axle::ort {
namespace {

int32_t is_set(void*, const axle_cancel_t* token) { return reinterpret_cast<const std::atomic<int>*>(token)->load(); }

kit::Cancel cancel_of(const std::atomic<int>& flag) {
  static axle_host_api_t host{};
  host.struct_size = sizeof(host);
  host.cancelled = &is_set;
  return {kit::Host(&host), reinterpret_cast<const axle_cancel_t*>(&flag)};
}

void count(void* calls) { ++*static_cast<std::atomic<int>*>(calls); }

TEST(CancelWatch, StopsOnceWhenTheTokenIsCancelled) {
  std::atomic<int> flag{0}, calls{0};
  const CancelWatch watch(cancel_of(flag), &count, &calls);
  EXPECT_FALSE(watch.fired());
  flag = 1;
  while (calls == 0) std::this_thread::yield();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(watch.fired());
}

TEST(CancelWatch, NeverCallsAfterItsEnd) {
  std::atomic<int> flag{0}, calls{0};
  {
    const CancelWatch watch(cancel_of(flag), &count, &calls);
  }
  flag = 1;
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(calls, 0);
}

TEST(CancelWatch, IgnoresATokenThatCannotBeCancelled) {
  std::atomic<int> calls{0};
  const CancelWatch watch(kit::Cancel(), &count, &calls);
  EXPECT_FALSE(watch.fired());
}

// Threads do not survive fork().
TEST(CancelWatch, WatchesInAForkedChildToo) {
#ifdef AXLE_SANITIZED
  GTEST_SKIP() << "fork with sanitizers";
#endif
  std::atomic<int> flag{0}, calls{0};
  const CancelWatch parents(cancel_of(flag), &count, &calls);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::alarm(20);
    std::atomic<int> own_flag{0}, own_calls{0};
    const CancelWatch watch(cancel_of(own_flag), &count, &own_calls);
    own_flag = 1;
    while (own_calls == 0) std::this_thread::yield();
    std::_Exit(calls == 0 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
  EXPECT_FALSE(parents.fired());
}

TEST(CancelWatch, WatchesManyFromManyThreads) {
  std::atomic<int> flag{0}, calls{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        std::atomic<int> never{0};
        const CancelWatch outer(cancel_of(never), &count, &calls);
        const CancelWatch inner(cancel_of(never), &count, &calls);
      }
      const CancelWatch last(cancel_of(flag), &count, &calls);
      while (!last.fired()) std::this_thread::yield();
    });
  }
  flag = 1;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(calls, 4);
}

}  // namespace
}  // namespace axle::ort
