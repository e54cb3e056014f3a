// JsonWriter: builds one JSON document, with the few checks that keep a plugin's answer well-formed. Not thread-safe.
// Keys and texts are written as UTF-8; invalid bytes become U+FFFD. NaN and infinities become null.
#pragma once

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace axle::kit {

class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }

  JsonWriter& key(std::string_view name) {
    separate();
    write_text(name);
    out_ += ':';
    after_key_ = true;
    return *this;
  }

  JsonWriter& value(std::string_view text) { return separate(), write_text(text), *this; }
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag) { return raw(flag ? "true" : "false"); }
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  JsonWriter& value(T number) {
    return raw(std::to_string(number));
  }
  JsonWriter& value(double number) {
    if (!std::isfinite(number)) return null();
    char digits[32];
    const auto end = std::to_chars(digits, digits + sizeof(digits), number).ptr;
    return raw(std::string_view(digits, static_cast<size_t>(end - digits)));
  }
  JsonWriter& null() { return raw("null"); }
  template <typename T>
  JsonWriter& value(const std::vector<T>& items) {
    begin_array();
    for (const auto& item : items) value(item);
    return end_array();
  }
  template <typename T>
  JsonWriter& value(const std::map<std::string, T>& items) {
    begin_object();
    for (const auto& [name, item] : items) member(name, item);
    return end_object();
  }

  template <typename T>
  JsonWriter& member(std::string_view name, const T& item) {
    return key(name).value(item);
  }

  std::string take() { return std::move(out_); }

 private:
  JsonWriter& raw(std::string_view token) {
    separate();
    out_ += token;
    return *this;
  }
  JsonWriter& open(char bracket) {
    separate();
    out_ += bracket;
    first_ = true;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
  }
  void separate() {
    if (after_key_) {
      after_key_ = false;
      return;
    }
    if (!first_) out_ += ',';
    first_ = false;
  }

  // Length of the valid UTF-8 sequence that starts at `at`, 0 if there is none.
  static size_t sequence_length(std::string_view text, size_t at) {
    const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
    const auto follows = [&](size_t i) { return (byte(i) & 0xC0u) == 0x80u; };
    const unsigned lead = byte(at);
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return follows(at + 1) ? 2 : 0;
    if (lead >= 0xE0 && lead <= 0xEF) {
      const unsigned second = byte(at + 1);
      if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
      if (lead == 0xED && second > 0x9F) return 0;  // surrogate
      return follows(at + 1) && follows(at + 2) ? 3 : 0;
    }
    if (lead >= 0xF0 && lead <= 0xF4) {
      const unsigned second = byte(at + 1);
      if (lead == 0xF0 && second < 0x90) return 0;
      if (lead == 0xF4 && second > 0x8F) return 0;
      return follows(at + 1) && follows(at + 2) && follows(at + 3) ? 4 : 0;
    }
    return 0;
  }

  void write_text(std::string_view text) {
    static constexpr char kHex[] = "0123456789abcdef";
    out_ += '"';
    for (size_t i = 0; i < text.size();) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c == '"' || c == '\\') {
        out_ += '\\';
        out_ += static_cast<char>(c);
        ++i;
      } else if (c < 0x20) {
        out_ += "\\u00";
        out_ += kHex[c >> 4];
        out_ += kHex[c & 15];
        ++i;
      } else if (const size_t length = sequence_length(text, i); length > 0) {
        out_ += text.substr(i, length);
        i += length;
      } else {
        out_ += "\xEF\xBF\xBD";
        ++i;
      }
    }
    out_ += '"';
  }

  std::string out_;
  bool first_ = true;
  bool after_key_ = false;
};

}  // namespace axle::kit
