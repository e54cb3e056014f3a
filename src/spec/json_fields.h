// Lists, maps and optional parts in JSON: what the readers and writers of spec share.
#pragma once

#include <fmt/core.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace axle {

inline constexpr size_t kMaxListedItems = 4'000'000;  // of any one list in a document of ours

template <typename T, typename F>
Json list_to_json(const std::vector<T>& items, F to_json) {
  Json array = Json::array();
  array.get_ref<Json::array_t&>().reserve(items.size());
  for (const T& item : items) array.push_back(to_json(item));
  return array;
}

template <typename V>
Json map_to_json(const std::map<std::string, V>& items) {
  Json object = Json::object();
  for (const auto& [key, value] : items) object[key] = value;
  return object;
}

// Reads the array `key` (absent = empty) with `read(const Json&, where) -> Result<T>`.
template <typename T, typename F>
std::vector<T> read_list(JsonReader& reader, const char* key, F read) {
  std::vector<T> items;
  const Json* array = reader.optional(key);
  if (array == nullptr) return items;
  if (!array->is_array() || array->size() > kMaxListedItems) {
    reader.fail(invalid_argument_error(
        fmt::format("{}.{} must be an array of at most {} items", reader.where(), key, kMaxListedItems)));
    return items;
  }
  items.reserve(array->size());
  for (const Json& json : *array) {
    Result<T> item = read(json, fmt::format("{}.{}[{}]", reader.where(), key, items.size()));
    if (!item.has_value()) {
      reader.fail(std::move(item).error());
      return {};
    }
    items.push_back(std::move(item).value());
  }
  return items;
}

// Reads the object `key` (absent = empty), each member with `read(const Json&, where) -> Result<V>`.
template <typename V, typename F>
std::map<std::string, V> read_map(JsonReader& reader, const char* key, F read) {
  std::map<std::string, V> items;
  const Json* object = reader.optional(key);
  if (object == nullptr) return items;
  if (!object->is_object()) {
    reader.fail(
        invalid_argument_error(fmt::format("{}.{} must be an object, not {}", reader.where(), key, object->type_name())));
    return items;
  }
  for (auto it = object->begin(); it != object->end(); ++it) {
    Result<V> item = read(it.value(), fmt::format("{}.{}.{}", reader.where(), key, it.key()));
    if (!item.has_value()) {
      reader.fail(std::move(item).error());
      return {};
    }
    items.emplace(it.key(), std::move(item).value());
  }
  return items;
}

Result<std::string> read_text(const Json& json, const std::string& where);
Result<int64_t> read_integer(const Json& json, const std::string& where);
Result<double> read_number(const Json& json, const std::string& where);

std::map<std::string, std::string> read_texts_map(JsonReader& reader, const char* key);

// Integers with a range; the range is named when it is left.
int64_t read_bounded(JsonReader& reader, const char* key, int64_t low, int64_t high);
int64_t read_bounded_or(JsonReader& reader, const char* key, int64_t fallback, int64_t low, int64_t high);
int32_t read_int32(JsonReader& reader, const char* key, int32_t low = 0);
uint64_t read_size(JsonReader& reader, const char* key);  // 0 ... 2^62
std::vector<int32_t> read_int32s(JsonReader& reader, const char* key);
// The enumerator whose name stands at `key`, found by `parse(text) -> optional<E>`; `words` names the allowed ones.
template <typename E, typename F>
E read_word(JsonReader& reader, const char* key, F parse, const char* words) {
  const std::string text = reader.text(key);
  const auto value = parse(text);
  if (value) return *value;
  reader.fail(invalid_argument_error(fmt::format("{}.{} is \"{}\"; it must be one of {}", reader.where(), key, text, words)));
  return E{};
}

}  // namespace axle
