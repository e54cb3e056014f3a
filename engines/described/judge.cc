// The predicates of success, and the table of failures.
#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "patterns.h"
#include "step_runner.h"

namespace axle::described {
namespace {

constexpr size_t kMaxReportBytes = 16u << 20;

Status no_success(std::string why) { return unknown_error(std::move(why)); }

Result<std::string> json_value(const std::string& text, const std::string& pointer, const std::string& file) {
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(text, kMaxReportBytes, 64));
  const Json* at = &json;
  // Not nlohmann's json_pointer, which throws.
  for (size_t begin = 1; begin <= pointer.size();) {
    const size_t end = std::min(pointer.find('/', begin), pointer.size());
    const std::string key = pointer.substr(begin, end - begin);
    size_t index = 0;
    const auto [last, code] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (at->is_object() && at->contains(key)) {
      at = &(*at)[key];
    } else if (at->is_array() && code == std::errc() && last == key.data() + key.size() && index < at->size()) {
      at = &(*at)[index];
    } else {
      return no_success(fmt::format("{} holds no {}", file, pointer));
    }
    begin = end + 1;
  }
  if (at->is_string()) return at->get<std::string>();
  return canonical_json(*at);
}

Result<std::string> csv_value(const std::string& text, const std::string& column, const std::string& file) {
  const std::vector<std::string_view> lines = split(text, '\n');
  const std::vector<std::string_view> names = split(lines.front(), ',');
  for (size_t i = 0; i < names.size(); ++i) {
    if (trim(names[i]) != column || lines.size() < 2) continue;
    const std::vector<std::string_view> values = split(lines[1], ',');
    if (i < values.size()) return std::string(trim(values[i]));
  }
  return no_success(fmt::format("{} holds no column {} with a value", file, column));
}

Status check_report(const ReportCheck& check, const Values& values) {
  AXLE_ASSIGN_OR_RETURN(const std::string path, expand(check.file, values));
  const auto text = read_file(path, kMaxReportBytes);
  if (!text.ok()) return no_success(fmt::format("the report cannot be read: {}", text.status().message()));
  const std::string file = path.substr(path.rfind('/') + 1);
  auto value = check.json.empty() ? csv_value(*text, check.csv, file) : json_value(*text, check.json, file);
  if (!value.ok()) return no_success(value.status().message());
  const std::string what =
      fmt::format("{}: {} is {}", file, check.json.empty() ? check.csv : check.json, printable(*value, 80));
  if (check.equals) {
    AXLE_ASSIGN_OR_RETURN(const std::string wanted, expand(*check.equals, values));
    if (*value != wanted) return no_success(fmt::format("{}, not {}", what, wanted));
  }
  if (!check.minimum && !check.maximum) return ok_status();
  double number = 0;
  const auto [end, code] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (code != std::errc() || end != value->data() + value->size()) return no_success(what + ", which is no number");
  if (check.minimum && !(number >= *check.minimum))
    return no_success(fmt::format("{}, at least {} is wanted", what, *check.minimum));
  if (check.maximum && !(number <= *check.maximum))
    return no_success(fmt::format("{}, at most {} is wanted", what, *check.maximum));
  return ok_status();
}

Status check_output(const std::string& output, const Values& values) {
  AXLE_ASSIGN_OR_RETURN(const std::string path, expand(output, values));
  struct stat status{};
  const std::string file = path.substr(path.rfind('/') + 1);
  if (::lstat(path.c_str(), &status) != 0) return no_success(fmt::format("its output {} is not there", file));
  if (!S_ISREG(status.st_mode)) return no_success(fmt::format("its output {} is no regular file", file));
  if (status.st_size == 0) return no_success(fmt::format("its output {} is empty", file));
  return ok_status();
}

}  // namespace

const FailureRule* find_failure(const std::vector<FailureRule>& rules, const std::string& log, int exit_code, int signal) {
  const auto fits = [&](const FailureRule& rule) {
    if (rule.exit_code && *rule.exit_code != exit_code) return false;
    if (rule.signal && *rule.signal != signal) return false;
    return rule.pattern.empty() || find_line(log, rule.pattern).has_value();
  };
  const auto found = std::find_if(rules.begin(), rules.end(), fits);
  return found == rules.end() ? nullptr : &*found;
}

Status check_success(const Step& step, const Values& values, const std::string& log) {
  for (const std::string& output : step.outputs) AXLE_RETURN_IF_ERROR(check_output(output, values));
  for (const std::string& pattern : step.success.log_must) {
    if (!find_line(log, pattern)) return no_success(fmt::format("no line of its log matches \"{}\"", pattern));
  }
  for (const std::string& pattern : step.success.log_must_not) {
    if (const auto match = find_line(log, pattern))
      return no_success(fmt::format("its log says \"{}\"", printable(match->line, 120)));
  }
  for (const ReportCheck& report : step.success.reports) AXLE_RETURN_IF_ERROR(check_report(report, values));
  return ok_status();
}

}  // namespace axle::described
