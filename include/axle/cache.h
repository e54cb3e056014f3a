// Cache: the artefact store. An artefact is what a compiler produced: typed blobs, a manifest and a compatibility record,
// found by everything it was made from. Blobs are content-addressed files; whatever is handed out has been verified.
//
// A cache is a folder that many processes and threads may use at once; every member of Cache may be called from any
// thread. Nothing half-written is ever visible: a process that dies at any instant, a full disk or a flipped bit cost a
// recompilation and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/cancel.h"
#include "axle/export.h"
#include "axle/status.h"

namespace axle {

class Memo;

// Everything that an artefact depends on. Two keys that differ in any field name different artefacts.
struct ArtefactKey {
  std::string model_digest;       // "sha256:..." over the content, external data included; never a path or a time
  std::string subgraph_digest;    // of the extracted part; "" = the whole model
  std::string extractor_version;  // of the code that cut the part out; "" with the whole model
  std::string engine;             // "onnxruntime"
  std::string plugin_digest;
  // "libonnxruntime.so.1.31.1" -> "sha256:..."; of an artefact that was compiled for another machine the toolchain's names and versions
  std::map<std::string, std::string> library_digests;
  std::map<std::string, std::string> options;          // complete: presets resolved, defaults written out
  std::string shapes;             // same text form as EvidenceKey::shapes; "" = not bound
  std::string calibration_digest; // "" = none
  std::string target;             // identity of the resource compiled for: vendor, device, driver
  std::string isa;                // "avx2,avx512_bf16", sorted; "" = none matters
  std::string precision;          // "f32"
  int32_t threads = 0;            // 0 = the artefact does not depend on them

  // Canonical JSON of all fields (RFC 8785), and its digest "sha256:...", which names the entry.
  AXLE_API std::string to_json() const;
  AXLE_API std::string digest() const;
  friend bool operator==(const ArtefactKey&, const ArtefactKey&) = default;
};

// What a builder declares after it has written its files.
struct BlobDraft {
  std::string name;  // unique within the artefact; not empty
  std::string type;  // "onnxruntime-optimised-onnx", "openvino-blob", ...
  std::string file;  // relative to the scratch folder; a regular file, not a link
};
struct ManifestDraft {
  std::vector<BlobDraft> blobs;           // at least one
  std::string compatibility_json = "{}";  // a JSON object: what the engine wants to see again before it loads the blobs
};

struct Blob {
  std::string name;
  std::string type;
  std::string digest;  // "sha256:..."
  std::string path;    // absolute, when the cache folder was given so; read-only; valid while the lease lives
  std::span<const std::byte> data;  // the file, mapped; valid while the lease lives
};

// Read access to one artefact. A value: copies share it. While a copy lives, in any process, nobody removes the files.
class AXLE_API Lease {
 public:
  const std::string& key_digest() const noexcept;
  const ArtefactKey& key() const noexcept;
  const std::vector<Blob>& blobs() const noexcept;
  // Null when there is none of that name.
  const Blob* find_blob(std::string_view name) const noexcept;
  const std::string& compatibility_json() const noexcept;
  uint64_t size_bytes() const noexcept;
  int64_t created_unix_s() const noexcept;
  // True when this call made the artefact, false when it was found.
  bool built() const noexcept;

  struct State;
  explicit Lease(std::shared_ptr<const State> state) noexcept : state_(std::move(state)) {}

