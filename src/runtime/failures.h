// Which failures say something lasting, and which only how things stand now.
#pragma once

#include "axle/status.h"

namespace axle {

// Somebody ended it, or something is not there or is used up just now: another attempt may go well.
constexpr bool is_of_the_moment(StatusCode code) {
  return code == StatusCode::kCancelled || code == StatusCode::kDeadlineExceeded || code == StatusCode::kUnavailable ||
         code == StatusCode::kResourceExhausted;
}

}  // namespace axle
