#include "axle/explain.h"
#include "base/text.h"

namespace axle {

std::string format_duration(int64_t duration_ns) { return format_duration_ns(duration_ns); }

std::string format_size(uint64_t size_bytes) {
  return format_size_bytes(size_bytes > INT64_MAX ? INT64_MAX : static_cast<int64_t>(size_bytes));
}

Result<int64_t> parse_duration(std::string_view text) { return parse_duration_ns(text); }

Result<uint64_t> parse_size(std::string_view text) {
  AXLE_ASSIGN_OR_RETURN(const int64_t size_bytes, parse_size_bytes(text));
  return static_cast<uint64_t>(size_bytes);
}

}  // namespace axle
