// What every benchmark program's main does: runs, and turns an exception into a line on stderr and exit code 1.
#pragma once

#include <cstdio>
#include <exception>

namespace axle_benchmarks {

inline int run_main(int (*run)(int argc, char** argv), int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}

}  // namespace axle_benchmarks
