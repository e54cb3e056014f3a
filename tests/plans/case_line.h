// One line of a golden plan's input, and the values in it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace axle::testing {

// One line: words and key=value pairs; a value or word in quotes may hold blanks.
struct Line {
  size_t number = 0;
  int indent = 0;
  std::vector<std::string> words;
  std::map<std::string, std::string> values;

  std::string word(size_t index) const { return index < words.size() ? words[index] : ""; }
  std::string value(const std::string& key, const std::string& fallback = "") const {
    const auto found = values.find(key);
    return found == values.end() ? fallback : found->second;
  }
  bool has(const std::string& w) const { return std::find(words.begin(), words.end(), w) != words.end(); }
};

Line split_line(std::string_view text, size_t number);

// "a, b" as a and b; nothing of "".
std::vector<std::string> list_of(const std::string& text);
int64_t number_of(const std::string& text);
double real_of(const std::string& text);
// "4.2ms" in nanoseconds, "1MiB" in bytes; 0 of "".
int64_t time_of(const std::string& text);
uint64_t size_of(const std::string& text);

}  // namespace axle::testing
