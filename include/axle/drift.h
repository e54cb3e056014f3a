// Drift: one fact a lock was made on that is different now. A value; found by check_lock, tolerated by [lock] waive.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "axle/export.h"

namespace axle {

struct Drift {
  std::string field;   // one of drift_fields(): what [lock] waive and --waive name
  std::string where;   // resource, engine, file or policy key it is about; "" = the machine as a whole
  std::string locked;  // then
  std::string found;   // now
  bool waived = false;
  // "driver of gpu:0: 560.1, locked 550.2"
  AXLE_API std::string to_string() const;
  friend bool operator==(const Drift&, const Drift&) = default;
};

// Every field, sorted (docs/formats/lock.md says what each covers).
AXLE_API const std::vector<std::string>& drift_fields();

}  // namespace axle
