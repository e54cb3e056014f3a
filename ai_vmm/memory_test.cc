#include "ai_vmm/memory.hpp"

#include <gmock/gmock.h>

#include <cstdint>
#include <thread>

#include "testing/fixture.h"
#include "testing/tiny_model.h"

namespace ai_vmm {
namespace {

using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;

TEST(MemoryManager, UsesBuffersAgain) {
  MemoryManager memory;
  const void* first = nullptr;
  {
    Tensor tensor = memory.allocate({2, 3});
    first = tensor.to_axle().data();
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
    EXPECT_EQ(tensor.shape(), (std::vector<int64_t>{2, 3}));
    std::ranges::fill(tensor.mutable_values<float>(), 1.0f);
    EXPECT_EQ(memory.statistics().bytes_in_use, 4096u);
  }
  const MemoryStatistics idle = memory.statistics();
  EXPECT_EQ(idle.bytes_in_use, 0u);
  EXPECT_EQ(idle.bytes_kept, 4096u);
  const Tensor again = memory.allocate({1000});
  EXPECT_EQ(again.to_axle().data(), first);
  EXPECT_EQ(memory.statistics().allocations, 1);
  EXPECT_EQ(memory.statistics().reuses, 1);
  EXPECT_EQ(memory.statistics().peak_bytes_in_use, 4096u);
  EXPECT_EQ(memory.trim(), 0u);
}

TEST(MemoryManager, KeepsToItsLimits) {
  MemoryManager memory({.max_bytes_kept = 0, .max_bytes_in_use = 10'000});
  {
    const Tensor tensor = memory.allocate({10});
  }
  EXPECT_EQ(memory.statistics().bytes_kept, 0u);
  const Tensor one = memory.allocate({1000}), two = memory.allocate({1000});
  const auto error = error_of<RuntimeError>([&] { memory.allocate({1000}); });
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code(), axle::StatusCode::kResourceExhausted);
  EXPECT_THAT(error->what(), HasSubstr("8192 are in use"));
}

TEST(MemoryManager, SpacesThatAreNotTheHostsAreRefusedByName) {
  MemoryManager memory;
  EXPECT_NO_THROW(memory.allocate({1}, DataType::kInt64, "cpu:0"));
  const auto device = error_of<RuntimeError>([&] { memory.allocate({1}, DataType::kFloat32, "gpu:0"); });
  ASSERT_TRUE(device);
  EXPECT_EQ(device->code(), axle::StatusCode::kUnimplemented);
  EXPECT_THAT(device->what(), HasSubstr("gpu:0"));
  EXPECT_THROW(memory.allocate({1}, DataType::kFloat32, "moon?"), RuntimeError);
  EXPECT_THROW(memory.allocate({-1}), RuntimeError);
  EXPECT_THROW(memory.allocate({INT64_MAX, 8}), RuntimeError);
}

TEST(MemoryManager, TensorsOutliveItAndThreadsShareIt) {
  Tensor kept;
  {
    MemoryManager memory;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 200; ++i) memory.allocate({100 + i});
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(memory.statistics().bytes_in_use, 0u);
    EXPECT_EQ(memory.statistics().allocations + memory.statistics().reuses, 800);
    kept = memory.allocate({4});
    kept.mutable_values<float>()[3] = 7;
    memory.prefetch(kept);
    EXPECT_EQ(memory.statistics().prefetches, 1);
    EXPECT_EQ(memory.statistics().bytes_prefetched, 16u);
  }
  EXPECT_EQ(kept.values<float>()[3], 7);
}

using Memory = testing::VmmTest;

TEST_F(Memory, AModelCountsWhatItTookInPlaceAndWhatItCopied) {
  VMM vmm = this->vmm();
  const auto model = vmm.deploy(testing::write_model(testing::relu_model(), folder_, "relu"));
  MemoryManager memory;
  Tensor input = memory.allocate({2, 3});
  std::ranges::fill(input.mutable_values<float>(), 2.0f);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(model.execute(input).values<float>(), ElementsAre(2, 2, 2, 2, 2, 2));
  const MemoryReport report = model.memory();
  EXPECT_EQ(report.executions, 3);
  EXPECT_EQ(report.zero_copy_bytes, 3u * 24);
  EXPECT_EQ(report.staged_bytes, 0u);
  EXPECT_EQ(report.process_bytes, 0u);
  const auto spaces = vmm.memory_spaces();
  ASSERT_FALSE(spaces.empty());
  EXPECT_EQ(spaces.front().id, "host");
  EXPECT_THAT(spaces.front().hardware, ::testing::Contains("cpu:0"));
  EXPECT_GT(spaces.front().total_bytes, 0u);
}

}  // namespace
}  // namespace ai_vmm
