#include "cache/archive.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "base/json.h"
#include "cache/sealed.h"

namespace axle {
namespace {

constexpr std::string_view kIndexKind = "axle-cache-index 1";
constexpr size_t kMostLengthDigits = 9;

std::string key_hex(const Manifest& manifest) { return sha256_of(manifest.key.to_json()).hex(); }

Status not_ours(const std::string& why) { return data_loss_error("this is no sound cache archive: " + why); }

// "AXLE-CACHE-ARCHIVE 1\nLENGTH\n": the bytes before the index, and the index.
Result<std::string_view> take_index(std::string_view& rest) {
  if (!rest.starts_with(kArchiveKind) || rest.size() <= kArchiveKind.size() || rest[kArchiveKind.size()] != '\n')
    return not_ours(fmt::format("it does not begin with \"{}\"", kArchiveKind));
  rest.remove_prefix(kArchiveKind.size() + 1);
  const size_t end = rest.substr(0, kMostLengthDigits + 1).find('\n');
  if (end == std::string_view::npos || end == 0) return not_ours("its index has no length");
  size_t length = 0;
  const auto read = std::from_chars(rest.data(), rest.data() + end, length);
  if (read.ec != std::errc() || read.ptr != rest.data() + end || rest.front() == '0')
    return not_ours("its index has no length");
  rest.remove_prefix(end + 1);
  if (length > kMaxArchiveIndexBytes || length > rest.size()) return not_ours("its index is cut off, or too large");
  const std::string_view index = rest.substr(0, length);
  rest.remove_prefix(length);
  return unseal(kIndexKind, index);
}

Result<std::vector<Manifest>> read_entries(const Json& list) {
  if (list.empty() || list.size() > kMaxArchiveEntries)
    return not_ours(fmt::format("it holds {} entries; 1 to {} are allowed", list.size(), kMaxArchiveEntries));
  std::vector<Manifest> entries;
  for (const Json& text : list) {
    if (!text.is_string()) return not_ours("an entry is no text");
    AXLE_ASSIGN_OR_RETURN(Manifest manifest, parse_manifest(text.get_ref<const std::string&>()));
    if (!entries.empty() && key_hex(entries.back()) >= key_hex(manifest)) return not_ours("its entries are not in order");
    entries.push_back(std::move(manifest));
  }
  return entries;
}

}  // namespace

uint64_t Archive::blob_bytes() const noexcept {
  uint64_t total = 0;
  for (const ArchiveBlob& blob : blobs) total += blob.size_bytes;
  return total;
}

const ArchiveBlob* Archive::find(const Digest& digest) const noexcept {
  const std::string hex = digest.hex();
  const auto found = std::lower_bound(blobs.begin(), blobs.end(), hex, [](const ArchiveBlob& blob, const std::string& wanted) {
    return blob.digest.hex() < wanted;
  });
  return found == blobs.end() || found->digest != digest ? nullptr : &*found;
}

std::vector<BlobRecord> blobs_of(const std::vector<Manifest>& entries) {
  std::map<std::string, BlobRecord> by_digest;
  for (const Manifest& entry : entries) {
    for (const BlobRecord& blob : entry.blobs) by_digest.try_emplace(blob.digest.hex(), blob);
  }
  std::vector<BlobRecord> blobs;
  for (auto& [hex, blob] : by_digest) blobs.push_back(std::move(blob));
  return blobs;
}

Result<std::string> archive_head(const std::vector<Manifest>& entries) {
  if (entries.empty()) return invalid_argument_error("there is no entry to export");
  if (entries.size() > kMaxArchiveEntries)
    return invalid_argument_error(
        fmt::format("{} entries are too many for one archive; {} fit", entries.size(), kMaxArchiveEntries));
  std::map<std::string, std::string> texts;
  for (const Manifest& entry : entries) {
    AXLE_ASSIGN_OR_RETURN(texts[key_hex(entry)], manifest_to_text(entry));
  }
  Json list = Json::array();
  for (auto& [hex, text] : texts) list.push_back(std::move(text));
  AXLE_ASSIGN_OR_RETURN(const std::string payload, canonical_json({{"entries", std::move(list)}}));
  const std::string index = seal(kIndexKind, payload);
  if (index.size() > kMaxArchiveIndexBytes)
    return invalid_argument_error("the entries' manifests are too large for one archive");
  return fmt::format("{}\n{}\n{}", kArchiveKind, index.size(), index);
}

Result<Archive> parse_archive(std::string_view bytes) {
  AXLE_ASSIGN_OR_RETURN(const std::string_view index, take_index(bytes));
  AXLE_ASSIGN_OR_RETURN(const Json json, parse_json(index, kMaxArchiveIndexBytes));
  JsonReader reader(json, "archive index");
  const Json& list = reader.array("entries");
  AXLE_RETURN_IF_ERROR(reader.finish());
  Archive archive;
  AXLE_ASSIGN_OR_RETURN(archive.entries, read_entries(list));
  for (const BlobRecord& blob : blobs_of(archive.entries)) {
    if (blob.size_bytes > bytes.size()) return not_ours("it is cut off");
    archive.blobs.push_back({blob.digest, blob.size_bytes, bytes.substr(0, blob.size_bytes)});
    bytes.remove_prefix(blob.size_bytes);
  }
  if (!bytes.empty()) return not_ours(fmt::format("{} bytes follow its end", bytes.size()));
  for (const Manifest& entry : archive.entries) {
    for (const BlobRecord& blob : entry.blobs) {
      if (archive.find(blob.digest)->size_bytes != blob.size_bytes) return not_ours("two entries give one blob two sizes");
    }
  }
  return archive;
}

}  // namespace axle
