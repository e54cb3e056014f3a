// TraceSink: where events go. Owned by whoever asked for recording; everybody else holds a pointer, null = off.
#pragma once

#include <string_view>

#include "trace/event.h"

namespace axle {

class TraceSink {
 public:
  virtual ~TraceSink() = default;

  // Any thread, also concurrently. Neither allocates, blocks nor fails; an event that finds no room is counted as lost.
  virtual void record(const TraceEvent& event) noexcept = 0;
  // The id of `text` in this sink. May lock and allocate: call it at load, not per run. 0 when the sink's table is full.
  virtual TraceText intern(std::string_view text) = 0;
};

// Records one span from construction to destruction. With a null sink it reads no clock.
class TraceSpan {
 public:
  TraceSpan(TraceSink* sink, TraceCategory category, TraceText name, int32_t partition = -1, uint32_t run = 0) noexcept
      : sink_(sink) {
    if (!sink_) return;
    event_.category = category;
    event_.name = name;
    event_.partition = partition;
    event_.run = run;
    event_.start_ns = trace_now_ns();
  }
  ~TraceSpan() {
    if (!sink_) return;
    event_.duration_ns = trace_now_ns() - event_.start_ns;
    sink_->record(event_);
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

  void set_value(int64_t value) noexcept { event_.value = value; }
  void set_detail(TraceText detail) noexcept { event_.detail = detail; }

 private:
  TraceSink* sink_;
  TraceEvent event_;
};

}  // namespace axle
