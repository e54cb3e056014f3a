#include "cache/entry.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/errno_status.h"
#include "base/text.h"
#include "cache/disk.h"
#include "cache/file_lock.h"

namespace axle {
namespace {

constexpr int64_t kSettledNs = 2'000'000'000;
constexpr auto kRemovalPause = std::chrono::microseconds(200);

Result<std::string> read_all(int fd, const std::string& path, size_t max_bytes) {
  std::string text(max_bytes + 1, '\0');
  size_t used = 0;
  while (used < text.size()) {
    const ssize_t got = ::pread(fd, text.data() + used, text.size() - used, static_cast<off_t>(used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_status(errno, fmt::format("cannot read {}", path));
    if (got == 0) break;
    used += static_cast<size_t>(got);
  }
  text.resize(used);
  return text;
}

// Only files that this user (or root) alone can write count: the seal proves wholeness, not who wrote it.
bool is_own(const struct stat& status) noexcept {
  return (status.st_uid == ::geteuid() || status.st_uid == 0) && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

struct ManifestFile {
  UniqueFd file;
  std::string text;
  std::string problem;  // not "": it is no manifest at all
};

// nullopt: there is none.
Result<std::optional<ManifestFile>> lock_manifest(const std::string& path, const CancelToken& cancel) {
  for (;; std::this_thread::sleep_for(kRemovalPause)) {
    AXLE_RETURN_IF_ERROR(cancel.check());
    ManifestFile manifest;
    manifest.file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!manifest.file) {
      if (errno == ENOENT) return std::optional<ManifestFile>();
      if (errno != ELOOP && errno != ENXIO) return errno_status(errno, fmt::format("cannot open {}", path));
      manifest.problem = errno == ELOOP ? "it is a link" : "it is not a regular file";  // ENXIO: a socket
      return std::optional<ManifestFile>(std::move(manifest));
    }
    // Held exclusively only for the moment in which an entry is removed.
    AXLE_ASSIGN_OR_RETURN(const bool locked, try_lock_fd(manifest.file.get(), LockMode::kShared, path));
    if (!locked || is_removed(manifest.file.get())) continue;
    struct stat status{};
    if (::fstat(manifest.file.get(), &status) != 0) return errno_status(errno, path);
    if (!S_ISREG(status.st_mode)) {
      manifest.problem = "it is not a regular file";
    } else if (!is_own(status)) {
      manifest.problem = "others can write it";
    } else if (static_cast<uint64_t>(status.st_size) > kMaxManifestBytes) {
      manifest.problem = "it is too large";
    } else {
      AXLE_ASSIGN_OR_RETURN(manifest.text, read_all(manifest.file.get(), path, static_cast<size_t>(status.st_size)));
    }
    return std::optional<ManifestFile>(std::move(manifest));
  }
}

// "" when the mapped file is what the manifest says.
std::string judge_blob(const MappedFile& file, const BlobRecord& record, BlobCheck check, Memo* memo) {
  if (file.bytes().size() != record.size_bytes) {
    return fmt::format("it has {} bytes instead of {}", file.bytes().size(), record.size_bytes);
  }
  if (check == BlobCheck::kSize) return "";
  const FileStamp& stamp = file.stamp();
  const std::string digest = record.digest.to_string();
  const int64_t now = system_time_ns();
  // A change within two seconds of another might not show in the times.
  const bool settled = stamp.mtime_ns < now - kSettledNs && stamp.ctime_ns < now - kSettledNs;
  const bool remembers = memo != nullptr && settled;
  if (remembers && check == BlobCheck::kStamp && memo->get("digest", stamp.to_string()) == digest) return "";
  if (sha256_of(file.bytes()) != record.digest) return "its content does not have its digest";
  if (remembers) (void)memo->put("digest", stamp.to_string(), digest);
  return "";
}

EntryCorrupt corrupt_manifest(const std::string& reason) { return {fmt::format("the manifest is damaged: {}", reason), ""}; }

// Maps and judges all blobs into `state`; a reason when one is bad.
Result<std::optional<EntryCorrupt>> open_blobs(const StoreLayout& layout, Lease::State& state, BlobCheck check, Memo* memo,
                                               const CancelToken& cancel) {
  for (const BlobRecord& record : state.manifest.blobs) {
    AXLE_RETURN_IF_ERROR(cancel.check());
    const std::string path = layout.object(record.digest);
    auto file = MappedFile::open(path);
    std::string problem;
    if (!file.ok()) {
      const StatusCode code = file.error().code();
      // No memory or no descriptors say nothing about the blob.
      if (code != StatusCode::kNotFound && code != StatusCode::kInvalidArgument) return std::move(file).error();
      problem = code == StatusCode::kNotFound ? "it is missing" : "it is not a regular file";
    } else {
      problem = judge_blob(*file, record, check, memo);
    }
    if (!problem.empty()) {
      return std::optional<EntryCorrupt>({fmt::format("blob \"{}\" is damaged: {}", printable(record.name), problem), path});
    }
    state.files.push_back(*std::move(file));
    state.blobs.push_back({record.name, record.type, record.digest.to_string(), path, state.files.back().bytes()});
  }
  return std::optional<EntryCorrupt>();
}

// Also what should never have been there, such as a folder.
Status remove_any(const std::string& path) { return remove_file(path).ok() ? ok_status() : remove_tree(path); }

}  // namespace

Result<EntryOutcome> open_entry(const StoreLayout& layout, const std::string& key_hex, const ArtefactKey* expected,
                                BlobCheck check, Memo* memo, const CancelToken& cancel) {
  AXLE_ASSIGN_OR_RETURN(auto found, lock_manifest(layout.entry(key_hex), cancel));
  if (!found) return EntryOutcome(EntryAbsent{});
  if (!found->problem.empty()) return EntryOutcome(corrupt_manifest(found->problem));
  auto manifest = parse_manifest(found->text);
  if (!manifest.ok()) return EntryOutcome(corrupt_manifest(manifest.error().message()));
  const bool right = expected != nullptr ? manifest->key == *expected : sha256_of(manifest->key.to_json()).hex() == key_hex;
  if (!right) return EntryOutcome(corrupt_manifest("it belongs to another key"));
  auto state = std::make_shared<Lease::State>();
  state->key_digest = "sha256:" + key_hex;
  state->manifest = *std::move(manifest);
  state->manifest_file = std::move(found->file);
  AXLE_ASSIGN_OR_RETURN(auto corrupt, open_blobs(layout, *state, check, memo, cancel));
  if (corrupt) return EntryOutcome(*std::move(corrupt));
  return EntryOutcome(std::move(state));
}

Result<Manifest> read_manifest(const StoreLayout& layout, const std::string& key_hex) {
  AXLE_ASSIGN_OR_RETURN(auto found, lock_manifest(layout.entry(key_hex), CancelToken::none()));
  if (!found) return not_found_error(fmt::format("there is no entry {}", key_hex));
  if (!found->problem.empty()) return data_loss_error(found->problem);
  AXLE_ASSIGN_OR_RETURN(Manifest manifest, parse_manifest(found->text));
  if (sha256_of(manifest.key.to_json()).hex() != key_hex) return data_loss_error("it belongs to another key");
  return manifest;
}

Result<bool> remove_corrupt(const StoreLayout& layout, const std::string& key_hex, const CancelToken& cancel) {
  AXLE_ASSIGN_OR_RETURN(const FileLock lock, FileLock::acquire(layout.lock, LockMode::kExclusive, cancel));
  AXLE_ASSIGN_OR_RETURN(const EntryOutcome outcome, open_entry(layout, key_hex, nullptr, BlobCheck::kHash, nullptr, cancel));
  const auto* corrupt = std::get_if<EntryCorrupt>(&outcome);
  if (corrupt == nullptr) return false;
  AXLE_RETURN_IF_ERROR(remove_any(layout.entry(key_hex)));
  if (!corrupt->object_path.empty()) AXLE_RETURN_IF_ERROR(remove_any(corrupt->object_path));
  return true;
}

Result<bool> remove_entry(const StoreLayout& layout, const std::string& key_hex) {
  const std::string path = layout.entry(key_hex);
  const UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT) return true;
    // A link, a folder, a socket: nobody uses those. What cannot be opened for any other reason may be in use.
    if (errno != ELOOP && errno != EISDIR && errno != ENXIO) return errno_status(errno, fmt::format("cannot open {}", path));
    AXLE_RETURN_IF_ERROR(remove_any(path));
    return true;
  }
  AXLE_ASSIGN_OR_RETURN(const bool locked, try_lock_fd(file.get(), LockMode::kExclusive, path));
  if (!locked) return false;
  AXLE_RETURN_IF_ERROR(remove_file(path));
  return true;
}

}  // namespace axle
