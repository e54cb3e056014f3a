#include "base/file_stamp.h"

#include <fmt/core.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "base/errno_status.h"
#include "base/text.h"

namespace axle {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kSettledNs = 2 * kNsPerSecond;

int64_t to_ns(const timespec& time) noexcept { return int64_t{time.tv_sec} * kNsPerSecond + time.tv_nsec; }

Result<FileStamp> from_stat(const struct stat& status, const std::string& path) {
  if (!S_ISREG(status.st_mode)) return invalid_argument_error(fmt::format("{} is not a regular file", path));
  return FileStamp{status.st_dev, status.st_ino, status.st_size, to_ns(status.st_mtim), to_ns(status.st_ctim)};
}

bool only_owner_writes(const struct stat& status) noexcept {
  return (status.st_mode & (S_IWGRP | S_IWOTH)) == 0 && (status.st_uid == ::geteuid() || status.st_uid == 0);
}

}  // namespace

Result<FileStamp> FileStamp::of_path(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return errno_status(errno, path);
  return from_stat(status, path);
}

Result<FileStamp> FileStamp::of_fd(int fd, const std::string& path_for_messages) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return errno_status(errno, path_for_messages);
  return from_stat(status, path_for_messages);
}

std::string FileStamp::to_string() const {
  return fmt::format("{}:{}:{}:{}:{}", device, inode, size_bytes, mtime_ns, ctime_ns);
}

Result<FileStamp> FileStamp::parse(std::string_view text) {
  const std::vector<std::string_view> pieces = split(text, ':');
  const Status refusal = invalid_argument_error(fmt::format("\"{}\" is not a file stamp", printable(text, 120)));
  if (pieces.size() != 5) return refusal;
  const auto read = [](std::string_view piece, auto& number) {
    const auto end = std::from_chars(piece.data(), piece.data() + piece.size(), number);
    return end.ec == std::errc() && end.ptr == piece.data() + piece.size();
  };
  FileStamp stamp;
  const bool complete = read(pieces[0], stamp.device) && read(pieces[1], stamp.inode) && read(pieces[2], stamp.size_bytes) &&
                        read(pieces[3], stamp.mtime_ns) && read(pieces[4], stamp.ctime_ns);
  if (!complete) return refusal;
  return stamp;
}

bool FileStamp::trustworthy(const std::string& path, int64_t now_ns) const {
  if (mtime_ns > now_ns - kSettledNs || ctime_ns > now_ns - kSettledNs) return false;
  // The folder that counts is the one that holds the file itself, not a link to it.
  std::error_code error;
  const std::filesystem::path real = std::filesystem::canonical(path, error);
  if (error) return false;
  struct stat file{}, folder{};
  if (::stat(real.c_str(), &file) != 0 || ::stat(real.parent_path().c_str(), &folder) != 0) return false;
  const auto current = from_stat(file, path);
  return current.ok() && *current == *this && only_owner_writes(file) && only_owner_writes(folder);
}

int64_t system_time_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return to_ns(now);
}

}  // namespace axle
