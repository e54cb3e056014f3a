// Counters: named numbers that only grow (runs, bytes copied, contexts waited for). Look a counter up once, add often.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace axle {

class Counter {
 public:
  // Any thread; one relaxed atomic addition.
  void add(int64_t amount = 1) noexcept { value_.fetch_add(amount, std::memory_order_relaxed); }
  int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<int64_t> value_{0};
};

class Counters {
 public:
  // Makes the counter when it is new. The reference lives as long as this object. Locks: not for the hot path.
  Counter& get(std::string_view name);
  // All counters by name; each value is read once, not all at one instant.
  std::map<std::string, int64_t> values() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::unique_ptr<Counter>, std::less<>> counters_;
};

}  // namespace axle
