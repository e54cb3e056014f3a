// Bounded fields of engine answers, on top of JsonReader. Failures stick to the reader.
#pragma once

#include <array>
#include <functional>
#include <string>

#include "axle/engine.h"
#include "base/json.h"
#include "spec/engine_answers.h"

namespace axle::answers {

inline constexpr size_t kMaxTextBytes = 16u << 10;
inline constexpr size_t kMaxListItems = 4096;

// A word and its enumerator; the tables are shared by reader and writer.
template <typename E>
struct WordRow {
  std::string_view word;
  E value;
};

template <typename E, size_t N>
std::string_view word_of(const std::array<WordRow<E>, N>& table, E value) {
  for (const auto& row : table) {
    if (row.value == value) return row.word;
  }
  return table[0].word;
}

// Element type by the names of the answers; kUndefined for an unknown one. (The tensor layer stands above this one.)
DataType data_type_from_word(std::string_view word) noexcept;
std::string_view word_of_data_type(DataType type) noexcept;

std::string text(JsonReader& reader, const char* key);           // "" when absent
std::string required_text(JsonReader& reader, const char* key);  // not empty
std::string name(JsonReader& reader, const char* key);           // [A-Za-z0-9_.:-], 1 to 64
std::vector<std::string> texts(JsonReader& reader, const char* key, size_t max_items = kMaxListItems);
std::map<std::string, std::string> text_map(JsonReader& reader, const char* key, size_t max_items = kMaxListItems);
std::vector<DataType> data_types(JsonReader& reader, const char* key);
DataType data_type(JsonReader& reader, const char* key);
// Calls `item` for each element; fails when there are more than `max_items`. Absent = none, unless required.
void each(JsonReader& reader, const char* key, size_t max_items, bool required,
          const std::function<Status(const Json& item, const std::string& where)>& item);
// The sticky failure, or with kStrict the first unknown key.
Status finish(JsonReader& reader, AnswerKeys keys);

template <typename E, size_t N>
E word(JsonReader& reader, const char* key, const std::array<WordRow<E>, N>& table, std::optional<E> fallback = std::nullopt) {
  if (fallback && reader.optional(key) == nullptr) return *fallback;
  const std::string got = reader.text(key);
  if (!reader.status().ok()) return table[0].value;
  std::string known;
  for (const auto& row : table) {
    if (row.word == got) return row.value;
    known += (known.empty() ? "" : ", ") + std::string(row.word);
  }
  reader.fail(invalid_argument_error(reader.where() + "." + key + " is '" + got.substr(0, 64) + "', wanted one of " + known));
  return table[0].value;
}

}  // namespace axle::answers
