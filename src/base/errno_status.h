// The Status of a failed system call.
#pragma once

#include <string>

#include "axle/status.h"

namespace axle {

// "<what>: <text of error>", with the canonical code nearest to `error` (an errno value), the number as the detail "errno", and a
// hint where one helps.
Status errno_status(int error, const std::string& what);

}  // namespace axle
