#include <fcntl.h>
#include <fmt/core.h>
#include <pthread.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>

#include "base/check.h"
#include "base/errno_status.h"
#include "base/file.h"
#include "base/write_signals.h"

namespace axle {
namespace {

std::atomic<detail::FileFault> g_fault{nullptr};

int fault(detail::FileStep step, size_t bytes = 0) noexcept {
  const detail::FileFault injected = g_fault.load(std::memory_order_relaxed);
  return injected ? injected(step, bytes) : 0;
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string temporary_name(const std::string& path) {
  uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random) random = static_cast<uint64_t>(system_time_ns());
  const size_t slash = path.rfind('/');
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1, 180);
  return fmt::format("{}/.{}.{:016x}.tmp", folder_of(path), name, random);
}

int sync_folder(const std::string& folder) noexcept {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno;
  // Some file systems cannot sync a folder: then there is nothing to wait for.
  return ::fsync(fd.get()) == 0 || errno == EINVAL ? 0 : errno;
}

}  // namespace

namespace detail {
void set_file_fault(FileFault injected) noexcept { g_fault.store(injected); }
}  // namespace detail

Result<AtomicFile> AtomicFile::create(const std::string& path, uint32_t mode) {
  const auto failed = [&](int error) { return errno_status(error, fmt::format("cannot write {}", path)); };
  if (const int error = fault(detail::FileStep::kCreate)) return failed(error);
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    UniqueFd direct(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!direct) return failed(errno);
    return AtomicFile(path, "", std::move(direct));
  }
  for (int attempt = 0;; ++attempt) {
    std::string temporary = temporary_name(path);
    UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
    if (file) return AtomicFile(path, std::move(temporary), std::move(file));
    if (errno == ENOENT) return failed(ENOENT).with_hint("check the path: its folder must be there");
    if (errno != EEXIST || attempt == 3) return failed(errno);
  }
}

AtomicFile::AtomicFile(std::string path, std::string temporary, UniqueFd file) noexcept
    : path_(std::move(path)), temporary_(std::move(temporary)), file_(std::move(file)) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept { *this = std::move(other); }

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this == &other) return *this;
  discard();
  path_ = std::move(other.path_);
  temporary_ = std::exchange(other.temporary_, {});
  file_ = std::move(other.file_);
  return *this;
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::discard() noexcept {
  file_.reset();
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
  temporary_.clear();
}

Status AtomicFile::write(std::span<const std::byte> bytes) {
  AXLE_CHECK(file_, "AtomicFile written after commit()");
  const WriteSignalsHeld held;
  while (!bytes.empty()) {
    const int injected = fault(detail::FileStep::kWrite, bytes.size());
    const ssize_t written = injected ? -1 : ::write(file_.get(), bytes.data(), bytes.size());
    if (written < 0 && !injected && errno == EINTR) continue;
    if (written < 0) return errno_status(injected ? injected : errno, fmt::format("cannot write {}", path_));
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return ok_status();
}

Status AtomicFile::write(std::string_view text) { return write(std::as_bytes(std::span(text))); }

Status AtomicFile::commit() {
  AXLE_CHECK(file_, "AtomicFile committed twice");
  const auto failed = [&](int error) { return errno_status(error, fmt::format("cannot write {}", path_)); };
  if (temporary_.empty()) {
    file_.reset();
    return ok_status();
  }
  if (const int error = fault(detail::FileStep::kSync)) return failed(error);
  if (::fsync(file_.get()) != 0) return failed(errno);
  // A network file system may report a failed write only here.
  if (::close(file_.release()) != 0) return failed(errno);
  if (const int error = fault(detail::FileStep::kRename)) return failed(error);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return failed(errno);
  temporary_.clear();
  if (const int error = sync_folder(folder_of(path_))) return failed(error);
  return ok_status();
}

Status write_file_atomic(const std::string& path, std::string_view content, uint32_t mode) {
  AXLE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::create(path, mode));
  AXLE_RETURN_IF_ERROR(file.write(content));
  return file.commit();
}

}  // namespace axle
