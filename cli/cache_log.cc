#include "cache_log.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string_view>

#include "axle/build_log.h"
#include "axle/explain.h"
#include "console.h"

namespace axle::cli {
namespace {

constexpr size_t kShortDigest = 19;  // "sha256:" and 12 digits

bool is_named(const BuildLog& log, const std::string& name) {
  return log.key_digest.starts_with(name) || std::string_view(log.key_digest).substr(7).starts_with(name) ||
         log.key.model_digest == name;
}

Result<std::vector<BuildLog>> named_logs(const Cache& cache, const std::vector<std::string>& names) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<BuildLog> all, build_logs(cache, interrupt_token()));
  for (const std::string& name : names) {
    if (std::ranges::any_of(all, [&](const BuildLog& log) { return is_named(log, name); })) continue;
    return not_found_error("no artefact and no failed build of '" + name + "' is in the cache")
        .with_hint("see: axle cache ls, axle cache log");
  }
  std::vector<BuildLog> chosen;
  for (const BuildLog& log : all) {
    const bool named = std::ranges::any_of(names, [&](const std::string& name) { return is_named(log, name); });
    if (names.empty() || named) chosen.push_back(log);
  }
  return chosen;
}

std::string date_text(int64_t unix_s) {
  const auto seconds = static_cast<std::time_t>(unix_s);
  std::tm local = {};
  char text[32] = "-";
  if (localtime_r(&seconds, &local) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local);
  return text;
}

void print_text(const BuildLog& log) {
  std::printf("%s  %s  %s %s  %s\n", log.key_digest.substr(0, kShortDigest).c_str(), log.key.engine.c_str(),
              log.failed ? "failed" : "built", date_text(log.unix_s).c_str(), log.key.target.c_str());
  if (log.failed) std::printf("%s\n", log.message.c_str());
  if (!log.kept) std::printf("%s keeps no log of its compiler\n", log.key.engine.c_str());
  std::fwrite(log.text.data(), 1, log.text.size(), stdout);
  if (!log.text.empty() && log.text.back() != '\n') std::putchar('\n');
}

std::string json_of(const BuildLog& log) {
  return "{\"engine\":" + quoted_json(log.key.engine) + ",\"failed\":" + (log.failed ? "true" : "false") +
         ",\"kept\":" + (log.kept ? "true" : "false") + ",\"key\":" + quoted_json(log.key_digest) +
         ",\"made_from\":" + log.key.to_json() + ",\"message\":" + quoted_json(log.message) +
         ",\"text\":" + quoted_json(log.text) + ",\"unix_s\":" + std::to_string(log.unix_s) + "}";
}

}  // namespace

Status print_build_logs(const Cache& cache, const std::vector<std::string>& names, bool json) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<BuildLog> logs, named_logs(cache, names));
  if (json) {
    std::string list;
    for (const BuildLog& log : logs) list += (list.empty() ? "" : ",") + json_of(log);
    std::printf("{\"logs\":[%s]}\n", list.c_str());
    return ok_status();
  }
  if (logs.empty()) std::puts("the cache is empty");
  for (size_t i = 0; i < logs.size(); ++i) {
    if (i > 0) std::putchar('\n');
    print_text(logs[i]);
  }
  return ok_status();
}

}  // namespace axle::cli
