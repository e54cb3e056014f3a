// Every change the store makes to the disk goes through these few functions: each names the file (and the bytes) when it
// fails, none raises a signal, and a test can make each one fail or die.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "axle/status.h"
#include "base/unique_fd.h"

namespace axle {

enum class DiskStep : uint8_t { kMakeFolder, kCreate, kWrite, kSync, kRename, kRemove, kTruncate };

// Asked before each step; an errno value makes it fail. nullptr = none.
using DiskFault = int (*)(DiskStep step, const std::string& path, size_t bytes);
void set_disk_fault(DiskFault fault) noexcept;

// Mode 0700; OK when it exists. Parents too.
Status make_private_folder(const std::string& path);
// A new file of mode 0600, open for reading and writing. ALREADY_EXISTS.
Result<UniqueFd> create_file(const std::string& path);
// Opens for reading and writing, and makes the file if needed.
Result<UniqueFd> open_or_create_file(const std::string& path, int extra_flags = 0);
// Appends at the file's position. RESOURCE_EXHAUSTED names the file and the bytes.
Status write_all(int fd, std::string_view bytes, const std::string& path);
Status truncate_file(int fd, uint64_t size_bytes, const std::string& path);
Status sync_file(int fd, const std::string& path);
Status sync_folder(const std::string& path);
Status rename_file(const std::string& from, const std::string& to);
// OK when it is absent.
Status remove_file(const std::string& path);

// Marks a failure as the cache's own (see is_cache_failure), unless the caller cancelled.
Status cache_failure(Status status);

}  // namespace axle
