#include "patterns.h"

#include <fmt/core.h>
#include <regex.h>

#include <array>

#include "base/text.h"

namespace axle::described {
namespace {

class Pattern {
 public:
  explicit Pattern(const std::string& text) : error_(::regcomp(&expression_, text.c_str(), REG_EXTENDED)) {}
  ~Pattern() {
    if (error_ == 0) ::regfree(&expression_);
  }
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;

  bool ok() const noexcept { return error_ == 0; }
  size_t groups() const noexcept { return expression_.re_nsub; }
  std::string why() const {
    std::array<char, 256> text{};
    ::regerror(error_, &expression_, text.data(), text.size());
    return text.data();
  }
  std::optional<PatternMatch> match(std::string_view whole) const {
    const std::string line(trim(whole.substr(0, kMaxLineBytes)));
    std::array<regmatch_t, 2> found{};
    if (::regexec(&expression_, line.c_str(), found.size(), found.data(), 0) != 0) return std::nullopt;
    PatternMatch match{line, ""};
    if (found[1].rm_so >= 0) {
      match.group = line.substr(static_cast<size_t>(found[1].rm_so), static_cast<size_t>(found[1].rm_eo - found[1].rm_so));
    }
    return match;
  }

 private:
  regex_t expression_{};
  int error_;
};

std::optional<PatternMatch> find(std::string_view text, const std::string& pattern, bool last) {
  const Pattern compiled(pattern);
  std::optional<PatternMatch> found;
  if (!compiled.ok()) return found;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (auto match = compiled.match(text.substr(begin, end - begin))) {
      found = std::move(match);
      if (!last) return found;
    }
    begin = end + 1;
  }
  return found;
}

}  // namespace

Status check_pattern(std::string_view pattern, size_t groups) {
  const std::string shown = printable(pattern, 80);
  if (pattern.empty()) return invalid_argument_error("a pattern is empty");
  if (pattern.size() > kMaxPatternBytes)
    return invalid_argument_error(fmt::format("the pattern \"{}\" is longer than {} bytes", shown, kMaxPatternBytes));
  if (pattern.find('\0') != std::string_view::npos) return invalid_argument_error("a pattern holds a NUL");
  for (size_t at = pattern.find('{'); at != std::string_view::npos; at = pattern.find('{', at + 1)) {
    if (at + 1 < pattern.size() && (pattern[at + 1] == ',' || (pattern[at + 1] >= '0' && pattern[at + 1] <= '9')))
      return invalid_argument_error(fmt::format("the pattern \"{}\" counts repetitions, which is not allowed", shown))
          .with_hint("use * or +");
  }
  for (size_t at = 0; at + 1 < pattern.size(); ++at) {
    if (pattern[at] != '\\') continue;
    if (++at; pattern[at] >= '1' && pattern[at] <= '9')
      return invalid_argument_error(fmt::format("the pattern \"{}\" refers back to a group, which is not allowed", shown));
  }
  const Pattern compiled{std::string(pattern)};
  if (!compiled.ok()) return invalid_argument_error(fmt::format("the pattern \"{}\" is wrong: {}", shown, compiled.why()));
  if (compiled.groups() < groups)
    return invalid_argument_error(fmt::format("the pattern \"{}\" needs a group in parentheses around what is wanted", shown));
  return ok_status();
}

std::optional<PatternMatch> find_line(std::string_view text, const std::string& pattern) { return find(text, pattern, false); }
std::optional<PatternMatch> find_last_line(std::string_view text, const std::string& pattern) {
  return find(text, pattern, true);
}

}  // namespace axle::described
