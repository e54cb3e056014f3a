// A TOML document as plain values that know their place, and the strict reader over its tables.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "axle/status.h"

namespace axle {

struct TomlPlace {
  uint32_t line = 0, column = 0;  // from 1
};

struct TomlMember;

struct TomlValue {
  enum class Kind : uint8_t { kBoolean, kInteger, kNumber, kText, kArray, kTable };
  Kind kind = Kind::kTable;
  bool boolean = false;
  int64_t integer = 0;
  double number = 0;  // also of an integer
  std::string text;
  std::vector<TomlValue> items;     // kArray
  std::vector<TomlMember> members;  // kTable, sorted by key
  TomlPlace place;
};

struct TomlMember {
  std::string key;
  TomlPlace place;
  TomlValue value;
};

// At most 1 MiB. INVALID_ARGUMENT "origin:line:column: ...". Dates and times are refused: nothing of ours holds one.
Result<TomlValue> parse_toml(std::string_view text, const std::string& origin);

// Reads one table. Every asked key is known afterwards; finish() refuses the others and names the nearest known key.
// The first failure sticks. A key that is absent gives nullopt, nullptr or an empty list.
class TomlReader {
 public:
  // `path` is "execution", "engines.openvino" or "" for the document, which messages call `document` ("a policy").
  TomlReader(const TomlValue& table, std::string path, std::string origin, std::string document = "the document");

  std::optional<std::string> text(const char* key);
  std::optional<int64_t> integer(const char* key, int64_t low, int64_t high);
  std::optional<double> number(const char* key, double low, double high);
  std::optional<bool> boolean(const char* key);
  // A list of strings, or one string.
  std::vector<std::string> texts(const char* key);
  const TomlValue* value(const char* key);
  // Null also when it is not a table or array (that is a failure).
  const TomlValue* table(const char* key);
  const TomlValue* array(const char* key);
  // Members that were not asked for: the caller reads them (maps with free keys). Makes finish() content.
  std::vector<const TomlMember*> rest();

  // Calls `check(text) -> Status` for one value and puts its place before the message.
  template <typename F>
  void check(const char* key, F&& check_text) {
    const TomlValue* found = find(key);
    if (found == nullptr || !status_.ok()) return;
    if (found->kind == TomlValue::Kind::kText) fail_at(found->place, check_text(found->text));
    for (const TomlValue& item : found->items) {
      if (item.kind == TomlValue::Kind::kText) fail_at(item.place, check_text(item.text));
    }
  }

  // Puts the place before the message; no effect when `status` is OK or a failure is there already.
  void fail_at(TomlPlace place, const Status& status);
  void adopt(Status status) {
    if (status_.ok()) status_ = std::move(status);
  }
  const Status& status() const { return status_; }
  const std::string& path() const { return path_; }
  const std::string& origin() const { return origin_; }
  Status finish();

 private:
  const TomlValue* find(const char* key);
  Status wrong_kind(const char* key, const char* wanted, const TomlValue& got) const;
  std::string name_of(std::string_view key) const;
  const TomlValue& table_;
  std::string path_;
  std::string origin_;
  std::string document_;
  std::vector<std::string> known_;
  bool rest_read_ = false;
  Status status_;
};

// "a boolean", "an integer", ...
std::string_view toml_kind_name(TomlValue::Kind kind) noexcept;

}  // namespace axle
