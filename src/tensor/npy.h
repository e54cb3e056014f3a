// NumPy's .npy format from and to memory (numpy/lib/format.py: versions 1, 2 and 3), and the same within limits from files.
// What numpy cannot name is stored as ml_dtypes does: bf16 as '<V2', 8-bit floats and packed types as '<V1' with one
// element per byte. Read back, V2 is bf16 and V1 is u8; raw_as() gives the type back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "axle/tensor.h"

namespace axle {

inline constexpr uint64_t kMaxArrayFileBytes = uint64_t{64} << 30;

// Bytes and whoever keeps them.
struct SharedBytes {
  std::span<const std::byte> bytes;
  std::shared_ptr<void> owner;
};
// Uninitialised, aligned to 64. RESOURCE_EXHAUSTED.
Result<SharedBytes> allocate_bytes(size_t size_bytes);
// A whole file in such memory. NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (no regular file), RESOURCE_EXHAUSTED.
Result<SharedBytes> read_file_bytes(const std::string& path, uint64_t max_bytes);

// The tensor in `file`, over its bytes where layout and alignment allow (always for files numpy wrote), else a copy;
// `file.owner` must own writable memory that nobody else uses. INVALID_ARGUMENT, DATA_LOSS (truncated), UNIMPLEMENTED
// (structured, object and other types a model cannot have), RESOURCE_EXHAUSTED. No memory is taken beyond a small
// multiple of the bytes that are there.
Result<Tensor> parse_npy(const SharedBytes& file);

// The two parts of an .npy file; the payload may be the tensor's own bytes.
struct NpyImage {
  std::string header;
  std::span<const std::byte> payload;
  Tensor keep;           // owns the payload, or
  std::string own_text;  // holds it (strings)
  size_t size_bytes() const noexcept { return header.size() + payload.size(); }
};
// INVALID_ARGUMENT for an undefined tensor and for strings that end in NUL (numpy would drop it); RESOURCE_EXHAUSTED
// for strings that pad to more than 4 GiB. Strings are written as '<U'; as '|S' when one is not UTF-8.
Result<std::unique_ptr<NpyImage>> encode_npy(const Tensor& tensor);

}  // namespace axle
