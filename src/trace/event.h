// TraceEvent: one thing that happened during a run, small enough to be written into a ring on the hot path. A value.
#pragma once

#include <cstdint>
#include <string_view>

namespace axle {

// An interned text; 0 is the empty text. Belongs to the sink that made it.
using TraceText = uint32_t;

enum class TracePhase : uint8_t { kSpan, kInstant, kCounter };

enum class TraceCategory : uint8_t {
  kRun,        // one call of a session
  kPartition,  // one partition within a call
  kKernel,     // one node or kernel within an engine
  kCopy,       // a transfer between memories
  kQueue,      // waiting for a context, a lock or a device
  kPlan,
  kCompile,
  kLoad,
  kCache,
  kOther,
};
inline constexpr int kTraceCategoryCount = 10;

// "run", "partition", "kernel", "copy", "queue", "plan", "compile", "load", "cache", "other".
std::string_view trace_category_name(TraceCategory category) noexcept;
// kOther for a name that is not known.
TraceCategory parse_trace_category(std::string_view name) noexcept;

struct TraceEvent {
  int64_t start_ns = 0;     // CLOCK_MONOTONIC
  int64_t duration_ns = 0;  // spans only
  int64_t value = 0;        // kCounter: the value; copies: bytes; else 0
  TraceText name = 0;
  TraceText detail = 0;     // what the engine adds (kernel name, precision, JSON object), or 0
  uint32_t thread = 0;      // OS thread id, 0 = fill in the recording thread
  uint32_t run = 0;         // number of the call within its session, 0 = none
  int32_t partition = -1;   // -1 = none
  TraceCategory category = TraceCategory::kOther;
  TracePhase phase = TracePhase::kSpan;
  friend bool operator==(const TraceEvent&, const TraceEvent&) = default;
};

// CLOCK_MONOTONIC now.
int64_t trace_now_ns() noexcept;
// Id of the calling thread as the kernel knows it; cached per thread.
uint32_t trace_thread_id() noexcept;

}  // namespace axle
