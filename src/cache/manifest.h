// Manifest: the record of one artefact, as it stands in entries/. Written last, sealed; read as hostile input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "axle/cache.h"
#include "base/hash.h"
#include "base/json.h"

namespace axle {

inline constexpr std::string_view kManifestKind = "axle-manifest 1";
inline constexpr size_t kMaxManifestBytes = 4u << 20;
inline constexpr size_t kMaxBlobs = 1024;

struct BlobRecord {
  std::string name;
  std::string type;
  Digest digest;
  uint64_t size_bytes = 0;
  friend bool operator==(const BlobRecord&, const BlobRecord&) = default;
};

struct Manifest {
  ArtefactKey key;
  std::vector<BlobRecord> blobs;
  std::string compatibility_json = "{}";  // canonical
  int64_t created_unix_s = 0;

  uint64_t size_bytes() const noexcept;
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// INVALID_ARGUMENT when a text is not UTF-8, the compatibility record is no JSON object, or a bound is passed.
Result<std::string> manifest_to_text(const Manifest& manifest);
// DATA_LOSS or INVALID_ARGUMENT for anything that manifest_to_text did not write.
Result<Manifest> parse_manifest(std::string_view text);
// The inverse of ArtefactKey::to_json, of an object that was parsed. INVALID_ARGUMENT.
Result<ArtefactKey> artefact_key_from_json(const Json& json);

}  // namespace axle
