#include "engine/host_api.h"

#include <algorithm>
#include <cstdlib>

#include "base/logging.h"
#include "base/text.h"
#include "engine/graph_handle.h"

namespace axle {
namespace {

std::atomic<int64_t> g_allocations_until_fault{-1};
std::atomic<int64_t> g_live_allocations{0};
std::atomic<int64_t> g_total_allocations{0};

std::string_view view(axle_text_t text) noexcept {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

void log(void*, int32_t level, axle_text_t module, axle_text_t text) {
  constexpr LogLevel kLevels[] = {LogLevel::kTrace, LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError};
  const LogLevel mapped = level >= 0 && level < 5 ? kLevels[level] : LogLevel::kWarning;
  const std::string name = "engine/" + printable(view(module), 32);
  if (log_enabled(mapped, name)) detail::log_write(mapped, name, printable(view(text), 4096));
}

void trace(void*, const axle_trace_event_t* event) {
  if (event == nullptr || event->struct_size < sizeof(axle_trace_event_t) || event->profile == nullptr) return;
  const auto& profile = *static_cast<const RunProfile*>(event->profile);
  TraceEvent out;
  out.start_ns = event->start_ns;
  out.duration_ns = event->duration_ns;
  out.name = profile.sink->intern(view(event->name));
  out.detail = event->arguments.size == 0 ? 0 : profile.sink->intern(view(event->arguments));
  out.category = parse_trace_category(view(event->category));
  out.partition = profile.partition;
  out.run = profile.run;
  profile.sink->record(out);
}

void* allocate(void*, size_t size_bytes, size_t alignment) {
  if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > 1u << 21) return nullptr;
  if (g_allocations_until_fault.load(std::memory_order_relaxed) >= 0 &&
      g_allocations_until_fault.fetch_sub(1, std::memory_order_relaxed) == 0) {
    return nullptr;
  }
  void* memory = nullptr;
  if (::posix_memalign(&memory, std::max(alignment, sizeof(void*)), size_bytes) != 0) return nullptr;
  g_live_allocations.fetch_add(1, std::memory_order_relaxed);
  g_total_allocations.fetch_add(1, std::memory_order_relaxed);
  return memory;
}

void release(void*, void* memory) {
  if (memory == nullptr) return;
  g_live_allocations.fetch_sub(1, std::memory_order_relaxed);
  std::free(memory);
}

int32_t cancelled(void*, const axle_cancel_t* cancel) {
  return cancel != nullptr && CancelHandle::of(cancel).cancelled() ? 1 : 0;
}

void progress(void*, void* token, uint64_t done, uint64_t total, axle_text_t what) {
  if (token != nullptr) (*static_cast<const EngineProgress*>(token))(done, total, view(what));
}

axle_host_api_t make_table() noexcept {
  axle_host_api_t table{};
  table.struct_size = sizeof(table);
  table.abi_version = AXLE_ENGINE_ABI_VERSION;
  table.log = &log;
  table.trace = &trace;
  table.allocate = &allocate;
  table.release = &release;
  table.cancelled = &cancelled;
  table.progress = &progress;
  fill_graph_accessors(table);
  return table;
}

}  // namespace

const axle_host_api_t* host_api() noexcept {
  static const axle_host_api_t table = make_table();
  return &table;
}

namespace detail {
void fail_host_allocation_after(int64_t allocations) noexcept { g_allocations_until_fault.store(allocations); }
int64_t live_host_allocations() noexcept { return g_live_allocations.load(std::memory_order_relaxed); }
int64_t total_host_allocations() noexcept { return g_total_allocations.load(std::memory_order_relaxed); }
}  // namespace detail

}  // namespace axle
