#include "base/json.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "base/utf8.h"

namespace axle {
namespace {

constexpr int kMaxWriteDepth = 512;

// ECMAScript Number::toString from the shortest digits that read back to the same double.
void append_double(double value, std::string& out) {
  if (value == 0) {
    out += '0';  // also for -0
    return;
  }
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::scientific).ptr;
  std::string_view text(buffer, static_cast<size_t>(end - buffer));
  if (text.front() == '-') {
    out += '-';
    text.remove_prefix(1);
  }
  const size_t mark = text.find('e');
  int exponent = 0;
  const char* first = text.data() + mark + 1;
  std::from_chars(*first == '+' ? first + 1 : first, text.data() + text.size(), exponent);
  std::string digits(text.substr(0, mark));
  std::erase(digits, '.');
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // value = 0.digits * 10^point
  if (count <= point && point <= 21) {
    out += digits + std::string(static_cast<size_t>(point - count), '0');
  } else if (0 < point && point <= 21) {
    out += digits.insert(static_cast<size_t>(point), ".");
  } else if (-6 < point && point <= 0) {
    out += "0." + std::string(static_cast<size_t>(-point), '0') + digits;
  } else {
    if (count > 1) digits.insert(1, ".");
    out += fmt::format("{}e{}{}", digits, exponent < 0 ? '-' : '+', std::abs(exponent));
  }
}

bool needs_escape(char c) { return static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\'; }

void append_escaped(char c, std::string& out) {
  switch (c) {
    case '"': out += "\\\""; return;
    case '\\': out += "\\\\"; return;
    case '\b': out += "\\b"; return;
    case '\t': out += "\\t"; return;
    case '\n': out += "\\n"; return;
    case '\f': out += "\\f"; return;
    case '\r': out += "\\r"; return;
    default: out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
  }
}

Status append_string(const std::string& text, std::string& out) {
  if (!is_valid_utf8(text)) return invalid_argument_error("cannot write JSON: a string is not valid UTF-8");
  out += '"';
  auto plain = text.begin();  // of the run not yet written
  for (auto at = plain; (at = std::find_if(at, text.end(), needs_escape)) != text.end(); plain = ++at) {
    out.append(plain, at);
    append_escaped(*at, out);
  }
  out.append(plain, text.end());
  out += '"';
  return ok_status();
}

template <typename Integer>
void append_integer(Integer value, std::string& out) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

// RFC 8785 sorts by UTF-16 code units: as UTF-8 bytes, except that supplementary characters (lead byte F0..F4)
// stand before U+E000..U+FFFF (lead byte EE or EF).
bool utf16_less(const std::string& a, const std::string& b) {
  const auto [at_a, at_b] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  if (at_a == a.end() || at_b == b.end()) return at_a == a.end() && at_b != b.end();
  const auto x = static_cast<unsigned char>(*at_a);
  const auto y = static_cast<unsigned char>(*at_b);
  if (x >= 0xEE && y >= 0xEE && (x >= 0xF0) != (y >= 0xF0)) return x >= 0xF0;
  return x < y;
}

Status append_value(const Json& value, int depth, std::string& out);

Status append_object(const Json& object, int depth, std::string& out) {
  std::vector<Json::const_iterator> members;
  members.reserve(object.size());
  for (auto it = object.begin(); it != object.end(); ++it) members.push_back(it);
  const auto less = [](const auto& a, const auto& b) { return utf16_less(a.key(), b.key()); };
  // The map's order, by bytes, is the right one unless there are supplementary characters.
  if (!std::is_sorted(members.begin(), members.end(), less)) std::sort(members.begin(), members.end(), less);
  out += '{';
  for (size_t i = 0; i < members.size(); ++i) {
    if (i > 0) out += ',';
    AXLE_RETURN_IF_ERROR(append_string(members[i].key(), out));
    out += ':';
    AXLE_RETURN_IF_ERROR(append_value(*members[i], depth + 1, out));
  }
  out += '}';
  return ok_status();
}

Status append_array(const Json& array, int depth, std::string& out) {
  out += '[';
  for (size_t i = 0; i < array.size(); ++i) {
    if (i > 0) out += ',';
    AXLE_RETURN_IF_ERROR(append_value(array[i], depth + 1, out));
  }
  out += ']';
  return ok_status();
}

Status append_value(const Json& value, int depth, std::string& out) {
  if (depth > kMaxWriteDepth) return invalid_argument_error("cannot write JSON: nested too deeply");
  switch (value.type()) {
    case Json::value_t::null: out += "null"; return ok_status();
    case Json::value_t::boolean: out += value.get<bool>() ? "true" : "false"; return ok_status();
    case Json::value_t::number_integer: append_integer(value.get<int64_t>(), out); return ok_status();
    case Json::value_t::number_unsigned: append_integer(value.get<uint64_t>(), out); return ok_status();
    case Json::value_t::number_float:
      if (!std::isfinite(value.get<double>())) {
        return invalid_argument_error("cannot write JSON: a number is NaN or infinite");
      }
      append_double(value.get<double>(), out);
      return ok_status();
    case Json::value_t::string: return append_string(value.get_ref<const std::string&>(), out);
    case Json::value_t::array: return append_array(value, depth, out);
    case Json::value_t::object: return append_object(value, depth, out);
    case Json::value_t::binary:
    case Json::value_t::discarded: break;
  }
  return invalid_argument_error("cannot write JSON: a value has no JSON form");
}

std::string place_in(std::string_view text, size_t offset) {
  offset = std::min(offset, text.size());
  const std::string_view before = text.substr(0, offset);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const size_t start = before.rfind('\n');
  return fmt::format("line {}, column {}", line, start == std::string_view::npos ? offset + 1 : offset - start);
}

// Lets the SAX handler know how far the parser has read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, size_t* read) : at_(at), read_(read) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*read_;
    return *this;
  }
  friend bool operator==(const CountingIterator& a, const CountingIterator& b) { return a.at_ == b.at_; }

