// Archives as bytes, and as manifests behind right seals: what is accepted must be written back to itself, and no entry of it may
// lead out of the cache.
#include <cstdint>
#include <cstdlib>

#include "cache/archive.h"
#include "cache/sealed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  // The first byte says how much of the rest is the index; what follows are blobs.
  const size_t cut = input.empty() ? 0 : static_cast<size_t>(data[0]) * (input.size() - 1) / 255;
  const std::string index = axle::seal("axle-cache-index 1", input.empty() ? input : input.substr(1, cut));
  const std::string sealed = std::string(axle::kArchiveKind) + "\n" + std::to_string(index.size()) + "\n" + index +
                             std::string(input.empty() ? input : input.substr(1 + cut));
  for (const std::string& text : {std::string(input), sealed}) {
    const auto archive = axle::parse_archive(text);
    if (!archive.ok()) continue;
    const auto head = axle::archive_head(archive->entries);
    if (!head.ok()) std::abort();
    std::string again = *head;
    for (const axle::ArchiveBlob& blob : archive->blobs) again += blob.bytes;
    const auto reread = axle::parse_archive(again);
    if (!reread.ok() || reread->entries != archive->entries || reread->blob_bytes() != archive->blob_bytes()) std::abort();
  }
  return 0;
}
