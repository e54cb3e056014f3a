#include "spec/json_fields.h"

#include <limits>

namespace axle {
namespace {

// One scalar read with JsonReader's rules, which want an object around it.
template <typename F>
auto read_scalar(const Json& json, const std::string& where, F read) -> Result<decltype(read(std::declval<JsonReader&>()))> {
  const Json holder = {{"value", json}};
  JsonReader reader(holder, where);
  auto value = read(reader);
  AXLE_RETURN_IF_ERROR(reader.finish());
  return value;
}

}  // namespace

Result<std::string> read_text(const Json& json, const std::string& where) {
  if (json.is_string()) return json.get<std::string>();
  return invalid_argument_error(fmt::format("{} must be a string, not {}", where, json.type_name()));
}

Result<int64_t> read_integer(const Json& json, const std::string& where) {
  return read_scalar(json, where, [](JsonReader& reader) { return reader.integer("value"); });
}

Result<double> read_number(const Json& json, const std::string& where) {
  return read_scalar(json, where, [](JsonReader& reader) { return reader.number("value"); });
}

std::map<std::string, std::string> read_texts_map(JsonReader& reader, const char* key) {
  return read_map<std::string>(reader, key, read_text);
}

int64_t read_bounded(JsonReader& reader, const char* key, int64_t low, int64_t high) {
  const int64_t value = reader.integer(key);
  if (value >= low && value <= high) return value;
  reader.fail(
      invalid_argument_error(fmt::format("{}.{} is {}; it must lie in [{}, {}]", reader.where(), key, value, low, high)));
  return low;
}

int64_t read_bounded_or(JsonReader& reader, const char* key, int64_t fallback, int64_t low, int64_t high) {
  return reader.has(key) ? read_bounded(reader, key, low, high) : (reader.optional(key), fallback);
}

int32_t read_int32(JsonReader& reader, const char* key, int32_t low) {
  return static_cast<int32_t>(read_bounded(reader, key, low, std::numeric_limits<int32_t>::max()));
}

uint64_t read_size(JsonReader& reader, const char* key) {
  return static_cast<uint64_t>(read_bounded(reader, key, 0, int64_t{1} << 62));
}

std::vector<int32_t> read_int32s(JsonReader& reader, const char* key) {
  std::vector<int32_t> numbers;
  for (const int64_t number : reader.integers_or_empty(key)) {
    if (number < 0 || number > std::numeric_limits<int32_t>::max()) {
      reader.fail(invalid_argument_error(
          fmt::format("{}.{} holds {}; its numbers must lie in [0, 2147483647]", reader.where(), key, number)));
      return {};
    }
    numbers.push_back(static_cast<int32_t>(number));
  }
  return numbers;
}

}  // namespace axle
