// AXLE_CHECK(condition, "what is wrong"): for mistakes of the programmer only; prints the place and aborts.
#pragma once

namespace axle::detail {
[[noreturn]] void fail_check(const char* condition, const char* message, const char* file, int line) noexcept;
}

#define AXLE_CHECK(condition, message)                                     \
  do {                                                                     \
    if (!(condition)) [[unlikely]]                                         \
      ::axle::detail::fail_check(#condition, message, __FILE__, __LINE__); \
  } while (false)
