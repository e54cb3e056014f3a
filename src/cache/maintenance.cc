// The members of Cache that look at or clear away many entries.
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <functional>
#include <map>
#include <tuple>

#include "axle/cache.h"
#include "base/file.h"
#include "base/text.h"
#include "cache/cache_state.h"
#include "cache/disk.h"
#include "cache/entry.h"
#include "cache/evidence_payload.h"
#include "cache/failed_builds.h"
#include "cache/scratch.h"

namespace axle {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

struct StoredFile {
  std::string name;
  std::string path;
  bool named_well = false;  // 64 hex digits, in the folder of its first two
};

// Files of entries/ or objects/. What vanishes meanwhile is left out.
Result<std::vector<StoredFile>> stored_files(const std::string& root) {
  std::vector<StoredFile> files;
  auto folders = list_dir(root);
  if (!folders.ok() && folders.error().code() == StatusCode::kNotFound) return files;
  if (!folders.ok()) return std::move(folders).error();
  for (const DirEntry& folder : *folders) {
    const std::string path = root + "/" + folder.name;
    auto names = list_dir(path);
    if (!names.ok()) {
      const StatusCode code = names.error().code();
      // A file, or a link to nowhere. What cannot be read just now (no descriptors, no memory) may be full of good ones.
      if (code != StatusCode::kNotFound && code != StatusCode::kInvalidArgument) return std::move(names).error();
      files.push_back({folder.name, path, false});
      continue;
    }
    for (const DirEntry& file : *names) {
      const bool well = file.name.size() == 64 && is_hex(file.name) && file.name.substr(0, 2) == folder.name;
      files.push_back({file.name, path + "/" + file.name, well});
    }
  }
  return files;
}

struct StoredEntry {
  CacheEntry info;
  std::string key_hex;
  std::vector<BlobRecord> blobs;
  int64_t last_used_ns = 0;
  Status unread;  // not OK: nobody could look; it may be good
};

// No descriptors, no memory, no file locks: that says nothing about what is in a file.
bool is_of_system(const Status& status) {
  const auto& details = status.details();
  return status.code() == StatusCode::kUnimplemented ||
         std::any_of(details.begin(), details.end(), [](const auto& detail) { return detail.first == "errno"; });
}

std::vector<StoredEntry> stored_entries(const StoreLayout& layout, const std::vector<StoredFile>& files) {
  std::vector<StoredEntry> entries;
  for (const StoredFile& file : files) {
    if (!file.named_well) continue;
    StoredEntry entry;
    entry.key_hex = file.name;
    entry.info.key_digest = "sha256:" + file.name;
    if (const auto stamp = FileStamp::of_path(file.path); stamp.ok()) entry.last_used_ns = stamp->mtime_ns;
    entry.info.last_used_unix_s = entry.last_used_ns / kNsPerSecond;
    entry.info.pinned = ::access(layout.pin(file.name).c_str(), F_OK) == 0;
    if (auto manifest = read_manifest(layout, file.name); manifest.ok()) {
      entry.info.size_bytes = manifest->size_bytes();
      entry.info.created_unix_s = manifest->created_unix_s;
      entry.blobs = std::move(manifest->blobs);
      entry.info.key = std::move(manifest->key);
      entry.info.compatibility_json = std::move(manifest->compatibility_json);
    } else if (manifest.error().code() == StatusCode::kNotFound) {
      continue;
    } else {
      entry.info.corrupt = manifest.error().message();
      if (is_of_system(manifest.error())) entry.unread = std::move(manifest).error();
    }
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const StoredEntry& a, const StoredEntry& b) {
    return std::tie(b.last_used_ns, a.key_hex) < std::tie(a.last_used_ns, b.key_hex);
  });
  return entries;
}

