// Patterns over what vendors print: POSIX extended regular expressions, matched line by line. (std::regex recurses once per
// character.)
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "axle/status.h"

namespace axle::described {

inline constexpr size_t kMaxPatternBytes = 512;
inline constexpr size_t kMaxLineBytes = 4096;  // what is longer is cut

// OK when `pattern` can be used: short, no counted repetitions (their cost grows with the numbers), and with `groups` groups at
// least.
Status check_pattern(std::string_view pattern, size_t groups = 0);

struct PatternMatch {
  std::string line;  // trimmed
  std::string group;  // the first one; "" = none
};
// The first line that matches; an unusable pattern matches nothing.
std::optional<PatternMatch> find_line(std::string_view text, const std::string& pattern);
// The last one.
std::optional<PatternMatch> find_last_line(std::string_view text, const std::string& pattern);

}  // namespace axle::described
