// ForkGuard: knows whether this process is a forked child of the one that made it. Threads, pools and vendor libraries do
// not survive fork(); an object with a guard refuses instead of hanging. Thread-safe; a check costs one load.
#pragma once

#include <cstdint>
#include <string_view>

#include "axle/status.h"

namespace axle {

class ForkGuard {
 public:
  ForkGuard() noexcept;
  bool in_forked_child() const noexcept;
  // FAILED_PRECONDITION naming `what` ("session") in a forked child.
  Status check(std::string_view what) const;

 private:
  uint32_t generation_;
};

}  // namespace axle
