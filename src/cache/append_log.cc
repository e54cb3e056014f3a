#include "cache/append_log.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/errno_status.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "cache/disk.h"

namespace axle {
namespace {

constexpr size_t kChecksumDigits = 16;

Result<uint64_t> size_of(int fd, const std::string& path) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) return errno_status(errno, path);
  return static_cast<uint64_t>(status.st_size);
}

// Where the last finished line ends, looking back from `end`.
Result<uint64_t> end_of_last_line(int fd, uint64_t end, const std::string& path) {
  char piece[4096];
  while (end > 0) {
    const uint64_t begin = end > sizeof piece ? end - sizeof piece : 0;
    const ssize_t got = ::pread(fd, piece, end - begin, static_cast<off_t>(begin));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_status(errno, fmt::format("cannot read {}", path));
    const std::string_view text(piece, static_cast<size_t>(got));
    if (const size_t line_end = text.rfind('\n'); line_end != std::string_view::npos) return begin + line_end + 1;
    end = begin;
  }
  return uint64_t{0};
}

}  // namespace

AppendLog::AppendLog(std::string path, std::string kind, uint64_t max_bytes)
    : path_(std::move(path)), kind_(std::move(kind)), max_bytes_(max_bytes) {}

std::string AppendLog::line(std::string_view payload) const {
  const std::string checksum = Sha256().update_field(kind_).update(payload).finish().hex().substr(0, kChecksumDigits);
  return fmt::format("{} {}\n", checksum, payload);
}

Status AppendLog::append(const std::vector<std::string>& payloads, const CancelToken& cancel) const {
  std::string lines;
  for (const std::string& payload : payloads) {
    if (payload.empty() || payload.size() > kMaxRecordBytes || payload.find('\n') != std::string::npos) {
      return invalid_argument_error(
          fmt::format("a record for {} is empty, has several lines, or more than {} bytes", path_, kMaxRecordBytes));
    }
    lines += line(payload);
  }
  if (lines.empty()) return ok_status();
  AXLE_ASSIGN_OR_RETURN(const FileLock lock, FileLock::acquire(path_, LockMode::kExclusive, cancel));
  AXLE_ASSIGN_OR_RETURN(const uint64_t size, size_of(lock.fd(), path_));
  AXLE_ASSIGN_OR_RETURN(const uint64_t end, end_of_last_line(lock.fd(), size, path_));
  if (end + lines.size() > max_bytes_) {
    return resource_exhausted_error(
        fmt::format("{} would pass its limit of {}", path_, format_size_bytes(static_cast<int64_t>(max_bytes_))));
  }
  // What a writer that died left unfinished.
  if (end != size) AXLE_RETURN_IF_ERROR(truncate_file(lock.fd(), end, path_));
  if (::lseek(lock.fd(), static_cast<off_t>(end), SEEK_SET) < 0) return errno_status(errno, path_);
  Status written = write_all(lock.fd(), lines, path_);
  if (!written.ok()) (void)::ftruncate(lock.fd(), static_cast<off_t>(end));
  return written;
}

LogScan AppendLog::scan(std::string_view content, const std::function<void(std::string_view)>& visit,
                        const std::function<bool(std::string_view)>& want) const {
  LogScan result;
  result.bytes = content.size();
  while (!content.empty()) {
    const size_t end = content.find('\n');
    if (end == std::string_view::npos) {
      result.unfinished = true;
      break;
    }
    const std::string_view text = content.substr(0, end);
    content.remove_prefix(end + 1);
    if (text.size() < kChecksumDigits + 2 || text[kChecksumDigits] != ' ') {
      ++result.bad;
      continue;
    }
    const std::string_view payload = text.substr(kChecksumDigits + 1);
    if (want && !want(payload)) continue;
    if (line(payload) != std::string(text) + '\n') {
      ++result.bad;
      continue;
    }
    ++result.records;
    visit(payload);
  }
  return result;
}

Result<LogScan> AppendLog::read(const std::function<void(std::string_view)>& visit,
                                const std::function<bool(std::string_view)>& want) const {
  auto content = read_file(path_, max_bytes_ + kMaxRecordBytes);
  if (!content.ok() && content.error().code() == StatusCode::kNotFound) return LogScan{};
  if (!content.ok()) return std::move(content).error();
  return scan(*content, visit, want);
}

Result<uint64_t> AppendLog::count_bad() const {
  const auto held = FileLock::try_acquire(path_, LockMode::kShared, false);
  const bool alone = held.ok() && held->has_value();
  AXLE_ASSIGN_OR_RETURN(const LogScan scanned, read([](std::string_view) {}));
  return scanned.bad + (scanned.unfinished && alone ? 1 : 0);
}

Status AppendLog::rewrite(const std::function<std::vector<std::string>(std::vector<std::string>)>& edit,
                          const CancelToken& cancel) const {
  AXLE_ASSIGN_OR_RETURN(const FileLock lock, FileLock::acquire(path_, LockMode::kExclusive, cancel));
  std::vector<std::string> payloads;
  AXLE_RETURN_IF_ERROR(read([&](std::string_view payload) { payloads.emplace_back(payload); }));
  payloads = edit(std::move(payloads));
  if (payloads.empty()) return remove_file(path_);
  std::string lines;
  for (const std::string& payload : payloads) lines += line(payload);
  // Appenders that wait on the old file's lock notice that it has been removed, and go to the new one.
  const std::string fresh = path_ + ".new";
  AXLE_RETURN_IF_ERROR(remove_file(fresh));
  AXLE_ASSIGN_OR_RETURN(const UniqueFd file, create_file(fresh));
  Status done = write_all(file.get(), lines, fresh);
  if (done.ok()) done = sync_file(file.get(), fresh);
  if (done.ok()) done = rename_file(fresh, path_);
  if (!done.ok()) (void)::unlink(fresh.c_str());
  return done;
}

uint64_t AppendLog::size_bytes() const noexcept {
  struct stat status{};
  return ::stat(path_.c_str(), &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

}  // namespace axle
