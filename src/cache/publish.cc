#include "cache/publish.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <set>

#include "base/errno_status.h"
#include "base/logging.h"
#include "base/text.h"
#include "cache/disk.h"

namespace axle {
namespace {

constexpr mode_t kObjectMode = 0400;

struct NewBlob {
  BlobRecord record;
  std::string path;
};

// The one way to a regular file inside `work` that leads over no link.
Result<std::string> checked_path(const std::string& work, const BlobDraft& blob) {
  const std::filesystem::path relative = std::filesystem::path(blob.file).lexically_normal();
  const auto refuse = [&](const char* why) {
    return invalid_argument_error(
        fmt::format("blob \"{}\": the file \"{}\" {}", printable(blob.name), printable(blob.file), why));
  };
  if (blob.file.empty() || relative.is_absolute() || *relative.begin() == "..")
    return refuse("is not inside the scratch folder");
  std::error_code error;
  const auto folder = std::filesystem::canonical(work, error);
  if (error) return errno_status(error.value(), work);
  const auto real = std::filesystem::canonical(folder / relative, error);
  if (error) return refuse("was not written");
  if (real != folder / relative) return refuse("leads over a link");
  return real.string();
}

Result<NewBlob> take_blob(const std::string& work, const BlobDraft& draft) {
  AXLE_ASSIGN_OR_RETURN(std::string path, checked_path(work, draft));
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return errno_status(errno, path);
  // A second name elsewhere would let the bytes change under the digest.
  if (!S_ISREG(status.st_mode) || status.st_nlink != 1) {
    return invalid_argument_error(
        fmt::format("blob \"{}\": {} is not a regular file with one name", printable(draft.name), path));
  }
  AXLE_ASSIGN_OR_RETURN(const MappedFile file, MappedFile::open(path));
  NewBlob blob{{draft.name, draft.type, sha256_of(file.bytes()), file.bytes().size()}, std::move(path)};
  if (::fchmod(file.fd(), kObjectMode) != 0) return cache_failure(errno_status(errno, blob.path));
  if (Status synced = sync_file(file.fd(), blob.path); !synced.ok()) return cache_failure(std::move(synced));
  return blob;
}

Result<std::vector<NewBlob>> take_blobs(const std::string& work, const ManifestDraft& draft, const CancelToken& cancel) {
  std::vector<NewBlob> blobs;
  std::set<std::string> paths;
  for (const BlobDraft& blob : draft.blobs) {
    AXLE_RETURN_IF_ERROR(cancel.check());
    AXLE_ASSIGN_OR_RETURN(NewBlob taken, take_blob(work, blob));
    if (!paths.insert(taken.path).second) {
      return invalid_argument_error(fmt::format("two blobs are said to be in the file \"{}\"", printable(blob.file)));
    }
    blobs.push_back(std::move(taken));
  }
  return blobs;
}

Status move_objects(const StoreLayout& layout, const std::vector<NewBlob>& blobs) {
  std::set<std::string> folders;
  for (const NewBlob& blob : blobs) {
    const std::string folder = layout.object_folder(blob.record.digest);
    AXLE_RETURN_IF_ERROR(make_private_folder(folder));
    // Over one that exists: equal when that one is sound, and its repair when it is not.
    AXLE_RETURN_IF_ERROR(rename_file(blob.path, layout.object(blob.record.digest)));
    folders.insert(folder);
  }
  for (const std::string& folder : folders) AXLE_RETURN_IF_ERROR(sync_folder(folder));
  return ok_status();
}

// Returns the manifest's file, locked shared before anybody else can see it.
Result<UniqueFd> place_manifest(const StoreLayout& layout, const std::string& text, const std::string& key_hex,
                                const std::string& temporary) {
  AXLE_ASSIGN_OR_RETURN(UniqueFd file, create_file(temporary));
  AXLE_RETURN_IF_ERROR(write_all(file.get(), text, temporary));
  AXLE_RETURN_IF_ERROR(sync_file(file.get(), temporary));
  AXLE_ASSIGN_OR_RETURN(const bool locked, try_lock_fd(file.get(), LockMode::kShared, temporary));
  if (!locked) return internal_error(fmt::format("{} is locked by somebody else", temporary));
  AXLE_RETURN_IF_ERROR(make_private_folder(layout.entry_folder(key_hex)));
  AXLE_RETURN_IF_ERROR(rename_file(temporary, layout.entry(key_hex)));
  // The entry is whole from here on; only a power cut could still undo the rename.
  if (const Status synced = sync_folder(layout.entry_folder(key_hex)); !synced.ok()) {
    AXLE_LOG(kInfo, "cache", "{}", synced.to_string());
  }
  return file;
}

}  // namespace

Result<std::shared_ptr<Lease::State>> publish(const StoreLayout& layout, const ArtefactKey& key, const ManifestDraft& draft,
                                              const BuildFolder& folder, uint64_t max_bytes, const CancelToken& cancel) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<NewBlob> blobs, take_blobs(folder.work(), draft, cancel));
  Manifest manifest{key, {}, draft.compatibility_json, system_time_ns() / 1'000'000'000};
  for (const NewBlob& blob : blobs) manifest.blobs.push_back(blob.record);
  AXLE_ASSIGN_OR_RETURN(const std::string text, manifest_to_text(manifest));
  if (manifest.size_bytes() > max_bytes) {
    return cache_failure(resource_exhausted_error(fmt::format("the artefact has {} bytes, the cache {} may hold {}",
                                                              manifest.size_bytes(), layout.folder, max_bytes))
                             .with_hint("raise the cache's limit, or run without a cache"));
  }
  const std::string key_hex = sha256_of(key.to_json()).hex();
  const auto place = [&]() -> Result<std::shared_ptr<Lease::State>> {
    AXLE_ASSIGN_OR_RETURN(const FileLock lock, FileLock::acquire(layout.lock, LockMode::kShared, cancel));
    AXLE_RETURN_IF_ERROR(move_objects(layout, blobs));
    AXLE_ASSIGN_OR_RETURN(const UniqueFd leased, place_manifest(layout, text, key_hex, folder.manifest()));
    AXLE_ASSIGN_OR_RETURN(EntryOutcome outcome,
                          open_entry(layout, key_hex, &key, BlobCheck::kSize, nullptr, CancelToken::none()));
    if (auto* state = std::get_if<std::shared_ptr<Lease::State>>(&outcome)) return std::move(*state);
    return data_loss_error(fmt::format("the entry {} was changed by somebody else while it was put in place", key_hex));
  };
  auto placed = place();
  if (!placed.ok()) return cache_failure(std::move(placed).error());
  return placed;
}

}  // namespace axle
