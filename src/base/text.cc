#include "base/text.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace axle {
namespace {

struct Unit {
  std::string_view name;
  double factor;
};

constexpr std::array<Unit, 15> kSizeUnits = {{
    {"", 1},
    {"B", 1},
    {"k", 1e3},
    {"kB", 1e3},
    {"KB", 1e3},
    {"M", 1e6},
    {"MB", 1e6},
    {"G", 1e9},
    {"GB", 1e9},
    {"T", 1e12},
    {"TB", 1e12},
    {"KiB", 1024.0},
    {"MiB", 1048576.0},
    {"GiB", 1073741824.0},
    {"TiB", 1099511627776.0},
}};

constexpr std::array<Unit, 7> kDurationUnits = {{
    {"ns", 1},
    {"us", 1e3},
    {"ms", 1e6},
    {"s", 1e9},
    {"m", 60e9},
    {"min", 60e9},
    {"h", 3600e9},
}};

// A decimal number and its unit, as a whole number of the smallest unit.
template <size_t N>
Result<int64_t> parse_quantity(std::string_view text, const std::array<Unit, N>& units, const char* what, const char* example) {
  const Status refusal = invalid_argument_error(fmt::format("\"{}\" is not {}", printable(text, 40), what))
                             .with_hint(fmt::format("write it as {}", example));
  const std::string_view all = trim(text);
  const size_t digits = std::min(all.find_first_not_of("0123456789."), all.size());
  const std::string_view unit_name = trim(all.substr(digits));
  const Unit* unit = nullptr;
  for (const Unit& candidate : units) {
    if (candidate.name == unit_name) unit = &candidate;
  }
  if (digits == 0 || unit == nullptr) return refusal;
  // Whole numbers stay exact; only fractions go through a double.
  int64_t whole = 0;
  const auto whole_end = std::from_chars(all.data(), all.data() + digits, whole);
  int64_t product = 0;
  if (whole_end.ec == std::errc() && whole_end.ptr == all.data() + digits &&
      !__builtin_mul_overflow(whole, static_cast<int64_t>(unit->factor), &product)) {
    return product;
  }
  double number = 0;
  const auto end = std::from_chars(all.data(), all.data() + digits, number);
  const double scaled = std::round(number * unit->factor);
  if (end.ec != std::errc() || end.ptr != all.data() + digits || !(scaled < 9.2e18)) return refusal;
  return static_cast<int64_t>(scaled);
}

}  // namespace

std::string_view trim(std::string_view text) noexcept {
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::string_view last_line(std::string_view text) noexcept {
  text = trim(text);
  return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  for (size_t at = text.find(separator); at != std::string_view::npos; at = text.find(separator)) {
    pieces.push_back(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  pieces.push_back(text);
  return pieces;
}

std::string join(const std::vector<std::string>& pieces, std::string_view separator) {
  std::string text;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (i > 0) text += separator;
    text += pieces[i];
  }
  return text;
}

std::string printable(std::string_view text, size_t max_bytes) {
  std::string shown;
  for (const char c : text.substr(0, max_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      shown += fmt::format("\\x{:02x}", byte);
    } else {
      shown += c;
    }
  }
  if (text.size() > max_bytes) shown += "...";
  return shown;
}

Result<int64_t> parse_size_bytes(std::string_view text) {
  return parse_quantity(text, kSizeUnits, "a size", "\"512MiB\" or \"2GiB\"");
}

Result<int64_t> parse_duration_ns(std::string_view text) {
  return parse_quantity(text, kDurationUnits, "a duration", "\"20ms\" or \"30s\"");
}

std::string format_size_bytes(int64_t size_bytes) {
  if (std::abs(size_bytes) < 1024) return fmt::format("{} B", size_bytes);
  double value = static_cast<double>(size_bytes);
  const char* unit = "B";
  for (const char* larger : {"KiB", "MiB", "GiB", "TiB", "PiB"}) {
    if (std::abs(value) < 1024) break;
    value /= 1024;
    unit = larger;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string format_duration_ns(int64_t duration_ns) {
  const auto value = static_cast<double>(duration_ns);
  if (std::abs(value) < 1e3) return fmt::format("{} ns", duration_ns);
  if (std::abs(value) < 1e6) return fmt::format("{:.1f} us", value / 1e3);
  if (std::abs(value) < 1e9) return fmt::format("{:.2f} ms", value / 1e6);
  if (std::abs(value) < 120e9) return fmt::format("{:.2f} s", value / 1e9);
  const int64_t seconds = duration_ns / 1'000'000'000;
  return fmt::format("{}m {:02}s", seconds / 60, std::abs(seconds % 60));
}

}  // namespace axle
