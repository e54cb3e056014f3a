#include "runtime/variants/converter.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <optional>

#include "base/file.h"
#include "base/json.h"
#include "base/subprocess.h"
#include "base/text.h"
#include "runtime/facts/plan_memo.h"
#include "runtime/packages/installed_files.h"
#include "runtime/runtime_state.h"
#include "spec/json_fields.h"
#include "spec/planner_input.h"

namespace axle {
namespace {

namespace fs = std::filesystem;

constexpr const char* kScript = "axle-convert.py";
constexpr size_t kMaxVersionBytes = 200;
constexpr size_t kLastWordsBytes = 600;

std::string last_words(const std::string& text) { return printable(last_line(text), kLastWordsBytes); }

// Isolated from PYTHONPATH, the user's folder and the script's own, which holds modules of other names in a wheel.
SubprocessOptions program(const std::string& python, const std::string& script, std::string argument) {
  SubprocessOptions options;
  options.argv = {python, "-I", "-B", script, std::move(argument)};
  options.max_stdout_bytes = 64u << 10;
  options.max_stderr_bytes = 8u << 20;  // the last words count
  return options;
}

std::chrono::nanoseconds time_limit(Runtime& runtime) {
  const int64_t asked = runtime.state().options.converter_timeout_ns;
  return std::chrono::nanoseconds(asked > 0 ? asked : kConverterTimeoutNs);
}

// The version, or why this Python does not do.
Result<std::string> probe(Runtime& runtime, const std::string& python, const std::string& script) {
  SubprocessOptions options = program(python, script, "--probe");
  options.timeout = time_limit(runtime);
  AXLE_ASSIGN_OR_RETURN(const SubprocessResult result, run_subprocess(options));
  if (!result.succeeded()) {
    const std::string words = last_words(result.stderr_text);
    return unavailable_error(words.empty() ? result.outcome() : words);
  }
  const std::string version(trim(result.stdout_text));
  if (version.empty() || version.size() > kMaxVersionBytes || version != printable(version, kMaxVersionBytes))
    return unavailable_error("it does not say what it converts with");
  return version;
}

}  // namespace

Result<Converter> find_converter(Runtime& runtime) {
  Converter converter;
  auto script = find_installed_file(kScript);
  if (!script)
    return std::move(script).error().with_hint("install axle whole: making a copy of a model at a lower precision needs it");
  converter.script = *std::move(script);
  std::vector<std::string> tried;
  for (const std::string& python : python_programs()) {
    const std::string key = "converter\t" + python;
    const std::string surroundings = library_surroundings(runtime, {python, converter.script});
    converter.python = python;
    if (const auto known = runtime.state().recall("converter", key); known && known->starts_with(surroundings + "\t")) {
      converter.version = known->substr(surroundings.size() + 1);
      return converter;
    }
    const auto version = probe(runtime, python, converter.script);
    if (version) {
      converter.version = *version;
      runtime.state().remember("converter", key, surroundings + "\t" + *version);
      return converter;
    }
    tried.push_back(fmt::format("{}: {}", python, version.error().message()));
  }
  return unavailable_error(tried.empty() ? "there is no Python to convert the model with (set AXLE_PYTHON or VIRTUAL_ENV)"
                                         : "no Python here can convert the model: " + join(tried, "; "))
      .with_hint(kInstallConverter);
}

Status convert(Runtime& runtime, const Converter& converter, const Conversion& conversion, const CancelToken& cancel) {
  const std::string folder = fs::path(conversion.output).parent_path().string();
  const std::string request_path = folder + "/request.json";
  const Json request = {{"kind", conversion.kind},
                        {"model", conversion.model},
                        {"output", conversion.output},
                        {"options", map_to_json(conversion.options)},
                        {"calibration", conversion.calibration}};
  AXLE_ASSIGN_OR_RETURN(const std::string text, canonical_json(request));
  AXLE_RETURN_IF_ERROR(write_file_atomic(request_path, text));
  SubprocessOptions options = program(converter.python, converter.script, request_path);
  options.cwd = folder;
  options.timeout = time_limit(runtime);
  options.cancel = cancel;
  // Libraries that keep files do so where they are thrown away.
  options.env = {"TMPDIR=" + folder, "HOME=" + folder};
  AXLE_ASSIGN_OR_RETURN(const SubprocessResult result, run_subprocess(options));
  if (result.cancelled) return cancel.check();
  if (result.timed_out)
    return deadline_exceeded_error("the converter took longer than " + format_duration_ns(time_limit(runtime).count()))
        .with_hint("RuntimeOptions::converter_timeout_ns gives it longer");
  if (!result.succeeded()) {
    const std::string words = last_words(result.stderr_text);
    return internal_error(fmt::format("the converter failed ({}){}{}", result.outcome(), words.empty() ? "" : ": ", words));
  }
  struct stat status{};
  if (::lstat(conversion.output.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
    return internal_error("the converter said that it was done, and left no file");
  return ok_status();
}

}  // namespace axle