 private:
  std::shared_ptr<const State> state_;
};

// A hit, or a miss with its reason: "not in the cache" or "corrupt: ...". A corrupt entry is removed and never handed out.
struct Lookup {
  std::optional<Lease> lease;
  std::string miss_reason;
  bool hit() const noexcept { return lease.has_value(); }
};

struct CacheOptions {
  std::string folder;                       // "" = AXLE_CACHE_DIR, else $XDG_CACHE_HOME/axle, else ~/.cache/axle
  uint64_t max_bytes = uint64_t{8} << 30;   // of all blobs; the least recently used go first
  bool read_only = false;                   // nothing is written: no removal of corrupt entries, no statistics
};

struct FindOptions {
  bool verify = false;                      // hash every blob, whatever its stamp says
  bool count_misses = true;                 // in the statistics; not where another key is looked for next
  CancelToken cancel = CancelToken::none();
};

struct MakeOptions {
  bool verify = false;
  CancelToken cancel = CancelToken::none(); // stops the waiting for another builder, and is handed to `make`
  // Called on this thread while another process or thread builds the same artefact; fraction is -1 (unknown).
  std::function<void(const std::string& what, double fraction)> progress;
};

// Writes the artefact's files into `scratch_folder` (empty, private, removed afterwards) and declares them. Must not ask the
// cache for the key that it builds.
using MakeArtefact = std::function<Result<ManifestDraft>(const std::string& scratch_folder, const CancelToken& cancel)>;

struct CacheEntry {
  std::string key_digest;
  ArtefactKey key;           // empty when corrupt
  std::string compatibility_json;  // as Lease's; "" when corrupt
  uint64_t size_bytes = 0;
  int64_t created_unix_s = 0;
  int64_t last_used_unix_s = 0;
  bool pinned = false;
  std::string corrupt;       // reason, "" = the manifest is sound (blobs are judged by verify)
};

struct CacheStats {
  uint64_t entries = 0;
  uint64_t bytes = 0;        // of blobs
  uint64_t max_bytes = 0;
  uint64_t memo_entries = 0;
  uint64_t memo_bytes = 0;
  // Since the cache was made, over all processes.
  uint64_t hits = 0;
  uint64_t misses = 0;
  uint64_t corrupt = 0;
  uint64_t evictions = 0;
  double hit_rate = 0;       // hits / (hits + misses); 0 without any
};

struct CacheProblem {
  std::string file;    // relative to the folder
  std::string reason;
};
struct CacheVerifyReport {
  uint64_t entries = 0;
  uint64_t blobs = 0;
  uint64_t memos = 0;
  uint64_t bytes = 0;
  std::vector<CacheProblem> problems;
};

struct CacheGcReport {
  uint64_t removed_entries = 0;
  uint64_t removed_bytes = 0;    // of blobs, orphans included
  uint64_t in_use_entries = 0;   // would have gone, but are leased
  uint64_t kept_bytes = 0;
};

struct CacheTransferReport {
  uint64_t entries = 0;        // that were written or put in place
  uint64_t already_there = 0;  // import: sound entries of the same key, which stay
  uint64_t bytes = 0;          // of blobs, each counted once
};

class AXLE_API Cache {
 public:
  // Makes the folder (mode 0700) unless read_only. PERMISSION_DENIED when it belongs to another user or others may write
  // to it (the hint says what to type); NOT_FOUND: read_only and absent, or no home folder is known.
  static Result<Cache> open(CacheOptions options = {});
  // What `folder` = "" stands for. NOT_FOUND when no environment variable names one.
  static Result<std::string> default_folder();

  const std::string& path() const noexcept;
  uint64_t max_bytes() const noexcept;
  bool read_only() const noexcept;

  // Never blocks for long: waits only while an entry is being removed. Fails for CANCELLED or when the folder cannot be
  // read; a damaged entry is a miss.
  Result<Lookup> find(const ArtefactKey& key, const FindOptions& options = {});

  // Finds the artefact or has it made, once: while one caller builds, others of any process wait and then find it. A
  // builder that dies or fails lets the next one build. Failures of `make` are returned as they are. Failures of the cache
  // itself (RESOURCE_EXHAUSTED: no space, or the artefact is larger than max_bytes; PERMISSION_DENIED; FAILED_PRECONDITION:
  // read_only) satisfy is_cache_failure(): the caller may go on without a cache.
  Result<Lease> get_or_make(const ArtefactKey& key, const MakeArtefact& make, const MakeOptions& options = {});

  // By last use, newest first.
  Result<std::vector<CacheEntry>> ls();
  Result<CacheStats> stats();
  // Reads every byte, memos and logs too. What is bad is listed, and removed when `remove_bad`.
  Result<CacheVerifyReport> verify(bool remove_bad = false, const CancelToken& cancel = CancelToken::none());
  // Removes least recently used entries until at most `max_bytes` (default: the cache's limit) of blobs are left, then what
  // no entry refers to and what dead processes left behind. Pinned and leased entries stay.
  Result<CacheGcReport> gc(std::optional<uint64_t> max_bytes = {});
  // Removes the entries whose key digest starts with `prefix` ("sha256:" may be left out; "*" = all, memos included),
  // pinned or not. NOT_FOUND when there is none; leased entries stay and are counted.
  Result<CacheGcReport> rm(std::string_view prefix);
  // Writes entries into one file, whole or not at all: those whose key digest starts with one of `prefixes`, or all. NOT_FOUND
  // when one begins none; DATA_LOSS: an entry is damaged.
  Result<CacheTransferReport> export_archive(const std::string& path, const std::vector<std::string>& prefixes = {},
                                             const CancelToken& cancel = CancelToken::none());
  // Puts the entries of such a file in place once all of it was found sound, each blob by its digest; of a damaged one nothing is.
  // What is imported is run later: PERMISSION_DENIED when others may write to the file. DATA_LOSS, INVALID_ARGUMENT: it is no
  // archive of this version, or damaged. RESOURCE_EXHAUSTED: no space, or more than max_bytes.
  Result<CacheTransferReport> import_archive(const std::string& path, const CancelToken& cancel = CancelToken::none());
  // A pinned entry is not removed by gc. NOT_FOUND when there is no such entry.
  Status set_pinned(std::string_view key_digest, bool pinned);

  // Small remembered answers in the same folder (src/cache/memo.h). Lives as long as the cache.
  Memo& memo() const noexcept;

  struct State;

 private:
  explicit Cache(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

// True for a failure of the cache itself rather than of the builder.
AXLE_API bool is_cache_failure(const Status& status) noexcept;

}  // namespace axle
