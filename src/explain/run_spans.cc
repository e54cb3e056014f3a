#include "explain/run_spans.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace axle {
namespace {

const TraceEvent* last_run(const TraceLog& log) {
  const TraceEvent* last = nullptr;
  for (const TraceEvent& event : log.events) {
    if (event.category != TraceCategory::kRun || event.phase != TracePhase::kSpan) continue;
    if (last == nullptr || event.start_ns >= last->start_ns) last = &event;
  }
  return last != nullptr && last->duration_ns > 0 ? last : nullptr;
}

std::vector<const TraceEvent*> spans_within(const TraceLog& log, const TraceEvent& run) {
  std::vector<const TraceEvent*> inside;
  for (const TraceEvent& event : log.events) {
    if (event.phase != TracePhase::kSpan || event.start_ns < run.start_ns) continue;
    if (event.start_ns <= run.start_ns + run.duration_ns) inside.push_back(&event);
  }
  return inside;
}

}  // namespace

RunSpans last_run_spans(const TraceLog& log, bool by_partition, size_t most_spans) {
  RunSpans spans;
  spans.run = last_run(log);
  if (spans.run == nullptr) return spans;
  std::vector<const TraceEvent*> inside = spans_within(log, *spans.run);
  if (inside.size() > most_spans) {
    std::stable_sort(inside.begin(), inside.end(),
                     [](const TraceEvent* a, const TraceEvent* b) { return a->duration_ns > b->duration_ns; });
    spans.left_out = inside.size() - most_spans;
    inside.resize(most_spans);
  }
  std::stable_sort(inside.begin(), inside.end(), [](const TraceEvent* a, const TraceEvent* b) {
    return a->start_ns != b->start_ns ? a->start_ns < b->start_ns : a->duration_ns > b->duration_ns;
  });
  std::map<RunLane, std::vector<int64_t>> ends;  // of the spans that are open, outermost first
  for (const TraceEvent* event : inside) {
    const RunLane lane = {event->thread, by_partition ? event->partition : -1};
    std::vector<int64_t>& open = ends[lane];
    while (!open.empty() && open.back() <= event->start_ns) open.pop_back();
    spans.lanes[lane].push_back({event, open.size()});
    open.push_back(event->start_ns + event->duration_ns);
  }
  return spans;
}

std::string span_name(const TraceLog& log, const TraceEvent& event) {
  const std::string_view name = log.text(event.name);
  return std::string(name.empty() ? trace_category_name(event.category) : name);
}

std::vector<KernelTime> kernel_times(const TraceLog& log) {
  std::vector<KernelTime> times;
  const TraceEvent* run = last_run(log);
  if (run == nullptr) return times;
  std::map<std::pair<int32_t, std::string>, KernelTime> sums;
  for (const TraceEvent* event : spans_within(log, *run)) {
    if (event->category != TraceCategory::kKernel) continue;
    const std::string name = span_name(log, *event);
    KernelTime& sum = sums[{event->partition, name}];
    sum.name = name;
    sum.partition = event->partition;
    sum.time_ns += event->duration_ns;
    ++sum.calls;
  }
  for (auto& [key, sum] : sums) times.push_back(std::move(sum));
  std::ranges::stable_sort(times, std::greater(), &KernelTime::time_ns);
  return times;
}

}  // namespace axle
