#include "case_line.h"

#include <cstdlib>

#include "base/text.h"

namespace axle::testing {

Line split_line(std::string_view text, size_t number) {
  Line line{number, static_cast<int>(std::min(text.find_first_not_of(' '), text.size())), {}, {}};
  std::string token;
  bool quoted = false, any = false;
  size_t equals = std::string::npos;
  const auto flush = [&] {
    if (any && equals != std::string::npos)
      line.values[token.substr(0, equals)] = token.substr(equals);
    else if (any)
      line.words.push_back(token);
    token.clear();
    any = false;
    equals = std::string::npos;
  };
  for (const char c : text) {
    if (c == '"') {
      quoted = !quoted;
      any = true;
    } else if (c == ' ' && !quoted)
      flush();
    else if (c == '=' && !quoted && equals == std::string::npos)
      equals = token.size();
    else {
      token += c;
      any = true;
    }
  }
  flush();
  return line;
}

std::vector<std::string> list_of(const std::string& text) {
  std::vector<std::string> items;
  if (text.empty()) return items;
  for (const std::string_view piece : split(text, ',')) items.emplace_back(trim(piece));
  return items;
}

int64_t number_of(const std::string& text) { return std::strtoll(text.c_str(), nullptr, 10); }
double real_of(const std::string& text) { return std::strtod(text.c_str(), nullptr); }
int64_t time_of(const std::string& text) { return text.empty() ? 0 : parse_duration_ns(text).value(); }
uint64_t size_of(const std::string& text) { return text.empty() ? 0 : static_cast<uint64_t>(parse_size_bytes(text).value()); }

}  // namespace axle::testing
