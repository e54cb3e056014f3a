// Perfetto: a recorded trace as Chrome trace event JSON, which ui.perfetto.dev and chrome://tracing open.
#pragma once

#include <string>

#include "axle/plan.h"
#include "trace/recorder.h"

namespace axle {

// One canonical JSON document. Times are microseconds since the first event, whose CLOCK_MONOTONIC time is in otherData. Each
// thread is a track; spans of a partition carry its candidate; what an engine adds as a JSON object becomes arguments.
Result<std::string> write_perfetto(const TraceLog& log, const Plan& plan);

}  // namespace axle
