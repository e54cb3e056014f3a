// Uses the installed library: its version, an error with its hint, and a runtime that finds the plugin named on the command line.
#include <cstdio>
#include <string>

#include "axle/engine.h"
#include "axle/runtime.h"
#include "axle/status.h"
#include "axle/version.h"

int main(int argc, char** argv) {
  axle::RuntimeOptions options;
  options.use_cache = false;
  if (argc > 1) options.engine_folders = {argv[1]};
  const auto runtime = axle::Runtime::create(options);
  if (!runtime.ok()) {
    std::fprintf(stderr, "%s\n", runtime.status().to_string().c_str());
    return 1;
  }
  const axle::Status error = axle::invalid_argument_error("bad").with_hint("try again");
  std::printf("axle %s, code %d\n", axle::build_info().version.c_str(), static_cast<int>(error.code()));
  return error.ok() ? 1 : 0;
}
