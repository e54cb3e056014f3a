#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace axle {
namespace {

constexpr double kLargestExactInteger = 9007199254740992.0;  // 2^53
constexpr size_t kLongestComparedWord = 64;

const Json& null_json() {
  static const Json null;
  return null;
}

Status wrong_type(const std::string& where, const char* key, const char* wanted, const Json& got) {
  return invalid_argument_error(fmt::format("{}.{} must be {}, not {}", where, key, wanted, got.type_name()));
}

std::optional<int64_t> to_integer(const Json& value) {
  if (value.is_number_unsigned()) {
    const auto number = value.get<uint64_t>();
    return number <= INT64_MAX ? std::optional<int64_t>(static_cast<int64_t>(number)) : std::nullopt;
  }
  if (value.is_number_integer()) return value.get<int64_t>();
  // JSON has one kind of number: 1e3 is an integer too.
  const auto number = value.get<double>();
  if (std::abs(number) > kLargestExactInteger || number != std::floor(number)) return std::nullopt;
  return static_cast<int64_t>(number);
}

// Edits (insert, delete, replace, swap of neighbours) that turn a into b.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates) {
  if (word.size() > kLongestComparedWord) return "";
  const std::string* nearest = nullptr;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kLongestComparedWord) continue;
    const size_t distance = edit_distance(word, candidate);
    if (distance < least) {
      least = distance;
      nearest = &candidate;
    }
  }
  return nearest ? *nearest : "";
}

JsonReader::JsonReader(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
  if (!object.is_object()) {
    fail(invalid_argument_error(fmt::format("{} must be an object, not {}", where_, object.type_name())));
  }
}

void JsonReader::fail(Status status) {
  if (status_.ok()) status_ = std::move(status);
}

bool JsonReader::has(const char* key) const { return object_.is_object() && object_.contains(key); }

const Json* JsonReader::find(const char* key) {
  if (!status_.ok()) return nullptr;
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  const auto it = object_.find(key);
  return it == object_.end() ? nullptr : &*it;
}

const Json* JsonReader::require(const char* key) {
  const Json* value = find(key);
  if (value == nullptr) fail(invalid_argument_error(fmt::format("{} lacks the key \"{}\"", where_, key)));
  return value;
}

std::string JsonReader::text(const char* key) {
  const Json* value = require(key);
  if (value == nullptr) return "";
  if (value->is_string()) return value->get<std::string>();
  fail(wrong_type(where_, key, "a string", *value));
  return "";
}

std::string JsonReader::text_or(const char* key, std::string fallback) { return find(key) ? text(key) : std::move(fallback); }

int64_t JsonReader::integer(const char* key) {
  const Json* value = require(key);
  if (value == nullptr) return 0;
  if (!value->is_number()) {
    fail(wrong_type(where_, key, "an integer", *value));
    return 0;
  }
  const std::optional<int64_t> number = to_integer(*value);
  if (!number) fail(invalid_argument_error(fmt::format("{}.{} must be a 64-bit integer", where_, key)));
  return number.value_or(0);
}

int64_t JsonReader::integer_or(const char* key, int64_t fallback) { return find(key) ? integer(key) : fallback; }

double JsonReader::number(const char* key) {
  const Json* value = require(key);
  if (value == nullptr) return 0;
  if (value->is_number()) return value->get<double>();
  fail(wrong_type(where_, key, "a number", *value));
  return 0;
}

double JsonReader::number_or(const char* key, double fallback) { return find(key) ? number(key) : fallback; }

bool JsonReader::boolean(const char* key) {
  const Json* value = require(key);
  if (value == nullptr) return false;
  if (value->is_boolean()) return value->get<bool>();
  fail(wrong_type(where_, key, "true or false", *value));
  return false;
}

bool JsonReader::boolean_or(const char* key, bool fallback) { return find(key) ? boolean(key) : fallback; }

std::vector<std::string> JsonReader::texts_or_empty(const char* key) {
  std::vector<std::string> texts;
  const Json* value = find(key);
  if (value == nullptr) return texts;
  if (!value->is_array()) fail(wrong_type(where_, key, "an array of strings", *value));
  for (const Json& item : value->is_array() ? *value : null_json()) {
    if (!item.is_string()) {
      fail(wrong_type(where_, key, "an array of strings", item));
      return {};
    }
    texts.push_back(item.get<std::string>());
  }
  return texts;
}

std::vector<int64_t> JsonReader::integers_or_empty(const char* key) {
  std::vector<int64_t> numbers;
  const Json* value = find(key);
  if (value == nullptr) return numbers;
  if (!value->is_array()) fail(wrong_type(where_, key, "an array of integers", *value));
  for (const Json& item : value->is_array() ? *value : null_json()) {
    const std::optional<int64_t> number = item.is_number() ? to_integer(item) : std::nullopt;
    if (!number) {
      fail(invalid_argument_error(fmt::format("{}.{} must hold 64-bit integers only", where_, key)));
      return {};
    }
    numbers.push_back(*number);
  }
  return numbers;
}

const Json* JsonReader::optional(const char* key) { return find(key); }

const Json& JsonReader::array(const char* key) {
  const Json* value = require(key);
  if (value == nullptr) return null_json();
  if (value->is_array()) return *value;
  fail(wrong_type(where_, key, "an array", *value));
  return null_json();
}

const Json& JsonReader::object(const char* key) {
  const Json* value = require(key);
  if (value == nullptr) return null_json();
  if (value->is_object()) return *value;
  fail(wrong_type(where_, key, "an object", *value));
  return null_json();
}

Status JsonReader::finish() {
  if (!status_.ok()) return status_;
  for (auto it = object_.begin(); it != object_.end(); ++it) {
    if (std::find(known_.begin(), known_.end(), it.key()) != known_.end()) continue;
    const std::string near = nearest_word(it.key(), known_);
    Status status = invalid_argument_error(fmt::format("{} has the unknown key \"{}\"", where_, it.key()));
    if (!near.empty()) status = std::move(status).with_hint(fmt::format("did you mean \"{}\"?", near));
    fail(std::move(status));
    return status_;
  }
  return ok_status();
}

}  // namespace axle
