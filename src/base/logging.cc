#include "base/logging.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <mutex>

#include "base/text.h"

namespace axle {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"off", "error", "warning", "info", "debug", "trace"};
constexpr size_t kMaxLineBytes = 8192;

struct Levels {
  LogLevel all = LogLevel::kWarning;
  std::map<std::string, LogLevel, std::less<>> by_module;

  LogLevel highest() const {
    LogLevel level = all;
    for (const auto& [module, own] : by_module) level = std::max(level, own);
    return level;
  }
};

struct State {
  std::mutex mutex;
  Levels levels;
  LogSink sink;
};

Result<LogLevel> parse_level(std::string_view text) {
  const auto it = std::find(kNames.begin(), kNames.end(), trim(text));
  if (it == kNames.end()) {
    return invalid_argument_error(fmt::format("\"{}\" is not a log level", printable(text, 40)))
        .with_hint("levels are off, error, warning, info, debug and trace");
  }
  return static_cast<LogLevel>(it - kNames.begin() - 1);
}

Result<Levels> parse_levels(std::string_view text) {
  Levels levels;
  for (const std::string_view piece : split(text, ',')) {
    if (trim(piece).empty()) continue;
    const size_t equals = piece.find('=');
    if (equals == std::string_view::npos) {
      AXLE_ASSIGN_OR_RETURN(levels.all, parse_level(piece));
    } else {
      AXLE_ASSIGN_OR_RETURN(levels.by_module[std::string(trim(piece.substr(0, equals)))],
                            parse_level(piece.substr(equals + 1)));
    }
  }
  return levels;
}

// Never destroyed: threads may log while the process ends.
State& state() {
  static State& only = *new State;
  return only;
}

void write_line(LogLevel level, std::string_view module, std::string_view text) {
  const std::string line = fmt::format("axle {} [{}] {}\n", log_level_name(level), module, printable(text, kMaxLineBytes));
  // One write per line, so that lines of several processes do not mix.
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, line.data(), line.size());
}

int initial_level() {
  const char* text = std::getenv("AXLE_LOG");
  if (text == nullptr) return static_cast<int>(LogLevel::kWarning);
  Result<Levels> levels = parse_levels(text);
  if (!levels.ok()) {
    write_line(LogLevel::kWarning, "base", "AXLE_LOG is ignored: " + levels.status().to_string());
    return static_cast<int>(LogLevel::kWarning);
  }
  const std::lock_guard lock(state().mutex);
  state().levels = *std::move(levels);
  return static_cast<int>(state().levels.highest());
}

}  // namespace

namespace detail {

std::atomic<int> log_highest_level{initial_level()};

bool log_module_enabled(LogLevel level, std::string_view module) noexcept {
  const std::lock_guard lock(state().mutex);
  const Levels& levels = state().levels;
  const auto it = levels.by_module.find(module);
  return level <= (it == levels.by_module.end() ? levels.all : it->second);
}

void log_write(LogLevel level, std::string_view module, std::string_view text) noexcept {
  try {
    const std::lock_guard lock(state().mutex);
    if (state().sink) return state().sink(level, module, text);
    write_line(level, module, text);
  } catch (...) {  // a line that cannot be logged is dropped
  }
}

}  // namespace detail

std::string_view log_level_name(LogLevel level) noexcept {
  const int index = static_cast<int>(level) + 1;
  return index >= 0 && index < static_cast<int>(kNames.size()) ? kNames[static_cast<size_t>(index)] : "?";
}

Status set_log_levels(std::string_view text) {
  AXLE_ASSIGN_OR_RETURN(Levels levels, parse_levels(text));
  const std::lock_guard lock(state().mutex);
  state().levels = std::move(levels);
  detail::log_highest_level.store(static_cast<int>(state().levels.highest()));
  return ok_status();
}

void set_log_sink(LogSink sink) {
  const std::lock_guard lock(state().mutex);
  state().sink = std::move(sink);
}

}  // namespace axle
