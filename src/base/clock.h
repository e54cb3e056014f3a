// Clocks as integers.
#pragma once

#include <chrono>
#include <cstdint>

namespace axle {

// Nanoseconds of the monotonic clock: only differences mean something.
inline int64_t steady_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

inline int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace axle
