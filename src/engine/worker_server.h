// The inside of axle-worker: opens one plugin and answers its verbs until the host is gone. Sees nothing of the host but the
// control segment and the socket that it was started with.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "axle/status.h"

namespace axle {

struct WorkerArguments {
  std::string plugin_path;
  std::vector<int32_t> cpu_set;        // this process stays on these; empty = as it was started
  uint64_t memory_limit_bytes = 0;     // of private writable memory; 0 = none
  int64_t host_pid = 0;
};

// "--plugin PATH --host PID [--cpus 0,1] [--memory BYTES]". INVALID_ARGUMENT for anything else.
Result<WorkerArguments> parse_worker_arguments(const std::vector<std::string>& arguments);
std::vector<std::string> format_worker_arguments(const WorkerArguments& arguments);

// Returns only when it cannot begin; ends the process when the host is gone.
Status serve_worker(const WorkerArguments& arguments);

}  // namespace axle
