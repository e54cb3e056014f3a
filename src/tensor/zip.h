// The part of the ZIP format (PKWARE APPNOTE 6.3) that .npz files use: stored and deflated members, ZIP64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "axle/status.h"
#include "base/file.h"
#include "tensor/npy.h"

namespace axle {

struct ZipMember {
  std::string name;
  bool deflated = false;
  uint32_t crc = 0;
  uint64_t size_bytes = 0;                // unpacked
  std::span<const std::byte> compressed;  // within the archive
};

struct ZipLimits {
  size_t max_members = 4096;
  uint64_t max_total_bytes = kMaxArrayFileBytes;  // of all members, unpacked
};

// Members in the order of the central directory. Refused: encryption, several disks, other methods, overlapping members,
// duplicate names, sizes that deflate cannot reach (so what is claimed is at most 1,032 times what is there).
// INVALID_ARGUMENT, DATA_LOSS (truncated), RESOURCE_EXHAUSTED (limits), UNIMPLEMENTED.
Result<std::vector<ZipMember>> list_zip(std::span<const std::byte> archive, const ZipLimits& limits = {});
// The member's bytes in fresh memory. DATA_LOSS when they do not match their size or checksum.
Result<SharedBytes> read_zip_member(const ZipMember& member);

// Writes stored members one after the other; times are fixed, so that equal content gives equal bytes.
class ZipWriter {
 public:
  // `file` must outlive the writer.
  explicit ZipWriter(AtomicFile& file) : file_(file) {}
  // The member's bytes are the pieces in order. INVALID_ARGUMENT for a name that is empty, too long or not UTF-8.
  Status add(const std::string& name, std::span<const std::span<const std::byte>> pieces);
  // The central directory; nothing may follow.
  Status finish();

 private:
  Status write(std::string_view text);
  AtomicFile& file_;
  uint64_t offset_ = 0;
  uint64_t count_ = 0;
  std::string directory_;
};

}  // namespace axle
