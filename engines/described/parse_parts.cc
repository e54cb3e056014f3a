#include "parse_parts.h"

#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "placeholders.h"

namespace axle::described {

std::string Section::below(std::string_view key) const {
  return path().empty() ? std::string(key) : fmt::format("{}.{}", path(), key);
}

void Section::fail(const char* key, const Status& status) {
  const TomlValue* found = value(key);
  fail_at(found == nullptr ? place_ : found->place, status);
}

std::string Section::text_or(const char* key, std::string fallback) {
  auto found = text(key);
  return found ? *std::move(found) : std::move(fallback);
}

std::string Section::required(const char* key) {
  std::string found = text_or(key);
  if (found.empty()) fail(key, invalid_argument_error(fmt::format("{} is missing or empty", below(key))));
  return found;
}

int64_t Section::duration_or(const char* key, int64_t fallback) {
  const auto found = text(key);
  if (!found) return fallback;
  const auto parsed = parse_duration_ns(*found);
  if (!parsed.ok()) fail(key, parsed.status());
  return parsed.value_or(fallback);
}

uint64_t Section::size_or(const char* key, uint64_t fallback) {
  const auto found = text(key);
  if (!found) return fallback;
  const auto parsed = parse_size_bytes(*found);
  if (!parsed.ok()) fail(key, parsed.status());
  return static_cast<uint64_t>(parsed.value_or(0));
}

std::map<std::string, std::string> Section::text_map(const char* key) {
  std::map<std::string, std::string> map;
  const TomlValue* found = table(key);
  if (found == nullptr) return map;
  for (const TomlMember& member : found->members) {
    if (member.value.kind != TomlValue::Kind::kText) {
      fail_at(member.value.place, invalid_argument_error(fmt::format("{}.{} must be a string", below(key), member.key)));
    }
    map[member.key] = member.value.text;
  }
  return map;
}

std::string Section::word_or(const char* key, std::initializer_list<std::string_view> words, std::string fallback) {
  auto found = text(key);
  if (!found) return fallback;
  if (std::find(words.begin(), words.end(), *found) == words.end()) {
    std::string list;
    for (const std::string_view word : words) list += (list.empty() ? "" : ", ") + std::string(word);
    fail(key,
         invalid_argument_error(fmt::format("{} is \"{}\"", below(key), printable(*found, 64))).with_hint("one of " + list));
  }
  return *std::move(found);
}

Names Names::with(std::initializer_list<const char*> more) const {
  Names names = *this;
  names.names_.insert(more.begin(), more.end());
  return names;
}

Names Names::with_tensors() const {
  Names names = *this;
  names.tensors_ = true;
  return names;
}

Status Names::check(std::string_view text) const {
  return check_placeholders(text, [&](std::string_view name) {
    if (names_.contains(name)) return true;
    const std::string_view number = name.substr(std::min(name.find('.'), name.size() - 1) + 1);
    return tensors_ && (name.starts_with("input.") || name.starts_with("output.")) && !number.empty() && number.size() <= 4 &&
           std::all_of(number.begin(), number.end(), [](char c) { return c >= '0' && c <= '9'; });
  });
}

bool is_word(std::string_view text) {
  return !text.empty() && text.size() <= 32 && text[0] >= 'a' && text[0] <= 'z' &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; });
}

bool is_file_name(std::string_view text) {
  return !text.empty() && text.size() <= 64 && text[0] != '.' && text[0] != '-' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
                  c == '-';
         });
}

}  // namespace axle::described
