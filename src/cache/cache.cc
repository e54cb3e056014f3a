#include "axle/cache.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "base/file.h"
#include "base/hash.h"
#include "base/logging.h"
#include "base/text.h"
#include "cache/cache_state.h"
#include "cache/disk.h"
#include "cache/entry.h"
#include "cache/publish.h"

namespace axle {
namespace {

std::string_view environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::string_view(value) : std::string_view();
}

std::string key_hex_of(const ArtefactKey& key) { return sha256_of(key.to_json()).hex(); }

// The time of last use is the manifest's mtime; with the full clock, so that uses within one tick keep their order.
void touch(int fd) noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const timespec times[2] = {now, now};
  (void)::futimens(fd, times);
}

// The lock of one key: removed with its file at the end, whichever way the function is left.
class KeyLock {
 public:
  explicit KeyLock(FileLock lock) noexcept : lock_(std::move(lock)) {}
  ~KeyLock() { lock_.remove_and_release(); }
  KeyLock(const KeyLock&) = delete;
  KeyLock& operator=(const KeyLock&) = delete;

 private:
  FileLock lock_;
};

// Neither counts nor writes statistics of hits.
Result<Lookup> look(Cache::State& state, const ArtefactKey& key, const std::string& key_hex, bool verify,
                    const CancelToken& cancel) {
  const BlobCheck check = verify ? BlobCheck::kHash : BlobCheck::kStamp;
  AXLE_ASSIGN_OR_RETURN(EntryOutcome outcome, open_entry(state.layout, key_hex, &key, check, &state.memo, cancel));
  if (const auto* corrupt = std::get_if<EntryCorrupt>(&outcome)) {
    AXLE_LOG(kWarning, "cache", "entry {} is corrupt and will not be used: {}", key_hex.substr(0, 12), corrupt->reason);
    state.count({.corrupt = 1});
    Lookup miss{std::nullopt, "corrupt: " + corrupt->reason};
    if (state.read_only) return miss;
    // What cannot be removed (a full disk) is still a miss; building anew puts a sound entry over it.
    if (const auto removed = remove_corrupt(state.layout, key_hex, cancel); !removed.ok()) {
      AXLE_RETURN_IF_ERROR(cancel.check());
      AXLE_LOG(kInfo, "cache", "the corrupt entry stays for now: {}", removed.error().to_string());
    }
    return miss;
  }
  if (std::holds_alternative<EntryAbsent>(outcome)) return Lookup{std::nullopt, "not in the cache"};
  auto& found = std::get<std::shared_ptr<Lease::State>>(outcome);
  if (!state.read_only) touch(found->manifest_file.get());
  return Lookup{Lease(std::move(found)), ""};
}

// The caller holds the key's lock.
Result<Lease> build(Cache::State& state, const ArtefactKey& key, const MakeArtefact& make, const CancelToken& cancel) {
  sweep_scratch(state.layout.scratch);
  auto folder = BuildFolder::create(state.layout.scratch);
  if (!folder.ok()) return cache_failure(std::move(folder).error());
  AXLE_ASSIGN_OR_RETURN(const ManifestDraft draft, make(folder->work(), cancel));
  auto placed = publish(state.layout, key, draft, *folder, state.max_bytes, cancel);
  // Blobs that were moved before a failure belong to nobody: the space is given back.
  const bool collects = placed.ok() ? object_bytes(state.layout) > state.max_bytes : is_cache_failure(placed.error());
  if (collects) {
    const auto collected = collect_garbage(state, state.max_bytes);
    if (!collected.ok()) AXLE_LOG(kInfo, "cache", "cannot make room: {}", collected.error().to_string());
  }
  if (!placed.ok()) return std::move(placed).error();
  (*placed)->built = true;
  return Lease(*std::move(placed));
}

// The cache folder itself may be readable by others: then what is inside could be reached if it were writable.
Status open_folders(const StoreLayout& layout, bool read_only) {
  for (const std::string* inside :
       {&layout.store, &layout.entries, &layout.objects, &layout.locks, &layout.pins, &layout.scratch, &layout.memo}) {
    struct stat status{};
    const bool absent = ::stat(inside->c_str(), &status) != 0;
    if (absent && read_only) continue;
    if (absent) AXLE_RETURN_IF_ERROR(make_private_folder(*inside));
    AXLE_RETURN_IF_ERROR(check_private_folder(*inside));
  }
  return ok_status();
}

}  // namespace

