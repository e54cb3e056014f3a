// CancelToken: one party asks, others notice. A value: copies share the flag. All members are thread-safe.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "axle/export.h"
#include "axle/status.h"

namespace axle {

using Deadline = std::optional<std::chrono::steady_clock::time_point>;

class AXLE_API CancelToken {
 public:
  // Can be cancelled by cancel() on any copy.
  CancelToken();
  // Never cancelled; holds no memory.
  static CancelToken none() noexcept;
  // Also counts as cancelled (DEADLINE_EXCEEDED) when the deadline has passed.
  static CancelToken with_deadline(std::chrono::steady_clock::time_point deadline);
  // A token of its own that also ends with this one or at the deadline; cancelling it leaves this one alone.
  CancelToken until(std::chrono::steady_clock::time_point deadline) const;

  void cancel() noexcept;
  bool cancelled() const noexcept;
  // OK, CANCELLED or DEADLINE_EXCEEDED.
  Status check() const;
  // The flag that engines poll through the host table; null for none(). Non-zero = cancelled. Valid while a copy lives.
  const std::atomic<uint32_t>* flag() const noexcept;
  Deadline deadline() const noexcept;

 private:
  struct State;
  explicit CancelToken(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace axle
