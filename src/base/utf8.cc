#include "base/utf8.h"

#include <fmt/core.h>

#include <cstdint>
#include <cstring>

namespace axle {
namespace {

constexpr char32_t kInvalid = 0xFFFFFFFF;

// Reads one code point at `at` and moves past it; kInvalid when the bytes are not well-formed.
char32_t next_point(std::string_view text, size_t& at) noexcept {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t lead = byte(at);
  if (lead < 0x80) return text[at++];
  const size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - at < length) return kInvalid;
  char32_t point = lead & (0x7Fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return kInvalid;
    point = (point << 6) | (byte(at + i) & 0x3Fu);
  }
  const char32_t least = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80;
  if (point < least || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return kInvalid;
  at += length;
  return point;
}

}  // namespace

bool is_valid_utf8(std::string_view text) noexcept {
  constexpr uint64_t kNotAscii = 0x8080808080808080;
  for (size_t at = 0; at < text.size();) {
    if (uint64_t eight = 0; text.size() - at >= sizeof eight) {
      std::memcpy(&eight, text.data() + at, sizeof eight);
      if ((eight & kNotAscii) == 0) {
        at += sizeof eight;
        continue;
      }
    }
    if (next_point(text, at) == kInvalid) return false;
  }
  return true;
}

Result<std::u32string> decode_utf8(std::string_view text) {
  std::u32string points;
  for (size_t at = 0; at < text.size();) {
    const char32_t point = next_point(text, at);
    if (point == kInvalid) return invalid_argument_error(fmt::format("byte {} is not valid UTF-8", at));
    points.push_back(point);
  }
  return points;
}

Result<std::string> encode_utf8(std::u32string_view points) {
  std::string text;
  for (const char32_t point : points) {
    if (point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
      return invalid_argument_error(fmt::format("U+{:X} is not a Unicode character", static_cast<uint32_t>(point)));
    }
    if (point < 0x80) {
      text += static_cast<char>(point);
    } else if (point < 0x800) {
      text += {static_cast<char>(0xC0 | (point >> 6)), static_cast<char>(0x80 | (point & 0x3F))};
    } else if (point < 0x10000) {
      text += {static_cast<char>(0xE0 | (point >> 12)), static_cast<char>(0x80 | ((point >> 6) & 0x3F)),
               static_cast<char>(0x80 | (point & 0x3F))};
    } else {
      text += {static_cast<char>(0xF0 | (point >> 18)), static_cast<char>(0x80 | ((point >> 12) & 0x3F)),
               static_cast<char>(0x80 | ((point >> 6) & 0x3F)), static_cast<char>(0x80 | (point & 0x3F))};
    }
  }
  return text;
}

}  // namespace axle
