// FileStamp: what the file system says about a file. A stamp that is old enough, in a folder only its owner can change,
// stands for the file's digest, so that a warm start need not read the file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "axle/status.h"

namespace axle {

struct FileStamp {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t size_bytes = 0;
  int64_t mtime_ns = 0;
  int64_t ctime_ns = 0;

  // NOT_FOUND, PERMISSION_DENIED; INVALID_ARGUMENT when it is not a regular file. Follows links.
  static Result<FileStamp> of_path(const std::string& path);
  static Result<FileStamp> of_fd(int fd, const std::string& path_for_messages);

  // "device:inode:size:mtime_ns:ctime_ns", for keys.
  std::string to_string() const;
  // Inverse of to_string; INVALID_ARGUMENT.
  static Result<FileStamp> parse(std::string_view text);

  // May `stamp` of `path` stand for its content at `now_ns` (system clock)? Both times more than 2 s past (a change within
  // the clock's grain would not show), the file not writable by others than its owner, and its folder owned by this user
  // or root and writable by nobody else.
  bool trustworthy(const std::string& path, int64_t now_ns) const;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// Now on the clock that file times use.
int64_t system_time_ns() noexcept;

}  // namespace axle