const std::string& Lease::key_digest() const noexcept { return state_->key_digest; }
const ArtefactKey& Lease::key() const noexcept { return state_->manifest.key; }
const std::vector<Blob>& Lease::blobs() const noexcept { return state_->blobs; }
const std::string& Lease::compatibility_json() const noexcept { return state_->manifest.compatibility_json; }
uint64_t Lease::size_bytes() const noexcept { return state_->manifest.size_bytes(); }
int64_t Lease::created_unix_s() const noexcept { return state_->manifest.created_unix_s; }
bool Lease::built() const noexcept { return state_->built; }

const Blob* Lease::find_blob(std::string_view name) const noexcept {
  for (const Blob& blob : state_->blobs) {
    if (blob.name == name) return &blob;
  }
  return nullptr;
}

Result<std::string> Cache::default_folder() {
  if (const auto folder = environment("AXLE_CACHE_DIR"); !folder.empty()) return std::string(folder);
  // The XDG base directory specification: a relative path is to be ignored.
  if (const auto base = environment("XDG_CACHE_HOME"); base.starts_with('/')) return fmt::format("{}/axle", base);
  if (const auto home = environment("HOME"); home.starts_with('/')) return fmt::format("{}/.cache/axle", home);
  return not_found_error("no folder for the cache is known: HOME is not set").with_hint("set AXLE_CACHE_DIR to a folder");
}

Result<std::string> prepare_cache_folder(std::string folder, bool read_only) {
  if (folder.empty()) {
    AXLE_ASSIGN_OR_RETURN(folder, Cache::default_folder());
  }
  std::error_code error;
  // Absolute, so that the program may change its working folder.
  const auto absolute = std::filesystem::absolute(folder, error);
  if (error) return invalid_argument_error(fmt::format("\"{}\" cannot be a cache folder", printable(folder)));
  folder = absolute.lexically_normal().string();
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  if (!read_only) AXLE_RETURN_IF_ERROR(make_private_folder(folder));
  AXLE_RETURN_IF_ERROR(check_private_folder(folder));
  return folder;
}

Result<Cache> Cache::open(CacheOptions options) {
  const auto failed = [](Status status) {
    return cache_failure(std::move(status).with_context("cannot use the cache folder"));
  };
  auto folder = prepare_cache_folder(std::move(options.folder), options.read_only);
  if (!folder.ok()) return failed(std::move(folder).error());
  auto state = std::make_shared<State>(*std::move(folder), options.max_bytes, options.read_only);
  if (Status opened = open_folders(state->layout, options.read_only); !opened.ok()) return failed(std::move(opened));
  return Cache(std::move(state));
}

const std::string& Cache::path() const noexcept { return state_->layout.folder; }
uint64_t Cache::max_bytes() const noexcept { return state_->max_bytes; }
bool Cache::read_only() const noexcept { return state_->read_only; }
Memo& Cache::memo() const noexcept { return state_->memo; }

Result<Lookup> Cache::find(const ArtefactKey& key, const FindOptions& options) {
  auto lookup = look(*state_, key, key_hex_of(key), options.verify, options.cancel);
  if (!lookup.ok()) return cache_failure(std::move(lookup).error());
  if (lookup->hit() || options.count_misses)
    state_->count(lookup->hit() ? StatisticsTotals{.hits = 1} : StatisticsTotals{.misses = 1});
  return lookup;
}

Result<Lease> Cache::get_or_make(const ArtefactKey& key, const MakeArtefact& make, const MakeOptions& options) {
  const std::string key_hex = key_hex_of(key);
  const auto found = [&]() -> Result<Lookup> {
    auto lookup = look(*state_, key, key_hex, options.verify, options.cancel);
    if (!lookup.ok()) return cache_failure(std::move(lookup).error());
    if (lookup->hit()) state_->count({.hits = 1});
    return lookup;
  };
  AXLE_ASSIGN_OR_RETURN(Lookup first, found());
  if (first.hit()) return *std::move(first.lease);
  if (state_->read_only) {
    state_->count({.misses = 1});
    return cache_failure(failed_precondition_error(
        fmt::format("the artefact is {}, and {} is open for reading only", first.miss_reason, path())));
  }
  const auto waiting = [&](int64_t waited_ns) {
    if (!options.progress) return;
    options.progress(fmt::format("waiting for the one who builds this artefact ({})", format_duration_ns(waited_ns)), -1);
  };
  auto lock = FileLock::acquire(state_->layout.key_lock(key_hex), LockMode::kExclusive, options.cancel, waiting);
  if (!lock.ok()) return cache_failure(std::move(lock).error());
  const KeyLock held(*std::move(lock));
  AXLE_ASSIGN_OR_RETURN(Lookup second, found());
  if (second.hit()) return *std::move(second.lease);
  state_->count({.misses = 1});
  return build(*state_, key, make, options.cancel);
}

}  // namespace axle
