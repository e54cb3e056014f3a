#include "spec/answer_fields.h"

#include <fmt/core.h>

namespace axle::answers {
namespace {

constexpr std::array<std::string_view, kDataTypeCount> kDataTypeWords = {
    "undefined",  "f32",    "u8",         "i8",  "u16", "i16",    "i32",    "i64",  "string",
    "bool",       "f16",    "f64",        "u32", "u64", "c64",    "c128",   "bf16", "f8e4m3fn",
    "f8e4m3fnuz", "f8e5m2", "f8e5m2fnuz", "u4",  "i4",  "f4e2m1", "f8e8m0", "u2",   "i2"};

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' ||
         c == '-';
}

bool is_name(std::string_view word) {
  return !word.empty() && word.size() <= 64 && std::all_of(word.begin(), word.end(), is_name_character);
}

void check_length(JsonReader& reader, const char* key, const std::string& value) {
  if (value.size() > kMaxTextBytes) {
    reader.fail(invalid_argument_error(fmt::format("{}.{} is longer than {} bytes", reader.where(), key, kMaxTextBytes)));
  }
}

}  // namespace

DataType data_type_from_word(std::string_view word) noexcept {
  for (size_t i = 1; i < kDataTypeWords.size(); ++i) {
    if (kDataTypeWords[i] == word) return static_cast<DataType>(i);
  }
  return DataType::kUndefined;
}

std::string_view word_of_data_type(DataType type) noexcept {
  const auto index = static_cast<size_t>(type);
  return kDataTypeWords[index < kDataTypeWords.size() ? index : 0];
}

std::string text(JsonReader& reader, const char* key) {
  std::string value = reader.text_or(key, "");
  check_length(reader, key, value);
  return value;
}

std::string required_text(JsonReader& reader, const char* key) {
  std::string value = reader.text(key);
  check_length(reader, key, value);
  if (value.empty()) reader.fail(invalid_argument_error(fmt::format("{}.{} is empty", reader.where(), key)));
  return value;
}

std::string name(JsonReader& reader, const char* key) {
  std::string value = reader.text(key);
  if (reader.status().ok() && !is_name(value)) {
    reader.fail(invalid_argument_error(
        fmt::format("{}.{} must be 1 to 64 of [A-Za-z0-9_.:-], not '{}'", reader.where(), key, value.substr(0, 64))));
  }
  return value;
}

std::vector<std::string> texts(JsonReader& reader, const char* key, size_t max_items) {
  std::vector<std::string> values;
  each(reader, key, max_items, false, [&](const Json& item, const std::string& where) {
    if (!item.is_string()) return invalid_argument_error(where + " must be a string");
    values.push_back(item.get<std::string>());
    return values.back().size() > kMaxTextBytes ? invalid_argument_error(where + " is too long") : ok_status();
  });
  return values;
}

std::map<std::string, std::string> text_map(JsonReader& reader, const char* key, size_t max_items) {
  std::map<std::string, std::string> values;
  const Json* object = reader.optional(key);
  if (object == nullptr) return values;
  if (!object->is_object() || object->size() > max_items) {
    reader.fail(
        invalid_argument_error(fmt::format("{}.{} must be an object of at most {} texts", reader.where(), key, max_items)));
    return values;
  }
  for (const auto& [member, value] : object->items()) {
    if (!value.is_string() || member.size() > kMaxTextBytes || value.get_ref<const std::string&>().size() > kMaxTextBytes) {
      reader.fail(invalid_argument_error(fmt::format("{}.{}.{} must be a text", reader.where(), key, member.substr(0, 64))));
      return {};
    }
    values.emplace(member, value.get<std::string>());
  }
  return values;
}

DataType data_type(JsonReader& reader, const char* key) {
  const std::string got = reader.text(key);
  const DataType type = data_type_from_word(got);
  if (reader.status().ok() && type == DataType::kUndefined) {
    reader.fail(
        invalid_argument_error(fmt::format("{}.{}: unknown element type '{}'", reader.where(), key, got.substr(0, 64))));
  }
  return type;
}

std::vector<DataType> data_types(JsonReader& reader, const char* key) {
  std::vector<DataType> types;
  for (const std::string& got : texts(reader, key, kDataTypeCount)) {
    const DataType type = data_type_from_word(got);
    if (type == DataType::kUndefined) {
      reader.fail(
          invalid_argument_error(fmt::format("{}.{}: unknown element type '{}'", reader.where(), key, got.substr(0, 64))));
      return {};
    }
    types.push_back(type);
  }
  return types;
}

void each(JsonReader& reader, const char* key, size_t max_items, bool required,
          const std::function<Status(const Json& item, const std::string& where)>& item) {
  const Json* list = required ? &reader.array(key) : reader.optional(key);
  if (!reader.status().ok() || list == nullptr) return;
  if (!list->is_array() || list->size() > max_items) {
    reader.fail(
        invalid_argument_error(fmt::format("{}.{} must be an array of at most {} items", reader.where(), key, max_items)));
    return;
  }
  for (size_t i = 0; i < list->size(); ++i) {
    if (Status status = item((*list)[i], fmt::format("{}.{}[{}]", reader.where(), key, i)); !status.ok()) {
      reader.fail(std::move(status));
      return;
    }
  }
}

Status finish(JsonReader& reader, AnswerKeys keys) { return keys == AnswerKeys::kStrict ? reader.finish() : reader.status(); }

}  // namespace axle::answers
