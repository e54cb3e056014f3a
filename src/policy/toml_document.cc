#include "policy/toml_document.h"

#include <fmt/core.h>

// It asserts what a hostile document can break ("[$"), and reports the same right after: an error, not the end of the process.
#define TOML_ASSERT(condition) static_cast<void>(0)
#include <toml++/toml.h>

#include <algorithm>

namespace axle {
namespace {

constexpr size_t kMaxDocumentBytes = 1u << 20;

TomlPlace place_of(const toml::source_region& region) { return {region.begin.line, region.begin.column}; }

Status at(const std::string& origin, TomlPlace place, const std::string& what) {
  return invalid_argument_error(fmt::format("{}:{}:{}: {}", origin, place.line, place.column, what));
}

Result<TomlValue> convert(const toml::node& node, const std::string& origin);

Result<TomlValue> convert_table(const toml::table& table, const std::string& origin) {
  TomlValue value;
  value.kind = TomlValue::Kind::kTable;
  for (const auto& [key, child] : table) {
    AXLE_ASSIGN_OR_RETURN(TomlValue member, convert(child, origin));
    value.members.push_back({std::string(key.str()), place_of(key.source()), std::move(member)});
  }
  return value;
}

Result<TomlValue> convert_array(const toml::array& array, const std::string& origin) {
  TomlValue value;
  value.kind = TomlValue::Kind::kArray;
  for (const toml::node& child : array) {
    AXLE_ASSIGN_OR_RETURN(TomlValue item, convert(child, origin));
    value.items.push_back(std::move(item));
  }
  return value;
}

// The parser bounds the depth (TOML_MAX_NESTED_VALUES).
Result<TomlValue> convert(const toml::node& node, const std::string& origin) {
  TomlValue value;
  if (const toml::table* table = node.as_table()) {
    AXLE_ASSIGN_OR_RETURN(value, convert_table(*table, origin));
  } else if (const toml::array* array = node.as_array()) {
    AXLE_ASSIGN_OR_RETURN(value, convert_array(*array, origin));
  } else if (const auto* text = node.as_string()) {
    value.kind = TomlValue::Kind::kText;
    value.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    value.kind = TomlValue::Kind::kInteger;
    value.integer = integer->get();
    value.number = static_cast<double>(integer->get());
  } else if (const auto* number = node.as_floating_point()) {
    value.kind = TomlValue::Kind::kNumber;
    value.number = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    value.kind = TomlValue::Kind::kBoolean;
    value.boolean = boolean->get();
  } else {
    return at(origin, place_of(node.source()), "dates and times have no meaning here");
  }
  value.place = place_of(node.source());
  return value;
}

}  // namespace

Result<TomlValue> parse_toml(std::string_view text, const std::string& origin) {
  if (text.size() > kMaxDocumentBytes) {
    return invalid_argument_error(fmt::format("{} has {} bytes; the limit is {}", origin, text.size(), kMaxDocumentBytes));
  }
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    return at(origin, place_of(error.source()), std::string(error.description()));
  }
  return convert(parsed.table(), origin);
}

}  // namespace axle
