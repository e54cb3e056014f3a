#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace axle::detail {

void fail_check(const char* condition, const char* message, const char* file, int line) noexcept {
  std::fprintf(stderr, "axle: %s:%d: %s (failed: %s)\n", file, line, message, condition);
  std::abort();
}

}  // namespace axle::detail
