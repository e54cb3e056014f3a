// Memory of this process as the kernel counts it, in KiB: key is "VmRSS", "VmHWM" (peak), "RssAnon", ...; 0 when unknown.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <string>

namespace axle_benchmarks {

inline int64_t memory_kib(const std::string& key) {
  std::ifstream in("/proc/self/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stoll(line.substr(key.size() + 1));
  }
  return 0;
}

}  // namespace axle_benchmarks
