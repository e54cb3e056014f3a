// JSON as axle writes and reads it: canonical bytes out (RFC 8785), strict and bounded objects in.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "axle/status.h"

namespace axle {

using Json = nlohmann::json;

// RFC 8785: sorted keys, no white space, shortest doubles. INVALID_ARGUMENT for NaN or infinity and for invalid UTF-8.
Result<std::string> canonical_json(const Json& value);
// At most `max_depth` levels and `max_bytes` bytes; duplicate keys refused. INVALID_ARGUMENT names line and column.
Result<Json> parse_json(std::string_view text, size_t max_bytes = 256u << 20, int max_depth = 64);

// "did you mean 'x'?" helper: the candidate nearest to `word` by edit distance, "" if none is near.
std::string nearest_word(std::string_view word, const std::vector<std::string>& candidates);

// Reads one object strictly. Every read key is remembered; finish() refuses unknown keys and names the nearest known one.
// The first failure sticks: later calls do nothing. `where` names the object in messages ("policy.execution").
class JsonReader {
 public:
  JsonReader(const Json& object, std::string where);

  // Required unless `..._or`. Wrong type, out of range or missing -> INVALID_ARGUMENT with the path.
  std::string text(const char* key);
  std::string text_or(const char* key, std::string fallback);
  int64_t integer(const char* key);
  int64_t integer_or(const char* key, int64_t fallback);
  double number(const char* key);
  double number_or(const char* key, double fallback);
  bool boolean(const char* key);
  bool boolean_or(const char* key, bool fallback);
  std::vector<std::string> texts_or_empty(const char* key);
  std::vector<int64_t> integers_or_empty(const char* key);
  // Null when absent; marks the key as known.
  const Json* optional(const char* key);
  // A required array or object; a shared null value after a failure.
  const Json& array(const char* key);
  const Json& object(const char* key);

  void fail(Status status);
  bool has(const char* key) const;
  const std::string& where() const { return where_; }
  const Status& status() const { return status_; }
  // The sticky failure, or the first unknown key.
  Status finish();

 private:
  const Json* find(const char* key);
  const Json* require(const char* key);
  const Json& object_;
  std::string where_;
  std::vector<std::string> known_;
  Status status_;
};

}  // namespace axle