uint64_t size_of_file(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

// How many kept entries refer to each blob, and the bytes of all that are referred to.
class References {
 public:
  void add(const StoredEntry& entry) {
    for (const BlobRecord& blob : entry.blobs) {
      if (++counts_[blob.digest.hex()] == 1) bytes_ += blob.size_bytes;
    }
  }
  void remove(const StoredEntry& entry) {
    for (const BlobRecord& blob : entry.blobs) {
      if (--counts_[blob.digest.hex()] == 0) bytes_ -= blob.size_bytes;
    }
  }
  bool has(const std::string& object_hex) const {
    const auto found = counts_.find(object_hex);
    return found != counts_.end() && found->second > 0;
  }
  uint64_t bytes() const { return bytes_; }

 private:
  std::map<std::string, int64_t> counts_;
  uint64_t bytes_ = 0;
};

enum class Fate : uint8_t { kKeep, kRemove };
// Asked for each entry, least recently used first, with the bytes that are still referred to.
using JudgeEntry = std::function<Fate(const StoredEntry& entry, uint64_t bytes)>;

Status remove_objects(const StoreLayout& layout, const References& references, CacheGcReport& report) {
  AXLE_ASSIGN_OR_RETURN(const auto objects, stored_files(layout.objects));
  for (const StoredFile& object : objects) {
    if (object.named_well && references.has(object.name)) continue;
    const uint64_t bytes = size_of_file(object.path);
    if (!remove_file(object.path).ok()) AXLE_RETURN_IF_ERROR(remove_tree(object.path));
    report.removed_bytes += bytes;
  }
  return ok_status();
}

// Removes entries as judged, then every blob that no entry refers to. Corrupt entries always go. An entry that cannot be read ends it
// before anything is removed: nobody knows which blobs are its.
Result<CacheGcReport> collect(const StoreLayout& layout, const JudgeEntry& judge) {
  AXLE_ASSIGN_OR_RETURN(const FileLock lock, FileLock::acquire(layout.lock, LockMode::kExclusive));
  AXLE_ASSIGN_OR_RETURN(const auto files, stored_files(layout.entries));
  std::vector<StoredEntry> entries = stored_entries(layout, files);
  References references;
  for (const StoredEntry& entry : entries) {
    AXLE_RETURN_IF_ERROR(entry.unread);
    references.add(entry);
  }
  for (const StoredFile& file : files) {
    if (!file.named_well && !remove_file(file.path).ok()) AXLE_RETURN_IF_ERROR(remove_tree(file.path));
  }
  CacheGcReport report;
  std::reverse(entries.begin(), entries.end());
  for (const StoredEntry& entry : entries) {
    if (entry.info.corrupt.empty() && judge(entry, references.bytes()) == Fate::kKeep) continue;
    AXLE_ASSIGN_OR_RETURN(const bool removed, remove_entry(layout, entry.key_hex));
    if (!removed) {
      ++report.in_use_entries;
      continue;
    }
    (void)remove_file(layout.pin(entry.key_hex));
    references.remove(entry);
    ++report.removed_entries;
  }
  AXLE_RETURN_IF_ERROR(remove_objects(layout, references, report));
  report.kept_bytes = references.bytes();
  return report;
}

Status refuse_read_only(const Cache::State& state) {
  if (!state.read_only) return ok_status();
  return cache_failure(failed_precondition_error(fmt::format("{} is open for reading only", state.layout.folder)));
}

std::string relative_to(const std::string& folder, const std::string& path) { return path.substr(folder.size() + 1); }

CacheProblem damaged_lines(const StoreLayout& layout, const std::string& path, uint64_t count) {
  return {relative_to(layout.folder, path), fmt::format("{} damaged or unfinished lines", count)};
}

}  // namespace

uint64_t object_bytes(const StoreLayout& layout) {
  const auto objects = stored_files(layout.objects);
  uint64_t bytes = 0;
  for (const StoredFile& object : objects.value_or(std::vector<StoredFile>())) bytes += size_of_file(object.path);
  return bytes;
}

Result<CacheGcReport> collect_garbage(Cache::State& state, uint64_t max_bytes) {
  auto report = collect(state.layout, [&](const StoredEntry& entry, uint64_t bytes) {
    return bytes <= max_bytes || entry.info.pinned ? Fate::kKeep : Fate::kRemove;
  });
  if (report.ok() && report->removed_entries > 0) state.count({.evictions = report->removed_entries});
  sweep_scratch(state.layout.scratch);
  sweep_locks(state.layout.locks);
  (void)state.memo.sweep();
  return report;
}

Result<CacheGcReport> Cache::gc(std::optional<uint64_t> limit_bytes) {
  AXLE_RETURN_IF_ERROR(refuse_read_only(*state_));
  return collect_garbage(*state_, limit_bytes.value_or(state_->max_bytes));
}

Result<CacheGcReport> Cache::rm(std::string_view prefix) {
  AXLE_RETURN_IF_ERROR(refuse_read_only(*state_));
  if (prefix.starts_with("sha256:")) prefix.remove_prefix(7);
  const bool all = prefix == "*";
  if (!all && (prefix.empty() || prefix.size() > 64 || !is_hex(prefix))) {
    return invalid_argument_error(fmt::format("\"{}\" does not begin a key digest", printable(prefix)))
        .with_hint("give the first hex digits as `axle cache ls` prints them, or * for everything");
  }
  const auto named = [&](const StoredEntry& entry, uint64_t) {
    return all || entry.key_hex.starts_with(prefix) ? Fate::kRemove : Fate::kKeep;
  };
  AXLE_ASSIGN_OR_RETURN(const CacheGcReport report, collect(state_->layout, named));
  if (all) AXLE_RETURN_IF_ERROR(state_->memo.clear());
  const size_t logs = forget_failed_builds(state_->layout.folder, prefix);
  if (!all && logs == 0 && report.removed_entries == 0 && report.in_use_entries == 0) {
    return not_found_error(fmt::format("no entry's key digest starts with \"{}\"", prefix)).with_hint("see: axle cache ls");
  }
  return report;
}

