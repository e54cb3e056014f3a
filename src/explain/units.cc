#include <fmt/format.h>

#include <array>
#include <cmath>

#include "axle/explain.h"
#include "base/text.h"

namespace axle {
namespace {

// Three significant digits without an exponent: 3.42, 34.2, 342.
std::string three_digits(double value) {
  const double size = std::abs(value);
  return size < 9.995 ? fmt::format("{:.2f}", value) : size < 99.95 ? fmt::format("{:.1f}", value) : fmt::format("{:.0f}", value);
}

}  // namespace

std::string format_duration(int64_t duration_ns) {
  const double value = static_cast<double>(duration_ns);
  const double size = std::abs(value);
  if (size < 1e3) return fmt::format("{} ns", duration_ns);
  if (size < 999.5e3) return three_digits(value / 1e3) + " us";
  if (size < 999.5e6) return three_digits(value / 1e6) + " ms";
  return three_digits(value / 1e9) + " s";
}

std::string format_size(uint64_t size_bytes) {
  constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = static_cast<double>(size_bytes);
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", size_bytes) : three_digits(value) + " " + kUnits[unit];
}

Result<int64_t> parse_duration(std::string_view text) { return parse_duration_ns(text); }

}  // namespace axle
