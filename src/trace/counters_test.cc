#include "trace/counters.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace axle {
namespace {

TEST(Counters, OneCounterPerName) {
  Counters counters;
  Counter& runs = counters.get("runs");
  runs.add();
  counters.get("runs").add(4);
  counters.get("copies");
  EXPECT_EQ(runs.value(), 5);
  EXPECT_EQ(counters.values(), (std::map<std::string, int64_t>{{"copies", 0}, {"runs", 5}}));
}

TEST(Counters, AddFromManyThreads) {
  Counters counters;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Counter& counter = counters.get("n");
      for (int i = 0; i < 10'000; ++i) counter.add();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(counters.get("n").value(), 40'000);
}

}  // namespace
}  // namespace axle
