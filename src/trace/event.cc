#include "trace/event.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <ctime>

namespace axle {
namespace {

constexpr std::array<std::string_view, kTraceCategoryCount> kNames = {"run",  "partition", "kernel", "copy",  "queue",
                                                                      "plan", "compile",   "load",   "cache", "other"};

thread_local uint32_t cached_thread_id = 0;

}  // namespace

std::string_view trace_category_name(TraceCategory category) noexcept {
  const auto index = static_cast<size_t>(category);
  return index < kNames.size() ? kNames[index] : kNames.back();
}

TraceCategory parse_trace_category(std::string_view name) noexcept {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<TraceCategory>(i);
  }
  return TraceCategory::kOther;
}

int64_t trace_now_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

uint32_t trace_thread_id() noexcept {
  if (cached_thread_id == 0) {
    // A forked child has one thread with a new id: forget the parent's.
    static const int registered = pthread_atfork(nullptr, nullptr, [] { cached_thread_id = 0; });
    (void)registered;
    cached_thread_id = static_cast<uint32_t>(syscall(SYS_gettid));
  }
  return cached_thread_id;
}

}  // namespace axle
