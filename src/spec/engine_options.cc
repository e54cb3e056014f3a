#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "axle/engine.h"
#include "base/json.h"

namespace axle {
namespace {

constexpr size_t kMaxValueBytes = 4096;

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Status outside(const OptionSpec& option, std::string_view value, const std::string& wanted) {
  return invalid_argument_error(fmt::format("option '{}' is '{}', wanted {}", option.name, value.substr(0, 64), wanted));
}

std::string range_text(const OptionSpec& option) {
  if (option.minimum && option.maximum) return fmt::format("{:g} to {:g}", *option.minimum, *option.maximum);
  if (option.minimum) return fmt::format("at least {:g}", *option.minimum);
  if (option.maximum) return fmt::format("at most {:g}", *option.maximum);
  return "any";
}

Status check_range(const OptionSpec& option, std::string_view value, std::optional<double> number, const char* kind) {
  const bool inside = number && !std::isnan(*number) && (!option.minimum || *number >= *option.minimum) &&
                      (!option.maximum || *number <= *option.maximum);
  return inside ? ok_status() : outside(option, value, fmt::format("{} ({})", kind, range_text(option)));
}

Status apply(const Capability& capability, const std::map<std::string, std::string>& values,
             std::map<std::string, std::string>& out) {
  for (const auto& [name, value] : values) {
    const auto found = std::find_if(capability.options.begin(), capability.options.end(),
                                    [&](const OptionSpec& option) { return option.name == name; });
    if (found == capability.options.end()) {
      std::vector<std::string> names;
      for (const OptionSpec& option : capability.options) names.push_back(option.name);
      const std::string nearest = nearest_word(name, names);
      return invalid_argument_error(fmt::format("unknown option '{}'", name.substr(0, 64)))
          .with_hint(nearest.empty() ? "`axle engines --json` lists the options of each engine"
                                     : fmt::format("did you mean '{}'?", nearest));
    }
    AXLE_RETURN_IF_ERROR(check_option(*found, value));
    out[name] = value;
  }
  return ok_status();
}

}  // namespace

Status check_option(const OptionSpec& option, std::string_view value) {
  if (value.size() > kMaxValueBytes) return outside(option, value, "at most 4096 bytes");
  switch (option.type) {
    case OptionType::kBoolean:
      return value == "true" || value == "false" ? ok_status() : outside(option, value, "true or false");
    case OptionType::kInteger: {
      const auto number = parse_number<int64_t>(value);
      return check_range(option, value, number ? std::optional<double>(static_cast<double>(*number)) : std::nullopt,
                         "an integer");
    }
    case OptionType::kNumber: return check_range(option, value, parse_number<double>(value), "a number");
    case OptionType::kChoice: {
      if (std::find(option.choices.begin(), option.choices.end(), value) != option.choices.end()) return ok_status();
      std::string list;
      for (const std::string& choice : option.choices) list += (list.empty() ? "" : ", ") + choice;
      Status status = outside(option, value, "one of " + list);
      return option.description.empty() ? status : std::move(status).with_hint(option.description);
    }
    case OptionType::kText: break;
  }
  return ok_status();
}

Result<std::map<std::string, std::string>> resolve_options(const Capability& capability, std::string_view preset,
                                                           const std::map<std::string, std::string>& overrides) {
  std::map<std::string, std::string> resolved;
  for (const OptionSpec& option : capability.options) resolved[option.name] = option.default_value;
  const auto found = std::find_if(capability.presets.begin(), capability.presets.end(),
                                  [&](const Preset& candidate) { return candidate.name == preset; });
  if (found == capability.presets.end() && preset != "default") {
    std::string list;
    for (const Preset& known : capability.presets) list += (list.empty() ? "" : ", ") + known.name;
    return not_found_error(fmt::format("no preset '{}'", preset.substr(0, 64))).with_hint("presets: " + list);
  }
  if (found != capability.presets.end()) {
    if (Status status = apply(capability, found->options, resolved); !status.ok()) {
      return std::move(status).with_context(fmt::format("preset '{}'", preset));
    }
  }
  AXLE_RETURN_IF_ERROR(apply(capability, overrides, resolved));
  return resolved;
}

}  // namespace axle
