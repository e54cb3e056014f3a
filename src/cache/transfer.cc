// Cache::export_archive and import_archive.
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>

#include "axle/cache.h"
#include "base/errno_status.h"
#include "base/file.h"
#include "base/logging.h"
#include "base/text.h"
#include "cache/archive.h"
#include "cache/cache_state.h"
#include "cache/disk.h"
#include "cache/entry.h"
#include "cache/publish.h"
#include "cache/scratch.h"

namespace axle {
namespace {

constexpr uint32_t kArchiveMode = 0644;
constexpr size_t kPieceBytes = 1u << 20;

using LeasedEntry = std::shared_ptr<Lease::State>;

// Hex digits of the key digests that start with one of the prefixes; all without any.
Result<std::vector<std::string>> chosen_keys(Cache& cache, const std::vector<std::string>& prefixes) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<CacheEntry> entries, cache.ls());
  std::vector<std::string> keys;
  for (const CacheEntry& entry : entries) {
    const std::string& key = entry.key_digest;
    const auto begins = [&](const std::string& prefix) {
      return prefix.starts_with("sha256:") ? key.starts_with(prefix) : std::string_view(key).substr(7).starts_with(prefix);
    };
    if (prefixes.empty() || std::any_of(prefixes.begin(), prefixes.end(), begins)) keys.push_back(key.substr(7));
  }
  for (const std::string& prefix : prefixes) {
    const std::string hex = prefix.starts_with("sha256:") ? prefix.substr(7) : prefix;
    const bool found = std::any_of(keys.begin(), keys.end(), [&](const std::string& key) { return key.starts_with(hex); });
    if (hex.empty() || !found) {
      return not_found_error(fmt::format("no entry's key digest starts with \"{}\"", printable(prefix)))
          .with_hint("see: axle cache ls");
    }
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

Result<LeasedEntry> lease_entry(const StoreLayout& layout, const std::string& key, const CancelToken& cancel) {
  AXLE_ASSIGN_OR_RETURN(EntryOutcome outcome, open_entry(layout, key, nullptr, BlobCheck::kHash, nullptr, cancel));
  if (auto* state = std::get_if<LeasedEntry>(&outcome)) return std::move(*state);
  if (const auto* corrupt = std::get_if<EntryCorrupt>(&outcome)) {
    return data_loss_error(fmt::format("the entry {} is damaged: {}", key, corrupt->reason))
        .with_hint("axle cache verify --remove");
  }
  return not_found_error(fmt::format("the entry {} was removed meanwhile", key));
}

// What is imported will be run: whoever can write the file later than it was looked at could change that.
Status check_own(const MappedFile& file) {
  struct stat status{};
  if (::fstat(file.fd(), &status) != 0) return errno_status(errno, file.path());
  const bool ours = status.st_uid == ::geteuid() || status.st_uid == 0;
  if (ours && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return ok_status();
  return permission_denied_error(fmt::format("{} holds code that axle would run, and {}", file.path(),
                                             ours ? "others may write to it" : "it belongs to another user"))
      .with_hint(ours ? "chmod go-w " + file.path() : "copy it, when you trust who made it");
}

// Copies a blob piece by piece and hashes what is written: what the file holds by then does not matter.
Status stage_blob(const ArchiveBlob& blob, const std::string& path, const CancelToken& cancel) {
  AXLE_ASSIGN_OR_RETURN(const UniqueFd file, create_file(path));
  Sha256 hash;
  std::string piece;
  for (size_t at = 0; at < blob.bytes.size(); at += piece.size()) {
    AXLE_RETURN_IF_ERROR(cancel.check());
    piece.assign(blob.bytes.substr(at, kPieceBytes));
    hash.update(std::string_view(piece));
    AXLE_RETURN_IF_ERROR(write_all(file.get(), piece, path));
  }
  if (hash.finish() == blob.digest) return ok_status();
  return data_loss_error(fmt::format("a blob of the archive does not have its digest {}", blob.digest.to_string()));
}

struct Staged {
  const Manifest* manifest = nullptr;
  std::string key;
  BuildFolder folder;
  ManifestDraft draft;
};

Result<Staged> stage_entry(const StoreLayout& layout, const Archive& archive, const Manifest& manifest, std::string key,
                           const CancelToken& cancel) {
  AXLE_ASSIGN_OR_RETURN(BuildFolder folder, BuildFolder::create(layout.scratch));
  Staged staged{&manifest, std::move(key), std::move(folder), {}};
  staged.draft.compatibility_json = manifest.compatibility_json;
  for (const BlobRecord& record : manifest.blobs) {
    // Named by number: what the archive calls a blob is never part of a path.
    const std::string file = std::to_string(staged.draft.blobs.size());
    AXLE_RETURN_IF_ERROR(stage_blob(*archive.find(record.digest), staged.folder.work() + "/" + file, cancel));
    staged.draft.blobs.push_back({record.name, record.type, file});
  }
  return staged;
}

Result<bool> is_there(const StoreLayout& layout, const std::string& key, const CancelToken& cancel) {
  AXLE_ASSIGN_OR_RETURN(const EntryOutcome outcome, open_entry(layout, key, nullptr, BlobCheck::kHash, nullptr, cancel));
  return std::holds_alternative<LeasedEntry>(outcome);
}

}  // namespace

Result<CacheTransferReport> Cache::export_archive(const std::string& path, const std::vector<std::string>& prefixes,
                                                  const CancelToken& cancel) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<std::string> keys, chosen_keys(*this, prefixes));
  if (keys.empty()) return not_found_error("the cache is empty: there is nothing to export");
  std::vector<LeasedEntry> leases;
  std::vector<Manifest> manifests;
  for (const std::string& key : keys) {
    AXLE_ASSIGN_OR_RETURN(LeasedEntry leased, lease_entry(state_->layout, key, cancel));
    manifests.push_back(leased->manifest);
    leased->blobs.clear();  // the lease stays; a mapping of every blob at once would not fit
    leased->files.clear();
    leases.push_back(std::move(leased));
  }
  AXLE_ASSIGN_OR_RETURN(const std::string head, archive_head(manifests));
  CacheTransferReport report;
  report.entries = manifests.size();
  AXLE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, kArchiveMode));
  AXLE_RETURN_IF_ERROR(file.write(head));
  for (const BlobRecord& blob : blobs_of(manifests)) {
    AXLE_RETURN_IF_ERROR(cancel.check());
    AXLE_ASSIGN_OR_RETURN(const MappedFile content, MappedFile::open(state_->layout.object(blob.digest)));
    AXLE_RETURN_IF_ERROR(file.write(content.bytes()));
    report.bytes += blob.size_bytes;
  }
  AXLE_RETURN_IF_ERROR(file.commit());
  return report;
}

