// Logging by module, to stderr. Levels come from the environment: AXLE_LOG=LEVEL[,module=LEVEL...] with
// error, warning (the default), info, debug, trace or off. Never in hot paths; a line that is off costs one relaxed load.
//   AXLE_LOG(kInfo, "engine", "opened {}", path);
// Thread-safe. Lines are data, not an interface: nothing may depend on their text.
#pragma once

#include <fmt/core.h>

#include <atomic>
#include <functional>
#include <string>
#include <string_view>

#include "axle/status.h"

namespace axle {

enum class LogLevel : int { kOff = -1, kError = 0, kWarning = 1, kInfo = 2, kDebug = 3, kTrace = 4 };

// "error" and so on; "off" for kOff.
std::string_view log_level_name(LogLevel level) noexcept;
// Replaces the levels; the text has the form of AXLE_LOG. INVALID_ARGUMENT changes nothing.
Status set_log_levels(std::string_view text);
// Where lines go: nullptr = stderr. The sink is called under a lock and must not log.
using LogSink = std::function<void(LogLevel level, std::string_view module, std::string_view text)>;
void set_log_sink(LogSink sink);

namespace detail {
extern std::atomic<int> log_highest_level;  // over all modules
bool log_module_enabled(LogLevel level, std::string_view module) noexcept;
void log_write(LogLevel level, std::string_view module, std::string_view text) noexcept;
}  // namespace detail

inline bool log_enabled(LogLevel level, std::string_view module) noexcept {
  return static_cast<int>(level) <= detail::log_highest_level.load(std::memory_order_relaxed) &&
         detail::log_module_enabled(level, module);
}

}  // namespace axle

#define AXLE_LOG(level, module, ...)                                                          \
  do {                                                                                        \
    if (::axle::log_enabled(::axle::LogLevel::level, module))                                 \
      ::axle::detail::log_write(::axle::LogLevel::level, module, ::fmt::format(__VA_ARGS__)); \
  } while (false)