Result<std::vector<CacheEntry>> Cache::ls() {
  AXLE_ASSIGN_OR_RETURN(const auto files, stored_files(state_->layout.entries));
  std::vector<CacheEntry> entries;
  for (StoredEntry& entry : stored_entries(state_->layout, files)) entries.push_back(std::move(entry.info));
  return entries;
}

Result<CacheStats> Cache::stats() {
  CacheStats stats;
  AXLE_ASSIGN_OR_RETURN(const auto files, stored_files(state_->layout.entries));
  for (const StoredFile& file : files) stats.entries += file.named_well ? 1 : 0;
  stats.bytes = object_bytes(state_->layout);
  stats.max_bytes = state_->max_bytes;
  AXLE_ASSIGN_OR_RETURN(const MemoUsage memos, state_->memo.usage());
  stats.memo_entries = memos.entries;
  stats.memo_bytes = memos.bytes;
  AXLE_ASSIGN_OR_RETURN(const StatisticsTotals totals, state_->statistics.totals());
  stats.hits = totals.hits;
  stats.misses = totals.misses;
  stats.corrupt = totals.corrupt;
  stats.evictions = totals.evictions;
  const double asked = static_cast<double>(totals.hits) + static_cast<double>(totals.misses);
  stats.hit_rate = asked > 0 ? static_cast<double>(totals.hits) / asked : 0;
  return stats;
}

Result<CacheVerifyReport> Cache::verify(bool remove_bad, const CancelToken& cancel) {
  if (remove_bad) AXLE_RETURN_IF_ERROR(refuse_read_only(*state_));
  const StoreLayout& layout = state_->layout;
  CacheVerifyReport report;
  AXLE_ASSIGN_OR_RETURN(const auto files, stored_files(layout.entries));
  for (const StoredFile& file : files) {
    if (!file.named_well) {
      report.problems.push_back({relative_to(layout.folder, file.path), "not a name of ours"});
      continue;
    }
    AXLE_ASSIGN_OR_RETURN(const EntryOutcome outcome,
                          open_entry(layout, file.name, nullptr, BlobCheck::kHash, nullptr, cancel));
    if (std::holds_alternative<EntryAbsent>(outcome)) continue;
    ++report.entries;
    if (const auto* corrupt = std::get_if<EntryCorrupt>(&outcome)) {
      const std::string& where = corrupt->object_path.empty() ? file.path : corrupt->object_path;
      report.problems.push_back({relative_to(layout.folder, where), corrupt->reason});
      if (remove_bad) AXLE_RETURN_IF_ERROR(remove_corrupt(layout, file.name, cancel));
      continue;
    }
    const auto& entry = *std::get<std::shared_ptr<Lease::State>>(outcome);
    report.blobs += entry.blobs.size();
    report.bytes += entry.manifest.size_bytes();
  }
  AXLE_ASSIGN_OR_RETURN(report.memos, state_->memo.verify([&](const std::string& file, const std::string& reason) {
    const std::string path = layout.memo + "/" + file;
    report.problems.push_back({relative_to(layout.folder, path), reason});
    if (remove_bad) (void)remove_file(path);
  }));
  AXLE_ASSIGN_OR_RETURN(const uint64_t bad_statistics, state_->statistics.bad_lines());
  if (bad_statistics > 0) {
    report.problems.push_back(damaged_lines(layout, layout.statistics, bad_statistics));
    if (remove_bad) AXLE_RETURN_IF_ERROR(state_->statistics.fold());
  }
  const AppendLog evidence = evidence_log(layout.evidence);
  AXLE_ASSIGN_OR_RETURN(const uint64_t bad_evidence, evidence.count_bad());
  if (bad_evidence > 0) {
    report.problems.push_back(damaged_lines(layout, layout.evidence, bad_evidence));
    if (remove_bad) AXLE_RETURN_IF_ERROR(evidence.rewrite([](auto rows) { return rows; }));
  }
  return report;
}

Status Cache::set_pinned(std::string_view key_digest, bool pinned) {
  AXLE_RETURN_IF_ERROR(refuse_read_only(*state_));
  AXLE_ASSIGN_OR_RETURN(const Digest digest, Digest::parse(key_digest));
  const std::string hex = digest.hex();
  AXLE_ASSIGN_OR_RETURN(const FileLock lock, FileLock::acquire(state_->layout.lock, LockMode::kShared));
  if (::access(state_->layout.entry(hex).c_str(), F_OK) != 0) {
    return not_found_error(fmt::format("there is no entry {}", key_digest)).with_hint("see: axle cache ls");
  }
  if (!pinned) return remove_file(state_->layout.pin(hex));
  return open_or_create_file(state_->layout.pin(hex)).status();
}

}  // namespace axle
