// The vendor's programs and libraries, and the environment they see.
#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "parse_parts.h"
#include "patterns.h"

namespace axle::described {
namespace {

constexpr size_t kMaxTools = 16;
constexpr int64_t kMaxNumber = 1'000'000'000'000;

ToolSpec read_tool(Section& section) {
  ToolSpec tool;
  tool.name = section.required("name");
  if (section.ok() && !is_word(tool.name))
    section.fail("name",
                 invalid_argument_error(fmt::format("\"{}\" is no tool name ([a-z][a-z0-9_]*)", printable(tool.name, 64))));
  tool.file = section.required("file");
  if (section.ok() && tool.file.find('/') != std::string::npos)
    section.fail("file", invalid_argument_error("file is a name without '/'; folders are given by paths or a variable"));
  const std::string kind = section.word_or("kind", {"program", "library", "file"}, "program");
  tool.is_program = kind == "program";
  tool.is_library = kind == "library";
  tool.variable = section.text_or("variable");
  tool.paths = section.texts("paths");
  const Names names = {"folder", "home"};
  for (const std::string& path : tool.paths) {
    section.fail("paths", names.check(path));
    if (!path.starts_with('/') && !path.starts_with("${") && !path.starts_with("python:"))
      section.fail("paths", invalid_argument_error(fmt::format("the path \"{}\" is not absolute", printable(path, 100)))
                                .with_hint("begin it with /, ${folder}, ${home} or python:"));
  }
  tool.version_argv = section.texts("version_argv");
  tool.version_pattern = section.text_or("version_pattern");
  tool.versions = section.text_or("versions");
  tool.only_to_compile = section.boolean_or("only_to_compile", false);
  const Names version_names = {"folder", "home", "scratch", "tool"};
  for (const std::string& argument : tool.version_argv) section.fail("version_argv", version_names.check(argument));
  if (tool.version_argv.empty() != tool.version_pattern.empty())
    section.fail("version_pattern", invalid_argument_error("version_argv and version_pattern need each other"));
  if (!tool.version_pattern.empty()) section.fail("version_pattern", check_pattern(tool.version_pattern, 1));
  if (!tool.versions.empty() && tool.version_argv.empty())
    section.fail("versions",
                 invalid_argument_error("versions needs version_argv and version_pattern: nothing else tells the version"));
  section.fail("versions", parse_version_bounds(tool.versions).status());
  return tool;
}

std::vector<int64_t> numbers_of(std::string_view text) {
  std::vector<int64_t> numbers;
  for (const std::string_view piece : split(text, '.')) {
    int64_t number = 0;
    for (const char c : piece) {
      if (c < '0' || c > '9') break;
      number = std::min(number * 10 + (c - '0'), kMaxNumber);
    }
    numbers.push_back(number);
  }
  while (!numbers.empty() && numbers.back() == 0) numbers.pop_back();  // 1.2 is 1.2.0
  return numbers;
}

}  // namespace

Result<std::vector<VersionBound>> parse_version_bounds(std::string_view text) {
  std::vector<VersionBound> bounds;
  if (trim(text).empty()) return bounds;
  for (const std::string_view piece : split(text, ',')) {
    const std::string_view bound = trim(piece);
    const size_t digits = std::min(bound.find_first_of("0123456789"), bound.size());
    const std::string relation(trim(bound.substr(0, digits)));
    const std::string_view number = bound.substr(digits);
    const bool known = relation == "=" || relation == ">=" || relation == ">" || relation == "<=" || relation == "<";
    if (!known || number.empty() || number.find_first_not_of("0123456789.") != std::string_view::npos) {
      return invalid_argument_error(fmt::format("\"{}\" is no version range", printable(text, 80)))
          .with_hint("write for example \">=1.2, <2\"");
    }
    bounds.push_back({relation, numbers_of(number)});
  }
  return bounds;
}

bool version_within(std::string_view version, const std::vector<VersionBound>& bounds) {
  const std::vector<int64_t> number = numbers_of(version);
  return std::all_of(bounds.begin(), bounds.end(), [&](const VersionBound& bound) {
    if (bound.relation == "=") return number == bound.number;
    if (bound.relation == ">=") return number >= bound.number;
    if (bound.relation == ">") return number > bound.number;
    return bound.relation == "<=" ? number <= bound.number : number < bound.number;
  });
}

void read_tools(Section& document, Description& description) {
  document.each_at("tool", [&](Section& section) {
    ToolSpec tool = read_tool(section);
    const bool known = std::any_of(description.tools.begin(), description.tools.end(),
                                   [&](const ToolSpec& other) { return other.name == tool.name; });
    if (known) section.fail("name", invalid_argument_error(fmt::format("there are two tools named \"{}\"", tool.name)));
    description.tools.push_back(std::move(tool));
  });
  if (document.ok() && (description.tools.empty() || description.tools.size() > kMaxTools))
    document.fail("tool", invalid_argument_error(fmt::format("a description has 1 to {} tools", kMaxTools)));
}

void read_environment(Section& document, const Names& common, Description& description) {
  document.table_at("environment", [&](Section& section) {
    Environment& environment = description.environment;
    environment.inherited = section.word_or("base", {"empty", "inherited"}, "empty") == "inherited";
    environment.private_home = section.boolean_or("private_home", true);
    environment.set = section.text_map("set");
    environment.unset = section.texts("unset");
    for (const auto& [name, value] : environment.set) {
      if (name.empty() || name.find('=') != std::string::npos)
        section.fail("set", invalid_argument_error(fmt::format("\"{}\" is no variable's name", printable(name, 64))));
      section.fail("set", common.check(value));
    }
  });
}

}  // namespace axle::described
