// What the vendor's compiler takes: formats, operators, types, limits; and the options that it has.
#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "parse_parts.h"

namespace axle::described {
namespace {

constexpr int64_t kMaxOpset = 1000;
constexpr int64_t kMaxLimit = INT64_MAX;

void check_dtypes(Section& section, const char* key, const std::vector<std::string>& dtypes) {
  for (const std::string& dtype : dtypes) {
    if (kit::parse_data_type(dtype) == 0)
      section.fail(key, invalid_argument_error(fmt::format("\"{}\" is no element type", printable(dtype, 32)))
                            .with_hint("f32, f16, bf16, i8, u8, i32, i64, ..."));
  }
}

void check_names(Section& section, const char* key, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!is_file_name(name))
      section.fail(key,
                   invalid_argument_error(fmt::format("\"{}\" is no name ([A-Za-z0-9_.-], at most 64)", printable(name, 64))));
  }
}

kit::OpSupport read_op(Section& section) {
  kit::OpSupport op;
  op.op_type = section.required("op");
  op.domain = section.text_or("domain");
  op.min_opset = section.integer("min_opset", 1, kMaxOpset).value_or(1);
  op.max_opset = section.integer("max_opset", 0, kMaxOpset).value_or(0);
  op.dtypes = section.texts("dtypes");
  check_dtypes(section, "dtypes", op.dtypes);
  return op;
}

void read_limits(Section& section, kit::Capability& capability) {
  section.table_at("limits", [&](Section& limits) {
    for (const char* name : {"threads_max", "rank_max", "tensor_bytes_max", "nodes_max", "memory_bytes"}) {
      if (const auto limit = limits.integer(name, 1, kMaxLimit)) capability.limits[name] = *limit;
    }
  });
}

std::optional<double> number_in(std::string_view text) {
  double number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The default must lie in the domain.
Status check_default(const kit::Option& option) {
  const std::string& value = option.default_value;
  const auto bad = [&](const std::string& wanted) {
    return invalid_argument_error(
        fmt::format("the default \"{}\" of the option \"{}\" is not {}", printable(value, 64), option.name, wanted));
  };
  if (option.type == kit::OptionType::kBoolean) return value == "true" || value == "false" ? ok_status() : bad("true or false");
  if (option.type == kit::OptionType::kChoice) {
    const bool listed = std::find(option.choices.begin(), option.choices.end(), value) != option.choices.end();
    return listed ? ok_status() : bad("one of its choices");
  }
  if (option.type == kit::OptionType::kText) return ok_status();
  const auto number = number_in(value);
  const bool whole = option.type != kit::OptionType::kInteger || value.find_first_not_of("-0123456789") == std::string::npos;
  if (!number || !whole) return bad(option.type == kit::OptionType::kInteger ? "an integer" : "a number");
  if ((option.minimum && *number < *option.minimum) || (option.maximum && *number > *option.maximum))
    return bad("within its bounds");
  return ok_status();
}

kit::OptionType type_of(const std::string& word) {
  if (word == "boolean") return kit::OptionType::kBoolean;
  if (word == "integer") return kit::OptionType::kInteger;
  if (word == "number") return kit::OptionType::kNumber;
  return word == "choice" ? kit::OptionType::kChoice : kit::OptionType::kText;
}

kit::Option read_option(Section& section) {
  kit::Option option;
  option.name = section.required("name");
  if (section.ok()) check_names(section, "name", {option.name});
  option.type = type_of(section.word_or("type", {"boolean", "integer", "number", "text", "choice"}, "text"));
  option.default_value = section.text_or("default");
  if (section.value("default") == nullptr)
    section.fail("default", invalid_argument_error("an option needs a default, as text"));
  for (const std::string& affected : section.texts("affects")) {
    if (affected == "numerics")
      option.affects_numerics = true;
    else if (affected == "speed")
      option.affects_speed = true;
    else if (affected == "memory")
      option.affects_memory = true;
    else
      section.fail("affects", invalid_argument_error("affects lists numerics, speed, memory"));
  }
  option.choices = section.texts("choices");
  option.minimum = section.number("minimum", -1e300, 1e300);
  option.maximum = section.number("maximum", -1e300, 1e300);
  option.description = section.text_or("description");
  if (section.ok()) section.fail("default", check_default(option));
  return option;
}

}  // namespace

void read_capability(Section& document, Description& description) {
  document.table_at("capability", [&](Section& section) {
    kit::Capability& capability = description.capability;
    capability.formats = section.texts("formats");
    if (capability.formats.empty())
      section.fail("formats", invalid_argument_error("capability.formats is missing: for example [\"onnx\"]"));
    check_names(section, "formats", capability.formats);
    description.model_file = section.text_or("model_file");
    if (!description.model_file.empty()) check_names(section, "model_file", {description.model_file});
    std::vector<std::string> precisions = section.texts("precisions");
    if (precisions.empty()) precisions = {"f32"};
    check_names(section, "precisions", precisions);
    for (const std::string& precision : precisions) capability.precisions.push_back({precision, "", true});
    capability.dtypes = section.texts("dtypes");
    if (capability.dtypes.empty())
      section.fail("dtypes", invalid_argument_error("capability.dtypes is missing: for example [\"f32\"]"));
    check_dtypes(section, "dtypes", capability.dtypes);
    section.each_at("op", [&](Section& op) { capability.ops.push_back(read_op(op)); });
    // Without a list only compiling tells.
    capability.ops_probed = capability.ops.empty();
    capability.dynamic_shapes = kit::DynamicShapes::kNo;
    capability.needs_compile = true;
    read_limits(section, capability);
  });
}

void read_options(Section& document, Description& description) {
  document.each_at("option", [&](Section& section) {
    kit::Option option = read_option(section);
    for (const kit::Option& other : description.capability.options) {
      if (other.name == option.name)
        section.fail("name", invalid_argument_error(fmt::format("there are two options named \"{}\"", option.name)));
    }
    description.capability.options.push_back(std::move(option));
  });
}

}  // namespace axle::described
