#include <fmt/core.h>

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "base/toml_document.h"

namespace axle {

using Kind = TomlValue::Kind;

std::string_view toml_kind_name(Kind kind) noexcept {
  switch (kind) {
    case Kind::kBoolean: return "a boolean";
    case Kind::kInteger: return "an integer";
    case Kind::kNumber: return "a number";
    case Kind::kText: return "a string";
    case Kind::kArray: return "an array";
    case Kind::kTable: return "a table";
  }
  return "a value";
}

TomlReader::TomlReader(const TomlValue& table, std::string path, std::string origin, std::string document)
    : table_(table), path_(std::move(path)), origin_(std::move(origin)), document_(std::move(document)) {}

std::string TomlReader::name_of(std::string_view key) const {
  return path_.empty() ? printable(key, 64) : fmt::format("{}.{}", path_, printable(key, 64));
}

Status TomlReader::wrong_kind(const char* key, const char* wanted, const TomlValue& got) const {
  return invalid_argument_error(fmt::format("{} must be {}, not {}", name_of(key), wanted, toml_kind_name(got.kind)));
}

const TomlValue* TomlReader::find(const char* key) {
  if (std::find(known_.begin(), known_.end(), key) == known_.end()) known_.emplace_back(key);
  const auto found =
      std::find_if(table_.members.begin(), table_.members.end(), [&](const TomlMember& m) { return m.key == key; });
  return found == table_.members.end() ? nullptr : &found->value;
}

void TomlReader::fail_at(TomlPlace place, const Status& status) {
  if (status.ok() || !status_.ok()) return;
  Status placed = invalid_argument_error(fmt::format("{}:{}:{}: {}", origin_, place.line, place.column, status.message()));
  if (!status.hint().empty()) placed = std::move(placed).with_hint(status.hint());
  status_ = std::move(placed);
}

std::optional<std::string> TomlReader::text(const char* key) {
  const TomlValue* found = find(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind == Kind::kText) return found->text;
  fail_at(found->place, wrong_kind(key, "a string", *found));
  return std::nullopt;
}

std::optional<int64_t> TomlReader::integer(const char* key, int64_t low, int64_t high) {
  const TomlValue* found = find(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind != Kind::kInteger) {
    fail_at(found->place, wrong_kind(key, "an integer", *found));
  } else if (found->integer < low || found->integer > high) {
    fail_at(found->place,
            invalid_argument_error(fmt::format("{} is {}; it must lie in [{}, {}]", name_of(key), found->integer, low, high)));
  } else {
    return found->integer;
  }
  return std::nullopt;
}

std::optional<double> TomlReader::number(const char* key, double low, double high) {
  const TomlValue* found = find(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind != Kind::kInteger && found->kind != Kind::kNumber) {
    fail_at(found->place, wrong_kind(key, "a number", *found));
  } else if (!(found->number >= low && found->number <= high)) {
    fail_at(found->place,
            invalid_argument_error(fmt::format("{} is {}; it must lie in [{}, {}]", name_of(key), found->number, low, high)));
  } else {
    return found->number;
  }
  return std::nullopt;
}

std::optional<bool> TomlReader::boolean(const char* key) {
  const TomlValue* found = find(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind == Kind::kBoolean) return found->boolean;
  fail_at(found->place, wrong_kind(key, "true or false", *found));
  return std::nullopt;
}

std::vector<std::string> TomlReader::texts(const char* key) {
  const TomlValue* found = find(key);
  if (found == nullptr) return {};
  if (found->kind == Kind::kText) return {found->text};
  if (found->kind != Kind::kArray) {
    fail_at(found->place, wrong_kind(key, "a string or an array of strings", *found));
    return {};
  }
  std::vector<std::string> texts;
  for (const TomlValue& item : found->items) {
    if (item.kind != Kind::kText) {
      fail_at(item.place, wrong_kind(key, "a string or an array of strings", item));
      return {};
    }
    texts.push_back(item.text);
  }
  return texts;
}

const TomlValue* TomlReader::value(const char* key) { return find(key); }

const TomlValue* TomlReader::table(const char* key) {
  const TomlValue* found = find(key);
  if (found == nullptr || found->kind == Kind::kTable) return found;
  fail_at(found->place, wrong_kind(key, "a table", *found));
  return nullptr;
}

const TomlValue* TomlReader::array(const char* key) {
  const TomlValue* found = find(key);
  if (found == nullptr || found->kind == Kind::kArray) return found;
  fail_at(found->place, wrong_kind(key, "an array", *found));
  return nullptr;
}

std::vector<const TomlMember*> TomlReader::rest() {
  rest_read_ = true;
  std::vector<const TomlMember*> members;
  for (const TomlMember& member : table_.members) {
    if (std::find(known_.begin(), known_.end(), member.key) == known_.end()) members.push_back(&member);
  }
  return members;
}

Status TomlReader::finish() {
  if (!status_.ok() || rest_read_) return status_;
  const TomlMember* first = nullptr;
  for (const TomlMember& member : table_.members) {
    if (std::find(known_.begin(), known_.end(), member.key) != known_.end()) continue;
    const auto before = [](TomlPlace a, TomlPlace b) { return a.line != b.line ? a.line < b.line : a.column < b.column; };
    if (first == nullptr || before(member.place, first->place)) first = &member;
  }
  if (first == nullptr) return status_;
  std::sort(known_.begin(), known_.end());
  const std::string near = nearest_word(first->key, known_);
  const std::string place = path_.empty() ? document_ : fmt::format("[{}]", path_);
  fail_at(first->place, invalid_argument_error(fmt::format("unknown key \"{}\" in {}", printable(first->key, 64), place))
                            .with_hint(near.empty() ? fmt::format("{} may hold {}", place, join(known_, ", "))
                                                    : fmt::format("did you mean \"{}\"?", near)));
  return status_;
}

}  // namespace axle
