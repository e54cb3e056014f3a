#include "step_runner.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "base/file.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "patterns.h"
#include "toolbox.h"

namespace axle::described {
namespace {

constexpr size_t kMaxConfigBytes = 16u << 20;
constexpr size_t kLastWords = 3;  // lines of the log in a message

// Carries a caller's wish to stop into a CancelToken.
class StopWatch {
 public:
  explicit StopWatch(const std::function<bool()>& cancelled) {
    if (!cancelled) return;
    thread_ = std::jthread([this, &cancelled](const std::stop_token& stop) {
      while (!stop.stop_requested() && !token_.cancelled()) {
        if (cancelled()) token_.cancel();
        std::unique_lock lock(mutex_);
        wake_.wait_for(lock, stop, kPoll, [] { return false; });
      }
    });
  }
  CancelToken token() const { return thread_.joinable() ? token_ : CancelToken::none(); }

 private:
  static constexpr auto kPoll = std::chrono::milliseconds(10);
  CancelToken token_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;
};

// The vendor's percentages, from its lines as they come.
class ProgressReader {
 public:
  ProgressReader(const std::string& pattern, const std::function<void(double)>& report) : pattern_(pattern), report_(report) {}
  void take(std::string_view piece) {
    rest_.append(piece);
    const size_t end = rest_.rfind('\n');
    if (end == std::string::npos) return keep_short();
    if (const auto match = find_last_line(std::string_view(rest_).substr(0, end), pattern_))
      report_(std::strtod(match->group.c_str(), nullptr));
    rest_.erase(0, end + 1);
    keep_short();
  }

 private:
  void keep_short() {
    if (rest_.size() > kMaxLineBytes) rest_.clear();
  }

