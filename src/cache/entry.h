// Entries: opening one for reading (verified and leased), putting a new one in place, taking one away.
//
// Locks: a reader holds the manifest file shared; whoever removes an entry holds it exclusively. Whoever puts an entry in
// place holds the store's lock shared, so that nobody collects its blobs before its manifest refers to them; whoever
// collects holds it exclusively. Order: key lock, store lock, manifest.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "axle/cache.h"
#include "base/file.h"
#include "cache/layout.h"
#include "cache/manifest.h"
#include "cache/memo.h"

namespace axle {

struct Lease::State {
  std::string key_digest;
  Manifest manifest;
  bool built = false;
  UniqueFd manifest_file;  // locked shared: the lease itself
  std::vector<MappedFile> files;
  std::vector<Blob> blobs;
};

enum class BlobCheck : uint8_t {
  kStamp,   // a remembered stamp stands for the content, else it is hashed
  kHash,    // always hashed
  kSize,    // for blobs that were hashed just now
};

struct EntryAbsent {};
struct EntryCorrupt {
  std::string reason;
  std::string object_path;  // the damaged blob, "" = the manifest itself
};
using EntryOutcome = std::variant<EntryAbsent, EntryCorrupt, std::shared_ptr<Lease::State>>;

// `expected` null: any key. Fails (CANCELLED, or a cache failure) only when the entry could not be judged.
Result<EntryOutcome> open_entry(const StoreLayout& layout, const std::string& key_hex, const ArtefactKey* expected,
                                BlobCheck check, Memo* memo, const CancelToken& cancel);

// Reads and checks the manifest alone; locks nothing. NOT_FOUND, DATA_LOSS.
Result<Manifest> read_manifest(const StoreLayout& layout, const std::string& key_hex);

// Judges the entry once more, alone with it, and removes it and its damaged blob when it is corrupt: a sound entry that has
// taken its place stays. False when there was nothing to remove.
Result<bool> remove_corrupt(const StoreLayout& layout, const std::string& key_hex, const CancelToken& cancel);

// Removes an entry unless it is leased: false then. The caller holds the store lock exclusively.
Result<bool> remove_entry(const StoreLayout& layout, const std::string& key_hex);

}  // namespace axle
