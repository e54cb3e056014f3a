// The spans of the run that was recorded last, by thread, partition and depth.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "axle/explain.h"
#include "trace/recorder.h"

namespace axle {

struct RunSpan {
  const TraceEvent* event;
  size_t depth = 0;  // below those that hold it
};

// What shares rows: a thread, or a partition's share of it. Kernels of two partitions of one thread may seem to overlap: engines
// that tell only how long a kernel took get its start counted up from the start of their call.
struct RunLane {
  uint32_t thread = 0;
  int32_t partition = -1;  // -1: of no partition, or lanes are not divided
  friend auto operator<=>(const RunLane&, const RunLane&) = default;
};

struct RunSpans {
  const TraceEvent* run = nullptr;  // null: no run was recorded
  std::map<RunLane, std::vector<RunSpan>> lanes;
  size_t left_out = 0;  // the shortest, over the bound
};

// Points into `log`. `by_partition` gives each partition lanes of its own.
RunSpans last_run_spans(const TraceLog& log, bool by_partition, size_t most_spans = 3000);
// What the event is called: its name, else its category.
std::string span_name(const TraceLog& log, const TraceEvent& event);
// Time in kernels of the last run, by partition and the name that the engine gave, the longest first. Empty where it told of none.
std::vector<KernelTime> kernel_times(const TraceLog& log);

}  // namespace axle
