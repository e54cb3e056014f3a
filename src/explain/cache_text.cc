#include <fmt/format.h>

#include <ctime>

#include "axle/explain.h"
#include "base/json.h"
#include "explain/text_table.h"

namespace axle {
namespace {

constexpr size_t kShortDigest = 19;  // "sha256:" and 12 digits

std::string date_text(int64_t unix_s) {
  const auto seconds = static_cast<std::time_t>(unix_s);
  std::tm local = {};
  char text[32] = "-";
  if (unix_s > 0 && localtime_r(&seconds, &local) != nullptr) std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local);
  return text;
}

}  // namespace

std::string render_cache_text(const std::vector<CacheEntry>& entries, const TextStyle& style) {
  if (entries.empty()) return "the cache is empty\n";
  TextTable table({{"key"}, {"engine"}, {"model"}, {"precision"}, {"size", true}, {"last used"}, {"state", false, true}});
  for (const CacheEntry& entry : entries) {
    const bool bad = !entry.corrupt.empty();
    table.add_row({{entry.key_digest.substr(0, kShortDigest), Tone::kStrong},
                   {entry.key.engine},
                   {entry.key.model_digest.substr(0, kShortDigest)},
                   {entry.key.precision},
                   {format_size(entry.size_bytes)},
                   {date_text(entry.last_used_unix_s)},
                   {bad            ? "corrupt: " + entry.corrupt
                    : entry.pinned ? "pinned"
                                   : "ok",
                    bad ? Tone::kBad : Tone::kPlain}});
  }
  return table.render(style.width, style.color);
}

Result<std::string> render_cache_json(const std::vector<CacheEntry>& entries) {
  Json list = Json::array();
  for (const CacheEntry& entry : entries) {
    AXLE_ASSIGN_OR_RETURN(Json key, parse_json(entry.key.to_json()));
    AXLE_ASSIGN_OR_RETURN(Json compatibility, parse_json(entry.corrupt.empty() ? entry.compatibility_json : "{}"));
    list.push_back({{"key", entry.key_digest},
                    {"compatibility", std::move(compatibility)},
                    {"made_from", std::move(key)},
                    {"size_bytes", entry.size_bytes},
                    {"created_unix_s", entry.created_unix_s},
                    {"last_used_unix_s", entry.last_used_unix_s},
                    {"pinned", entry.pinned},
                    {"corrupt", entry.corrupt}});
  }
  return canonical_json({{"entries", std::move(list)}});
}

std::string render_cache_stats_text(const std::string& folder, const CacheStats& stats) {
  return fmt::format(
      "{}\n  entries    {} ({} of {})\n  memos      {} ({})\n  hits       {} of {} look-ups ({:.1f} %)\n  corrupt    {}\n  "
      "evictions  {}\n",
      folder, stats.entries, format_size(stats.bytes), format_size(stats.max_bytes), stats.memo_entries,
      format_size(stats.memo_bytes), stats.hits, stats.hits + stats.misses, stats.hit_rate * 100, stats.corrupt,
      stats.evictions);
}

Result<std::string> render_cache_stats_json(const std::string& folder, const CacheStats& stats) {
  return canonical_json({{"path", folder},
                         {"entries", stats.entries},
                         {"bytes", stats.bytes},
                         {"max_bytes", stats.max_bytes},
                         {"memo_entries", stats.memo_entries},
                         {"memo_bytes", stats.memo_bytes},
                         {"hits", stats.hits},
                         {"misses", stats.misses},
                         {"corrupt", stats.corrupt},
                         {"evictions", stats.evictions},
                         {"hit_rate", stats.hit_rate}});
}

std::string render_cache_verify_text(const CacheVerifyReport& report) {
  std::string out = fmt::format("verified {} entries, {} blobs, {} memos, {}: {}\n", report.entries, report.blobs, report.memos,
                                format_size(report.bytes),
                                report.problems.empty() ? "all sound" : fmt::format("{} damaged", report.problems.size()));
  for (const CacheProblem& problem : report.problems) out += fmt::format("  {}: {}\n", problem.file, problem.reason);
  return out;
}

Result<std::string> render_cache_verify_json(const CacheVerifyReport& report) {
  Json problems = Json::array();
  for (const CacheProblem& problem : report.problems) problems.push_back({{"file", problem.file}, {"reason", problem.reason}});
  return canonical_json({{"entries", report.entries},
                         {"blobs", report.blobs},
                         {"memos", report.memos},
                         {"bytes", report.bytes},
                         {"problems", std::move(problems)}});
}

std::string render_cache_gc_text(const CacheGcReport& report) {
  return fmt::format("removed {} entries, {}; kept {}{}\n", report.removed_entries, format_size(report.removed_bytes),
                     format_size(report.kept_bytes),
                     report.in_use_entries > 0 ? fmt::format("; {} are in use and stay", report.in_use_entries) : "");
}

std::string render_cache_transfer_text(const CacheTransferReport& report, bool exported) {
  return fmt::format("{} {} entries, {}{}\n", exported ? "exported" : "imported", report.entries, format_size(report.bytes),
                     report.already_there > 0 ? fmt::format("; {} were there already", report.already_there) : "");
}

Result<std::string> render_cache_transfer_json(const CacheTransferReport& report) {
  return canonical_json({{"entries", report.entries}, {"already_there", report.already_there}, {"bytes", report.bytes}});
}

Result<std::string> render_cache_gc_json(const CacheGcReport& report) {
  return canonical_json({{"removed_entries", report.removed_entries},
                         {"removed_bytes", report.removed_bytes},
                         {"in_use_entries", report.in_use_entries},
                         {"kept_bytes", report.kept_bytes}});
}

}  // namespace axle
