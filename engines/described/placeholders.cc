#include "placeholders.h"

#include <fmt/core.h>

#include "base/text.h"

namespace axle::described {
namespace {

// Calls literal(text) and name(text) -> Status for the pieces of `text`, in order.
template <typename Literal, typename Name>
Status walk(std::string_view text, Literal literal, Name name) {
  for (size_t at = 0; at < text.size();) {
    const size_t dollar = std::min(text.find('$', at), text.size());
    literal(text.substr(at, dollar - at));
    if (dollar == text.size()) break;
    const char next = dollar + 1 < text.size() ? text[dollar + 1] : '\0';
    if (next == '{') {
      const size_t end = text.find('}', dollar);
      if (end == std::string_view::npos)
        return invalid_argument_error(
            fmt::format("the placeholder in \"{}\" does not end", printable(text.substr(dollar), 60)));
      AXLE_RETURN_IF_ERROR(name(text.substr(dollar + 2, end - dollar - 2)));
      at = end + 1;
    } else {
      literal("$");
      at = dollar + (next == '$' ? 2 : 1);
    }
  }
  return ok_status();
}

Status unknown(std::string_view name) {
  return invalid_argument_error(fmt::format("the placeholder ${{{}}} has no meaning here", printable(name, 60)))
      .with_hint("docs/formats/engine-description.md lists them; write $$ for a dollar sign");
}

}  // namespace

Result<std::string> expand(std::string_view text, const Values& values) {
  std::string out;
  const Status walked = walk(
      text, [&](std::string_view piece) { out += piece; },
      [&](std::string_view name) -> Status {
        const auto found = values.find(name);
        if (found == values.end()) return unknown(name);
        if (out.size() + found->second.size() > kMaxExpandedBytes)
          return resource_exhausted_error("a text of the description grows too large");
        out += found->second;
        return ok_status();
      });
  AXLE_RETURN_IF_ERROR(walked);
  return out;
}

Status check_placeholders(std::string_view text, const std::function<bool(std::string_view)>& known) {
  return walk(text, [](std::string_view) {}, [&](std::string_view name) { return known(name) ? ok_status() : unknown(name); });
}

}  // namespace axle::described
