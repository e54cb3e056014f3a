// Programs that are run: their arguments, files, limits, and what counts as success.
#include <fmt/core.h>

#include <algorithm>

#include "base/text.h"
#include "parse_parts.h"
#include "patterns.h"

namespace axle::described {
namespace {

constexpr size_t kMaxSteps = 32;
constexpr int64_t kDefaultTimeoutNs = 600'000'000'000;
constexpr int64_t kLongestTimeoutNs = 7LL * 24 * 3600 * 1'000'000'000;

Names each_names(const Names& names) { return names.with({"name", "file_name", "index", "path", "dtype", "shape"}); }

// { each = "input", args } or { when = "${option.mode}", is = "fast", args }
void read_group(Section& group, const Names& names, Argument& argument) {
  argument.when = group.text_or("when");
  argument.args = group.texts("args");
  if (argument.when.empty()) {
    group.required("each");
    argument.each = group.word_or("each", {"input", "output"}, "input");
  } else {
    argument.is = group.required("is");
    group.fail("when", names.check(argument.when));
    group.fail("is", names.check(argument.is));
  }
  const Names inner = argument.each.empty() ? names : each_names(names);
  for (const std::string& text : argument.args) group.fail("args", inner.check(text));
}

std::vector<Argument> read_argv(Section& section, const char* key, const Names& names) {
  std::vector<Argument> argv;
  const TomlValue* found = section.array(key);
  if (found == nullptr || found->items.empty() || found->items.size() > kMaxItems) {
    section.fail(key, invalid_argument_error(fmt::format("{} is missing, empty or too long", section.below(key))));
    return argv;
  }
  for (const TomlValue& item : found->items) {
    Argument argument;
    if (item.kind == TomlValue::Kind::kText) {
      argument.text = item.text;
      section.fail_at(item.place, names.check(argument.text));
    } else if (item.kind == TomlValue::Kind::kTable) {
      Section group(item, section.below(key), section.origin());
      read_group(group, names, argument);
      section.adopt(group.finish());
    } else {
      section.fail_at(item.place, invalid_argument_error(fmt::format(
                                      "{} holds strings, {{ each, args }} and {{ when, is, args }}", section.below(key))));
    }
    argv.push_back(std::move(argument));
  }
  return argv;
}

ConfigFile read_config(Section& section, const Names& names) {
  ConfigFile config;
  config.file = section.required("file");
  config.text = section.text_or("text");
  config.from = section.text_or("from");
  config.replace = section.text_map("replace");
  section.fail("file", names.check(config.file));
  section.fail("text", names.check(config.text));
  section.fail("from", names.check(config.from));
  for (const auto& [what, with] : config.replace) {
    if (what.empty()) section.fail("replace", invalid_argument_error("an empty text cannot be replaced"));
    section.fail("replace", names.check(with));
  }
  if (config.text.empty() == config.from.empty())
    section.fail("text", invalid_argument_error("a config file has either text or from"));
  if (config.from.empty() && !config.replace.empty())
    section.fail("replace", invalid_argument_error("replace belongs to from"));
  return config;
}

ReportCheck read_report(Section& section, const Names& names) {
  ReportCheck check;
  check.file = section.required("file");
  check.json = section.text_or("json");
  check.csv = section.text_or("csv");
  check.minimum = section.number("minimum", -1e300, 1e300);
  check.maximum = section.number("maximum", -1e300, 1e300);
  check.equals = section.text("equals");
  section.fail("file", names.check(check.file));
  if (check.equals) section.fail("equals", names.check(*check.equals));
  if (check.json.empty() == check.csv.empty())
    section.fail("json", invalid_argument_error("a report's value is named by json (a pointer) or csv (a column)"));
  if (!check.json.empty() && check.json[0] != '/')
    section.fail("json", invalid_argument_error("a JSON pointer begins with '/'"));
  if (!check.minimum && !check.maximum && !check.equals)
    section.fail("minimum", invalid_argument_error("a report needs minimum, maximum or equals"));
  return check;
}

std::vector<std::string> read_patterns(Section& section, const char* key) {
  std::vector<std::string> patterns = section.texts(key);
  for (const std::string& pattern : patterns) section.fail(key, check_pattern(pattern));
  return patterns;
}

Success read_success(Section& section, const Names& names) {
  Success success;
  if (const TomlValue* codes = section.array("exit_codes")) {
    success.exit_codes.clear();
    for (const TomlValue& code : codes->items) {
      if (code.kind != TomlValue::Kind::kInteger || code.integer < 0 || code.integer > 255)
        section.fail_at(code.place, invalid_argument_error("exit codes are 0 to 255"));
      success.exit_codes.push_back(code.integer);
    }
    if (success.exit_codes.empty()) section.fail("exit_codes", invalid_argument_error("no exit code would be a success"));
  }
  success.log_must = read_patterns(section, "log_must");
  success.log_must_not = read_patterns(section, "log_must_not");
  section.each_at("report", [&](Section& report) { success.reports.push_back(read_report(report, names)); });
  return success;
}

void check_output(Section& section, const char* key, const std::string& output, const Names& names) {
  section.fail(key, names.check(output));
  if (!output.starts_with("${"))
    section.fail(key, invalid_argument_error(
                          fmt::format("\"{}\" is in no folder: begin it with ${{out}} or ${{work}}", printable(output, 64))));
}

}  // namespace

Step read_step(Section& section, const Names& names) {
  Step step;
  step.argv = read_argv(section, "argv", names);
  section.each_at("config", [&](Section& config) { step.configs.push_back(read_config(config, names)); });
  step.timeout_ns = section.duration_or("timeout", kDefaultTimeoutNs);
  if (step.timeout_ns <= 0 || step.timeout_ns > kLongestTimeoutNs)
    section.fail("timeout", invalid_argument_error("a timeout lies between 0 and 7 days"));
  step.memory_bytes = section.size_or("memory", 0);
  section.table_at("success", [&](Section& success) { step.success = read_success(success, names); });
  return step;
}

void read_compile(Section& document, const Names& common, Description& description) {
  Names names = common.with({"model", "model.folder", "model.stem", "model.digest", "out", "work", "precision", "threads"});
  for (const kit::Option& option : description.capability.options) names.add("option." + option.name);
  document.each_at("compile", [&](Section& section) {
    const std::string name = section.required("name");
    Step step = read_step(section, names);
    step.name = name;
    step.outputs = section.texts("outputs");
    for (const std::string& output : step.outputs) check_output(section, "outputs", output, names);
    step.progress = section.text_or("progress");
    if (!step.progress.empty()) section.fail("progress", check_pattern(step.progress, 1));
    description.compile.push_back(std::move(step));
  });
  if (document.ok() && (description.compile.empty() || description.compile.size() > kMaxSteps))
    document.fail("compile", invalid_argument_error(fmt::format("a description has 1 to {} compile steps", kMaxSteps)));
}

void read_artefact(Section& document, const Names& common, Description& description) {
  document.table_at("artefact", [&](Section& section) {
    description.artefact_files = section.texts("files");
    if (description.artefact_files.empty())
      section.fail("files", invalid_argument_error("artefact.files is missing: the files of ${out} that are kept"));
    for (const std::string& file : description.artefact_files) {
      if (!is_file_name(file) || file.starts_with("axle-"))
        section.fail("files",
                     invalid_argument_error(fmt::format("\"{}\" is no name for a file of an artefact", printable(file, 64)))
                         .with_hint("one name without '/', [A-Za-z0-9_.-], not beginning with axle-"));
    }
    description.portable = section.boolean_or("portable", false);
    const Names names = common.with({"artefact"});
    section.each_at("compatibility", [&](Section& entry) {
      CompatibilityEntry read;
      read.name = entry.required("name");
      read.text = entry.text_or("text");
      read.argv = entry.texts("argv");
      read.pattern = entry.text_or("pattern");
      entry.fail("text", names.check(read.text));
      for (const std::string& argument : read.argv) entry.fail("argv", names.check(argument));
      if (read.text.empty() == read.argv.empty())
        entry.fail("text", invalid_argument_error("compatibility has either text, or argv with pattern"));
      if (!read.argv.empty()) entry.fail("pattern", check_pattern(read.pattern, 1));
      description.compatibility.push_back(std::move(read));
    });
  });
}

void read_failures(Section& document, Description& description) {
  document.each_at("failure", [&](Section& section) {
    FailureRule rule;
    rule.pattern = section.text_or("pattern");
    rule.exit_code = section.integer("exit_code", 0, 255);
    rule.signal = section.integer("signal", 1, 64);
    const std::string code = section.required("code");
    const auto parsed = parse_status_code(code);
    // OK is no failure, and CANCELLED is the caller's.
    if (!parsed || *parsed == StatusCode::kOk || *parsed == StatusCode::kCancelled || *parsed > StatusCode::kDataLoss)
      section.fail("code", invalid_argument_error(fmt::format("\"{}\" is no code of a failure", printable(code, 64)))
                               .with_hint("INVALID_ARGUMENT, UNIMPLEMENTED, RESOURCE_EXHAUSTED, UNAVAILABLE, "
                                          "FAILED_PRECONDITION, DATA_LOSS, UNKNOWN, ..."));
    rule.code = parsed.value_or(StatusCode::kUnknown);
    rule.text = section.text_or("text");
    rule.hint = section.text_or("hint");
    if (rule.pattern.empty() && !rule.exit_code && !rule.signal)
      section.fail("pattern", invalid_argument_error("a failure is told by pattern, exit_code or signal"));
    if (!rule.pattern.empty()) section.fail("pattern", check_pattern(rule.pattern));
    description.failures.push_back(std::move(rule));
  });
}

}  // namespace axle::described
