#include "axle/build_log.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "base/file.h"
#include "base/file_stamp.h"
#include "base/json.h"
#include "cache/disk.h"
#include "cache/entry.h"
#include "cache/failed_builds.h"
#include "cache/layout.h"
#include "cache/manifest.h"
#include "cache/sealed.h"

namespace axle {
namespace {

constexpr std::string_view kFailedKind = "axle-failed-build 1";
constexpr size_t kMostFileBytes = kMostBuildLogBytes + (size_t{2} << 20);
constexpr int64_t kNsPerSecond = 1'000'000'000;

std::string folder_of(const std::string& cache_folder) { return StoreLayout(cache_folder).store + "/failed"; }

Result<BuildLog> read_failed(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const std::string text, read_file(path, kMostFileBytes));
  AXLE_ASSIGN_OR_RETURN(BuildLog log, parse_failed_build(text));
  AXLE_ASSIGN_OR_RETURN(const FileStamp stamp, FileStamp::of_path(path));
  log.unix_s = stamp.mtime_ns / kNsPerSecond;
  return log;
}

void keep_newest(const std::string& cache_folder) {
  const std::vector<BuildLog> all = failed_builds(cache_folder);
  for (size_t i = kMostFailedBuilds; i < all.size(); ++i) forget_failed_builds(cache_folder, all[i].key_digest.substr(7));
}

BuildLog log_of(const Lease::State& entry) {
  BuildLog log;
  log.key_digest = entry.key_digest;
  log.key = entry.manifest.key;
  log.unix_s = entry.manifest.created_unix_s;
  for (const Blob& blob : entry.blobs) {
    if (blob.name != kBuildLogName) continue;
    log.kept = true;
    log.text.assign(reinterpret_cast<const char*>(blob.data.data()), blob.data.size());
  }
  return log;
}

}  // namespace

// Payload: the key and the message as JSON on one line, then the log as it was printed.
Result<BuildLog> parse_failed_build(std::string_view text) {
  AXLE_ASSIGN_OR_RETURN(const std::string_view payload, unseal(kFailedKind, text));
  const size_t end = payload.find('\n');
  if (end == std::string_view::npos) return data_loss_error("no line of facts");
  AXLE_ASSIGN_OR_RETURN(const Json facts, parse_json(payload.substr(0, end), kMaxManifestBytes, 8));
  if (!facts.is_object()) return data_loss_error("its facts are no object");
  JsonReader reader(facts, "failed build");
  BuildLog log;
  log.failed = true;
  log.message = reader.text("message");
  const Json& key = reader.object("key");
  AXLE_RETURN_IF_ERROR(reader.finish());
  AXLE_ASSIGN_OR_RETURN(log.key, artefact_key_from_json(key));
  log.key_digest = log.key.digest();
  log.text = payload.substr(end + 1);
  log.kept = !log.text.empty();
  return log;
}

Status keep_failed_build(const Cache& cache, const ArtefactKey& key, const std::string& message, std::string_view log) {
  if (cache.read_only()) return failed_precondition_error(cache.path() + " is open for reading only");
  const std::string folder = folder_of(cache.path());
  AXLE_RETURN_IF_ERROR(make_private_folder(folder));
  AXLE_ASSIGN_OR_RETURN(const Json key_json, parse_json(key.to_json()));
  AXLE_ASSIGN_OR_RETURN(std::string payload, canonical_json({{"key", key_json}, {"message", message}}));
  payload += '\n';
  payload += log.substr(log.size() - std::min(log.size(), kMostBuildLogBytes));
  const std::string path = folder + "/" + key.digest().substr(7);
  AXLE_RETURN_IF_ERROR(write_file_atomic(path, seal(kFailedKind, payload), kPrivateFileMode));
  keep_newest(cache.path());
  return ok_status();
}

size_t forget_failed_builds(const std::string& cache_folder, std::string_view key_prefix) {
  const std::string folder = folder_of(cache_folder);
  const auto files = list_dir(folder);
  size_t forgotten = 0;
  if (!files) return forgotten;
  for (const DirEntry& file : *files) {
    const bool named = key_prefix == "*" || file.name.starts_with(key_prefix);
    if (named && remove_file(folder + "/" + file.name).ok()) ++forgotten;
  }
  return forgotten;
}

std::vector<BuildLog> failed_builds(const std::string& cache_folder) {
  std::vector<BuildLog> logs;
  const auto files = list_dir(folder_of(cache_folder));
  if (!files) return logs;
  for (const DirEntry& file : *files) {
    if (auto log = read_failed(folder_of(cache_folder) + "/" + file.name)) logs.push_back(*std::move(log));
  }
  std::ranges::stable_sort(logs, [](const BuildLog& a, const BuildLog& b) { return a.unix_s > b.unix_s; });
  return logs;
}

Result<std::vector<BuildLog>> build_logs(const Cache& cache, const CancelToken& cancel) {
  const StoreLayout layout(cache.path());
  std::vector<BuildLog> logs = failed_builds(cache.path());
  Cache shared = cache;
  AXLE_ASSIGN_OR_RETURN(const std::vector<CacheEntry> entries, shared.ls());
  for (const CacheEntry& entry : entries) {
    if (!entry.corrupt.empty()) continue;
    AXLE_ASSIGN_OR_RETURN(const EntryOutcome outcome,
                          open_entry(layout, entry.key_digest.substr(7), nullptr, BlobCheck::kHash, nullptr, cancel));
    if (const auto* found = std::get_if<std::shared_ptr<Lease::State>>(&outcome)) logs.push_back(log_of(**found));
  }
  std::ranges::stable_sort(logs, [](const BuildLog& a, const BuildLog& b) { return a.unix_s > b.unix_s; });
  return logs;
}

}  // namespace axle
