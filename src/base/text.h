// Small text helpers: trimming, splitting, and sizes and durations as people write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "axle/status.h"

namespace axle {

// Without leading and trailing blanks, tabs and line ends.
std::string_view trim(std::string_view text) noexcept;
// The pieces between separators, in order; n separators give n + 1 pieces. Views into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);
// What stands after the last line end, of trimmed text: what a program said before it ended. A view into `text`.
std::string_view last_line(std::string_view text) noexcept;
std::string join(const std::vector<std::string>& pieces, std::string_view separator);
// Safe to print: control characters become "\xNN", and a text over `max_bytes` is cut with "...".
std::string printable(std::string_view text, size_t max_bytes = 200);

// "2GiB", "512 MiB", "1.5kB", "4096", "4096B": k, M, G, T with i = powers of 1024, without = powers of 1000.
// INVALID_ARGUMENT for anything else, a negative value, or one that does not fit.
Result<int64_t> parse_size_bytes(std::string_view text);
// "20ms", "1.5s", "30 s", "250us", "2m", "1h", "100ns". A unit is required. INVALID_ARGUMENT as above.
Result<int64_t> parse_duration_ns(std::string_view text);
// "0 B", "1.5 KiB", "2.0 GiB".
std::string format_size_bytes(int64_t size_bytes);
// "850 ns", "12.3 us", "4.56 ms", "1.50 s", "2m 05s".
std::string format_duration_ns(int64_t duration_ns);

}  // namespace axle