  const std::string& pattern_;
  const std::function<void(double)>& report_;
  std::string rest_;
};

std::string last_lines(const std::string& log) {
  std::vector<std::string> lines;
  for (const std::string_view line : split(log, '\n')) {
    if (!trim(line).empty()) lines.push_back(printable(trim(line), 200));
  }
  if (lines.size() > kLastWords) lines.erase(lines.begin(), lines.end() - static_cast<std::ptrdiff_t>(kLastWords));
  return lines.empty() ? "it printed nothing" : "it printed last: " + join(lines, " | ");
}

Status failed(StatusCode code, const Step& step, const std::string& what, const std::string& log) {
  return Status(code, fmt::format("step '{}' {}; {}", step.name, what, last_lines(log)));
}

Result<SubprocessOptions> options_of(const Step& step, const StepContext& context) {
  SubprocessOptions options;
  AXLE_ASSIGN_OR_RETURN(options.argv, expand_argv(step.argv, context));
  AXLE_ASSIGN_OR_RETURN(options.env, environment_of(context.description.environment, context.values));
  options.inherit_env = false;
  options.cwd = context.work;
  options.max_stdout_bytes = options.max_stderr_bytes = kMaxLogBytes;
  options.timeout = std::chrono::nanoseconds(step.timeout_ns);
  options.memory_limit_bytes = step.memory_bytes;
  return options;
}

Status success_of(const Step& step, const StepContext& context, const SubprocessResult& result, const std::string& log) {
  AXLE_RETURN_IF_ERROR(check_success(step, context.values, log));
  const bool whole = !result.stdout_truncated && !result.stderr_truncated;
  if (whole || step.success.log_must_not.empty()) return ok_status();
  return unknown_error(fmt::format("it printed more than {}, and what must not be in its log may stand in the rest",
                                   format_size_bytes(static_cast<int64_t>(kMaxLogBytes))));
}

Status judge(const Step& step, const StepContext& context, const SubprocessResult& result, const std::string& log) {
  if (result.cancelled) return cancelled_error(fmt::format("step '{}' was cancelled by the caller", step.name));
  const auto& good = step.success.exit_codes;
  const bool exited_well = result.signal == 0 && std::find(good.begin(), good.end(), result.exit_code) != good.end();
  const Status success = exited_well && !result.timed_out ? success_of(step, context, result, log) : ok_status();
  if (exited_well && !result.timed_out && success.ok()) return ok_status();
  const FailureRule* rule =
      result.timed_out ? nullptr : find_failure(context.description.failures, log, result.exit_code, result.signal);
  if (rule != nullptr) {
    const std::string what = rule->text.empty() ? std::string("failed") : "failed: " + rule->text;
    Status status = failed(rule->code, step, what, log).with_vendor_code(result.exit_code > 0 ? result.exit_code : 0);
    return rule->hint.empty() ? status : std::move(status).with_hint(rule->hint);
  }
  if (result.timed_out)
    return failed(StatusCode::kDeadlineExceeded, step, fmt::format("took longer than {}", format_duration_ns(step.timeout_ns)),
                  log);
  if (result.signal != 0) return failed(StatusCode::kUnavailable, step, "was " + result.outcome(), log);
  if (!exited_well)
    return failed(StatusCode::kUnknown, step, "ended with " + result.outcome(), log).with_vendor_code(result.exit_code);
  return failed(success.code(), step, "is no success although it ended well: " + success.message(), log);
}

// One text, or the group that stands when a text has a value.
Status expand_plain(const Argument& argument, const Values& values, std::vector<std::string>& out) {
  std::vector<std::string> texts = {argument.text};
  if (!argument.when.empty()) {
    AXLE_ASSIGN_OR_RETURN(const std::string found, expand(argument.when, values));
    AXLE_ASSIGN_OR_RETURN(const std::string wanted, expand(argument.is, values));
    texts = found == wanted ? argument.args : std::vector<std::string>();
  }
  for (const std::string& text : texts) {
    AXLE_ASSIGN_OR_RETURN(std::string expanded, expand(text, values));
    out.push_back(std::move(expanded));
  }
  return ok_status();
}

}  // namespace

Result<std::vector<std::string>> expand_argv(const std::vector<Argument>& argv, const StepContext& context) {
  std::vector<std::string> out;
  for (const Argument& argument : argv) {
    if (argument.each.empty()) {
      AXLE_RETURN_IF_ERROR(expand_plain(argument, context.values, out));
      continue;
    }
    for (const TensorItem& item : argument.each == "input" ? context.inputs : context.outputs) {
      Values values = context.values;
      values["name"] = item.name;
      values["file_name"] = item.path.substr(item.path.rfind('/') + 1);
      values["index"] = std::to_string(item.index);
      values["path"] = item.path;
      values["dtype"] = item.dtype;
      values["shape"] = fmt::format("{}", fmt::join(item.shape, ","));
      for (const std::string& text : argument.args) {
        AXLE_ASSIGN_OR_RETURN(std::string expanded, expand(text, values));
        out.push_back(std::move(expanded));
      }
    }
  }
  return out;
}

Status write_configs(const std::vector<ConfigFile>& configs, const Values& values) {
  for (const ConfigFile& config : configs) {
    AXLE_ASSIGN_OR_RETURN(const std::string path, expand(config.file, values));
    std::string content;
    if (config.from.empty()) {
      AXLE_ASSIGN_OR_RETURN(content, expand(config.text, values));
    } else {
      AXLE_ASSIGN_OR_RETURN(const std::string from, expand(config.from, values));
      AXLE_ASSIGN_OR_RETURN(content, read_file(from, kMaxConfigBytes));
    }
    for (const auto& [what, with] : config.replace) {
      AXLE_ASSIGN_OR_RETURN(const std::string text, expand(with, values));
      for (size_t at = content.find(what); at != std::string::npos; at = content.find(what, at + text.size())) {
        content.replace(at, what.size(), text);
        if (content.size() > kMaxConfigBytes) return resource_exhausted_error(path + " grows too large");
      }
    }
    if (const size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0)
      AXLE_RETURN_IF_ERROR(make_dirs(path.substr(0, slash), 0700));
    AXLE_RETURN_IF_ERROR(write_file_atomic(path, content, kPrivateFileMode));
  }
  return ok_status();
}

Status run_step(const Step& step, const StepContext& context, std::string& log) {
  AXLE_ASSIGN_OR_RETURN(SubprocessOptions options, options_of(step, context));
  const StopWatch watch(context.cancelled);
  options.cancel = watch.token();
  ProgressReader progress(step.progress, context.progress);
  if (!step.progress.empty() && context.progress) options.on_output = [&](std::string_view piece) { progress.take(piece); };
  log += fmt::format("## step {}\n", step.name);
  for (const std::string& argument : options.argv) log += "# " + printable(argument, 1000) + "\n";
  AXLE_ASSIGN_OR_RETURN(const SubprocessResult result, run_subprocess(options));
  const std::string printed = result.stdout_text + "\n" + result.stderr_text;
  const Status status = judge(step, context, result, printed);
  log += printed.substr(0, kMaxKeptLogBytes) + fmt::format("\n# {} after {}{}\n", result.outcome(),
                                                           format_duration_ns(result.wall_ns),
                                                           status.ok() ? "" : ": " + status.message());
  return status;
}

}  // namespace axle::described
