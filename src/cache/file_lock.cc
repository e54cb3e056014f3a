#include "cache/file_lock.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "base/errno_status.h"
#include "cache/disk.h"

namespace axle {
namespace {

using std::chrono::steady_clock;

constexpr auto kFirstPause = std::chrono::microseconds(200);
constexpr auto kLongestPause = std::chrono::milliseconds(20);

}  // namespace

bool is_removed(int fd) noexcept {
  struct stat status{};
  return ::fstat(fd, &status) != 0 || status.st_nlink == 0;
}

Result<bool> try_lock_fd(int fd, LockMode mode, const std::string& path_for_messages) {
  const int operation = (mode == LockMode::kShared ? LOCK_SH : LOCK_EX) | LOCK_NB;
  while (::flock(fd, operation) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) return false;
    if (errno == ENOLCK || errno == EOPNOTSUPP || errno == ENOSYS) {
      return unimplemented_error(fmt::format("the file system of {} has no file locks", path_for_messages))
          .with_hint("set AXLE_CACHE_DIR to a folder on a local disk");
    }
    return errno_status(errno, fmt::format("cannot lock {}", path_for_messages));
  }
  return true;
}

Result<std::optional<FileLock>> FileLock::try_acquire(const std::string& path, LockMode mode, bool create) {
  for (;;) {
    UniqueFd file;
    if (create) {
      AXLE_ASSIGN_OR_RETURN(file, open_or_create_file(path));
    } else {
      file.reset(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
      if (!file && errno == ENOENT) return std::optional<FileLock>();
      if (!file) return errno_status(errno, fmt::format("cannot open {}", path));
    }
    AXLE_ASSIGN_OR_RETURN(const bool locked, try_lock_fd(file.get(), mode, path));
    if (!locked) return std::optional<FileLock>();
    // The holder before may have removed the file while this one was opening it: then it locks nothing.
    if (!is_removed(file.get())) return std::optional<FileLock>(FileLock(std::move(file), path));
  }
}

Result<FileLock> FileLock::acquire(const std::string& path, LockMode mode, const CancelToken& cancel,
                                   const std::function<void(int64_t)>& waiting) {
  const auto start = steady_clock::now();
  steady_clock::duration pause = kFirstPause;
  for (;;) {
    AXLE_RETURN_IF_ERROR(cancel.check());
    AXLE_ASSIGN_OR_RETURN(std::optional<FileLock> lock, try_acquire(path, mode));
    if (lock) return std::move(*lock);
    if (waiting) waiting(std::chrono::nanoseconds(steady_clock::now() - start).count());
    std::this_thread::sleep_for(pause);
    pause = std::min<steady_clock::duration>(pause * 2, kLongestPause);
  }
}

FileLock::FileLock(UniqueFd file, std::string path) noexcept
    : file_(std::move(file)), path_(std::move(path)), owner_(::getpid()) {}

FileLock& FileLock::operator=(FileLock&& other) noexcept {
  if (this == &other) return *this;
  release();
  file_ = std::move(other.file_);
  path_ = std::move(other.path_);
  owner_ = other.owner_;
  return *this;
}

FileLock::~FileLock() { release(); }

bool FileLock::is_own() const noexcept { return file_ && owner_ == ::getpid(); }

// Closing is not enough: a child that another thread has forked meanwhile holds the same lock open until it becomes a program or ends.
void FileLock::release() noexcept {
  if (is_own()) ::flock(file_.get(), LOCK_UN);
  file_.reset();
}

void FileLock::remove_and_release() noexcept {
  if (is_own()) (void)remove_file(path_);
  release();
}

}  // namespace axle
