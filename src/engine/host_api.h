// The host's side of the ABI: the one service table of this process, and what its opaque tokens stand for.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string_view>

#include "axle/cancel.h"
#include "axle/engine_abi.h"
#include "trace/sink.h"

namespace axle {

// Lives as long as the process; every plugin gets this one.
const axle_host_api_t* host_api() noexcept;

// What stands behind axle_cancel_t: a token of this process, or a flag in memory shared with another one. Must outlive the
// verb (or the async run) it is given to.
struct CancelHandle {
  const CancelToken* token = nullptr;
  const std::atomic<uint32_t>* flag = nullptr;  // non-zero = cancelled

  // Null when nobody can cancel.
  const axle_cancel_t* abi() const noexcept {
    const bool possible = flag != nullptr || (token != nullptr && token->flag() != nullptr);
    return possible ? reinterpret_cast<const axle_cancel_t*>(this) : nullptr;
  }
  static const CancelHandle& of(const axle_cancel_t* cancel) noexcept { return *reinterpret_cast<const CancelHandle*>(cancel); }
  bool cancelled() const noexcept {
    return (flag != nullptr && flag->load(std::memory_order_acquire) != 0) || (token != nullptr && token->cancelled());
  }
};

// Behind the `progress` token of compile and load. Called on any thread of the engine.
using EngineProgress = std::function<void(uint64_t done, uint64_t total, std::string_view what)>;

// Behind the `profile` token of a run: where its events go.
struct RunProfile {
  TraceSink* sink = nullptr;
  int32_t partition = -1;
  uint32_t run = 0;
  const TraceText* partition_names = nullptr;  // by index of the plan's partitions; null: spans of partitions are not recorded
};

namespace detail {
// Fault injection: after `allocations` more successes the next host allocation fails, once. Negative = never.
void fail_host_allocation_after(int64_t allocations) noexcept;
// Blocks that plugins hold now, and allocations made so far.
int64_t live_host_allocations() noexcept;
int64_t total_host_allocations() noexcept;
// Weights that plugins hold on to beyond their graphs.
int64_t live_weight_handles() noexcept;
}  // namespace detail

}  // namespace axle