Result<CacheTransferReport> Cache::import_archive(const std::string& path, const CancelToken& cancel) {
  if (state_->read_only)
    return cache_failure(failed_precondition_error(fmt::format("{} is open for reading only", state_->layout.folder)));
  AXLE_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  AXLE_RETURN_IF_ERROR(check_own(file));
  auto archive = parse_archive(file.text());
  if (!archive.ok()) return std::move(archive).error().with_context(path);
  if (archive->blob_bytes() > state_->max_bytes) {
    return cache_failure(resource_exhausted_error(fmt::format("{} holds {} of artefacts, the cache may hold {}", path,
                                                              format_size_bytes(static_cast<int64_t>(archive->blob_bytes())),
                                                              format_size_bytes(static_cast<int64_t>(state_->max_bytes)))));
  }
  sweep_scratch(state_->layout.scratch);
  CacheTransferReport report;
  std::vector<Staged> staged;
  for (const Manifest& manifest : archive->entries) {
    std::string key = sha256_of(manifest.key.to_json()).hex();
    AXLE_ASSIGN_OR_RETURN(const bool there, is_there(state_->layout, key, cancel));
    report.already_there += there ? 1 : 0;
    if (there) continue;
    auto one = stage_entry(state_->layout, *archive, manifest, std::move(key), cancel);
    if (!one.ok()) return std::move(one).error().with_context(path);
    staged.push_back(*std::move(one));
  }
  for (const Staged& one : staged) {
    AXLE_ASSIGN_OR_RETURN(const LeasedEntry placed, publish(state_->layout, one.manifest->key, one.draft, one.folder,
                                                            state_->max_bytes, CancelToken::none()));
    ++report.entries;
    report.bytes += placed->manifest.size_bytes();
  }
  if (object_bytes(state_->layout) > state_->max_bytes) {
    const auto collected = collect_garbage(*state_, state_->max_bytes);
    if (!collected.ok()) AXLE_LOG(kInfo, "cache", "cannot make room: {}", collected.error().to_string());
  }
  return report;
}

}  // namespace axle
