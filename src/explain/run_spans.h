// The spans of the run that was recorded last, by thread and depth.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "trace/recorder.h"

namespace axle {

struct RunSpan {
  const TraceEvent* event;
  size_t depth = 0;  // below those that hold it
};

struct RunSpans {
  const TraceEvent* run = nullptr;  // null: no run was recorded
  std::map<uint32_t, std::vector<RunSpan>> lanes;
  size_t left_out = 0;  // the shortest, over the bound
};

// Points into `log`.
RunSpans last_run_spans(const TraceLog& log, size_t most_spans = 3000);
// What the event is called: its name, else its category.
std::string span_name(const TraceLog& log, const TraceEvent& event);
// Time in kernels of the last run, by the name that the engine gave.
std::map<std::string, int64_t> kernel_totals(const TraceLog& log);

}  // namespace axle
