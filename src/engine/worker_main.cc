// axle-worker: an engine's plugin in a process of its own. Started by axle itself (docs/guides/isolate-an-engine.md).
#include <cstdio>

#include "engine/worker_server.h"

int main(int count, char** values) {
  const std::vector<std::string> arguments(values + 1, values + count);
  const auto parsed = axle::parse_worker_arguments(arguments);
  const axle::Status status = parsed.ok() ? axle::serve_worker(*parsed) : parsed.status();
  std::fprintf(stderr, "axle-worker: %s\n", status.to_string().c_str());
  return parsed.ok() ? 1 : 2;
}
