// Archives: entries of a cache in one file, to be carried elsewhere (docs/formats/cache.md). Read as hostile input: an archive
// holds no path, and nothing of it is used before its digest was found right.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "axle/status.h"
#include "cache/manifest.h"

namespace axle {

inline constexpr std::string_view kArchiveKind = "axle-cache-archive 1";
inline constexpr size_t kMaxArchiveIndexBytes = size_t{64} << 20;
inline constexpr size_t kMaxArchiveEntries = 4096;

struct ArchiveBlob {
  Digest digest;
  uint64_t size_bytes = 0;
  std::string_view bytes;  // into the archive; their digest has not been looked at
};

struct Archive {
  std::vector<Manifest> entries;   // by key digest
  std::vector<ArchiveBlob> blobs;  // by digest, each once: those that the entries name
  uint64_t blob_bytes() const noexcept;
  // Null when there is none.
  const ArchiveBlob* find(const Digest& digest) const noexcept;
};

// What stands before the blobs. INVALID_ARGUMENT: no entry, or too many.
Result<std::string> archive_head(const std::vector<Manifest>& entries);
// The blobs that the entries name, each once, in the order in which they follow the head.
std::vector<BlobRecord> blobs_of(const std::vector<Manifest>& entries);

// DATA_LOSS or INVALID_ARGUMENT for anything that was not written so: every byte is accounted for but the blobs' own content.
Result<Archive> parse_archive(std::string_view bytes);

}  // namespace axle
