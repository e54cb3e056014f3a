// Worker: an engine's plugin in a process of its own. What comes back is a Plugin like any other; an Engine made over it, its
// executables and contexts behave as in this process, but for what docs/guides/isolate-an-engine.md says: one copy in and out
// per run, and UNAVAILABLE when the process ends during a call. The next call starts the process anew and makes again what its
// handle needs. The process ends with the last of them.
#pragma once

#include <memory>

#include "engine/plugin.h"
#include "engine/worker_channel.h"

namespace axle {

// Codes as WorkerChannel::start; UNAVAILABLE also for a plugin that cannot be opened there.
Result<std::shared_ptr<const Plugin>> start_worker(const WorkerOptions& options);

}  // namespace axle