 private:
  const char* at_;
  size_t* read_;
};

// Builds the value; stops at the first thing that is refused.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(int max_depth, const size_t* read) : max_depth_(max_depth), read_(read) {}

  bool null() override { return put(nullptr); }
  bool boolean(bool value) override { return put(value); }
  bool number_integer(number_integer_t value) override { return put(value); }
  bool number_unsigned(number_unsigned_t value) override { return put(value); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t& value) override { return put(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(size_t) override { return open(Json::object()); }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    const auto [it, fresh] = open_.back()->get_ref<Json::object_t&>().emplace(name, nullptr);
    if (!fresh) return refuse(fmt::format("the key \"{}\" is given twice", name));
    slot_ = &it->second;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    const std::string_view what = error.what();
    const size_t colon = what.find(": ");  // after "[json.exception...] parse error at line x, column y"
    return refuse(std::string(colon == std::string_view::npos ? what : what.substr(colon + 2)), position);
  }

  Json take() { return std::move(root_); }
  const std::string& reason() const { return reason_; }
  size_t position() const { return position_; }

 private:
  bool refuse(std::string reason, size_t position = 0) {
    reason_ = std::move(reason);
    position_ = position > 0 ? position - 1 : (*read_ > 0 ? *read_ - 1 : 0);
    return false;
  }
  Json& place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    Json& parent = *open_.back();
    if (parent.is_object()) return *slot_ = std::move(value);
    parent.push_back(std::move(value));
    return parent.back();
  }
  bool put(Json value) {
    place(std::move(value));
    return true;
  }
  bool open(Json empty) {
    if (static_cast<int>(open_.size()) >= max_depth_) {
      return refuse(fmt::format("nested deeper than {} levels", max_depth_));
    }
    open_.push_back(&place(std::move(empty)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  int max_depth_;
  const size_t* read_;
  Json root_;
  std::vector<Json*> open_;
  Json* slot_ = nullptr;
  std::string reason_;
  size_t position_ = 0;
};

}  // namespace

Result<std::string> canonical_json(const Json& value) {
  std::string out;
  AXLE_RETURN_IF_ERROR(append_value(value, 0, out));
  return out;
}

Result<Json> parse_json(std::string_view text, size_t max_bytes, int max_depth) {
  if (text.size() > max_bytes) {
    return invalid_argument_error(fmt::format("JSON of {} bytes is larger than the limit of {}", text.size(), max_bytes));
  }
  size_t read = 0;
  Builder builder(max_depth, &read);
  try {
    const bool done =
        Json::sax_parse(CountingIterator(text.data(), &read), CountingIterator(text.data() + text.size(), &read), &builder);
    if (done) return builder.take();
  } catch (const std::exception& error) {
    return invalid_argument_error(fmt::format("JSON: {}", error.what()));
  }
  return invalid_argument_error(fmt::format("JSON: {}: {}", place_in(text, builder.position()), builder.reason()));
}

}  // namespace axle
