#include "tensor/buffer_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>
#include <vector>

#include "base/testing/status_matchers.h"

namespace axle {
namespace {

using testing::IsOk;
using testing::StatusIs;

TEST(PoolSizeClass, WastesAtMostAQuarter) {
  EXPECT_EQ(pool_size_class(0), 256u);
  EXPECT_EQ(pool_size_class(256), 256u);
  EXPECT_EQ(pool_size_class(257), 320u);
  EXPECT_EQ(pool_size_class(1000), 1024u);
  EXPECT_EQ(pool_size_class(1024), 1024u);
  EXPECT_EQ(pool_size_class(1025), 1280u);
  EXPECT_EQ(pool_size_class(SIZE_MAX), 0u);
  for (size_t size = 300; size < 100000; size += 37) {
    EXPECT_GE(pool_size_class(size), size);
    EXPECT_LE(pool_size_class(size), size + size / 4 + 1);
    EXPECT_EQ(pool_size_class(size) % 64, 0u);
  }
}

TEST(BufferPool, GivesTheSameBufferAgain) {
  BufferPool pool;
  void* first = nullptr;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto buffer, pool.acquire(1000));
    first = buffer.get();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
    EXPECT_EQ(pool.statistics().bytes_in_use, 1024u);
  }
  AXLE_ASSERT_OK_AND_ASSIGN(const auto again, pool.acquire(1024));
  EXPECT_EQ(again.get(), first);
  const auto statistics = pool.statistics();
  EXPECT_EQ(statistics.allocations, 1);
  EXPECT_EQ(statistics.hits, 1);
  EXPECT_EQ(statistics.bytes_cached, 0u);
  EXPECT_EQ(statistics.peak_bytes_in_use, 1024u);
}

TEST(BufferPool, KeepsNoMoreThanItsBound) {
  BufferPool pool({.max_cached_bytes = 1024});
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const auto a, pool.acquire(1024));
    AXLE_ASSERT_OK_AND_ASSIGN(const auto b, pool.acquire(1024));
  }
  EXPECT_EQ(pool.statistics().bytes_cached, 1024u);
  pool.trim();
  EXPECT_EQ(pool.statistics().bytes_cached, 0u);
}

TEST(BufferPool, RefusesMoreThanItsLimit) {
  BufferPool pool({.max_bytes_in_use = 2048});
  AXLE_ASSERT_OK_AND_ASSIGN(const auto a, pool.acquire(2048));
  EXPECT_THAT(pool.acquire(1), StatusIs(StatusCode::kResourceExhausted, "limit of 2048"));
  EXPECT_THAT(pool.acquire(SIZE_MAX), StatusIs(StatusCode::kResourceExhausted));
}

TEST(BufferPool, BuffersMayOutliveIt) {
  std::shared_ptr<void> late;
  {
    BufferPool pool;
    late = pool.acquire(100).value();
  }
  std::memset(late.get(), 1, 100);
}

TEST(BufferPool, MakesTensors) {
  BufferPool pool;
  {
    AXLE_ASSERT_OK_AND_ASSIGN(const Tensor tensor, pool.acquire_tensor(DataType::kFloat32, {10, 10}));
    EXPECT_EQ(tensor.size_bytes(), 400u);
  }
  EXPECT_EQ(pool.statistics().bytes_cached, 448u);
  EXPECT_THAT(pool.acquire_tensor(DataType::kString, {1}), StatusIs(StatusCode::kInvalidArgument));
  EXPECT_THAT(pool.acquire_tensor(DataType::kFloat32, {0}), IsOk());
}

TEST(BufferPool, IsThreadSafe) {
  BufferPool pool;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      for (int i = 0; i < 500; ++i) {
        const auto buffer = pool.acquire(static_cast<size_t>(300 * (t + i % 3)));
        if (buffer.ok()) std::memset(buffer->get(), t, 100);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto statistics = pool.statistics();
  EXPECT_EQ(statistics.bytes_in_use, 0u);
  EXPECT_EQ(statistics.hits + statistics.allocations, 2000);
}

}  // namespace
}  // namespace axle
