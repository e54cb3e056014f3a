#include "cache/disk.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>

#include "axle/cache.h"
#include "base/errno_status.h"
#include "base/file.h"
#include "base/write_signals.h"

namespace axle {
namespace {

constexpr std::string_view kSourceDetail = "source";
constexpr std::string_view kSourceCache = "cache";

std::atomic<DiskFault> g_fault{nullptr};

int fault(DiskStep step, const std::string& path, size_t bytes = 0) {
  const DiskFault injected = g_fault.load(std::memory_order_acquire);
  return injected ? injected(step, path, bytes) : 0;
}

}  // namespace

void set_disk_fault(DiskFault injected) noexcept { g_fault.store(injected, std::memory_order_release); }

Status make_private_folder(const std::string& path) {
  if (const int error = fault(DiskStep::kMakeFolder, path)) {
    return errno_status(error, fmt::format("cannot make the folder {}", path));
  }
  if (::mkdir(path.c_str(), 0700) == 0) return ok_status();
  return make_dirs(path, 0700);
}

Result<UniqueFd> create_file(const std::string& path) {
  int error = fault(DiskStep::kCreate, path);
  UniqueFd file(error ? -1 : ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!error && !file) error = errno;
  if (error) return errno_status(error, fmt::format("cannot create {}", path));
  return file;
}

Result<UniqueFd> open_or_create_file(const std::string& path, int extra_flags) {
  int error = fault(DiskStep::kCreate, path);
  UniqueFd file(error ? -1 : ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | extra_flags, 0600));
  if (!error && !file) error = errno;
  if (error) return errno_status(error, fmt::format("cannot open {}", path));
  return file;
}

Status write_all(int fd, std::string_view bytes, const std::string& path) {
  const WriteSignalsHeld held;
  const size_t total = bytes.size();
  while (!bytes.empty()) {
    int error = fault(DiskStep::kWrite, path, bytes.size());
    // An injected failure strikes in the middle, as a full disk does.
    const size_t size = error ? bytes.size() / 2 : bytes.size();
    const ssize_t written = ::write(fd, bytes.data(), size);
    if (!error && written < 0 && errno == EINTR) continue;
    if (!error && written < 0) error = errno;
    if (error) return errno_status(error, fmt::format("cannot write {} bytes to {}", total, path));
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return ok_status();
}

Status truncate_file(int fd, uint64_t size_bytes, const std::string& path) {
  int error = fault(DiskStep::kTruncate, path);
  if (!error && ::ftruncate(fd, static_cast<off_t>(size_bytes)) != 0) error = errno;
  if (error) return errno_status(error, fmt::format("cannot truncate {} to {} bytes", path, size_bytes));
  return ok_status();
}

Status sync_file(int fd, const std::string& path) {
  int error = fault(DiskStep::kSync, path);
  if (!error && ::fsync(fd) != 0) error = errno;
  if (error) return errno_status(error, fmt::format("cannot write {} to the disk", path));
  return ok_status();
}

Status sync_folder(const std::string& path) {
  int error = fault(DiskStep::kSync, path);
  const UniqueFd folder(error ? -1 : ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!error && !folder) error = errno;
  // Some file systems cannot sync a folder: then there is nothing to wait for.
  if (!error && ::fsync(folder.get()) != 0 && errno != EINVAL) error = errno;
  if (error) return errno_status(error, fmt::format("cannot write the folder {} to the disk", path));
  return ok_status();
}

Status rename_file(const std::string& from, const std::string& to) {
  int error = fault(DiskStep::kRename, to);
  if (!error && ::rename(from.c_str(), to.c_str()) != 0) error = errno;
  if (error) return errno_status(error, fmt::format("cannot move {} to {}", from, to));
  return ok_status();
}

Status remove_file(const std::string& path) {
  int error = fault(DiskStep::kRemove, path);
  if (!error && ::unlink(path.c_str()) != 0) error = errno;
  if (error && error != ENOENT) return errno_status(error, fmt::format("cannot remove {}", path));
  return ok_status();
}

Status cache_failure(Status status) {
  if (status.code() == StatusCode::kCancelled || status.code() == StatusCode::kDeadlineExceeded) return status;
  return std::move(status).with_detail(std::string(kSourceDetail), std::string(kSourceCache));
}

bool is_cache_failure(const Status& status) noexcept {
  const auto& details = status.details();
  return std::any_of(details.begin(), details.end(),
                     [](const auto& item) { return item.first == kSourceDetail && item.second == kSourceCache; });
}

}  // namespace axle
