#include "base/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <new>

#include "base/errno_status.h"

namespace axle {

Result<std::string> read_file(const std::string& path, size_t max_bytes) {
  const auto failed = [&](int error) { return errno_status(error, fmt::format("cannot read {}", path)); };
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return failed(errno);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failed(errno);
  std::string content;
  // A hint, no more: files of sysfs claim a page and hold a word.
  const auto claimed = static_cast<size_t>(S_ISREG(status.st_mode) && status.st_size > 0 ? status.st_size : 0);
  const size_t expected = std::min(claimed, max_bytes);
  size_t used = 0;
  try {
    for (;;) {
      if (used > max_bytes) {
        return resource_exhausted_error(fmt::format("{} is larger than the limit of {} bytes", path, max_bytes));
      }
      if (used == content.size()) content.resize(used == 0 ? std::max<size_t>(expected + 1, 4096) : used * 2);
      const ssize_t got = ::read(file.get(), content.data() + used, content.size() - used);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return failed(errno);
      if (got == 0) break;
      used += static_cast<size_t>(got);
    }
  } catch (const std::bad_alloc&) {
    return resource_exhausted_error(fmt::format("no memory to read {}", path));
  }
  content.resize(used);
  return content;
}

Result<MappedFile> MappedFile::open(const std::string& path, uint64_t max_bytes) {
  MappedFile mapped;
  mapped.path_ = path;
  mapped.file_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!mapped.file_) return errno_status(errno, fmt::format("cannot read {}", path));
  AXLE_ASSIGN_OR_RETURN(mapped.stamp_, FileStamp::of_fd(mapped.file_.get(), path));
  const auto size = static_cast<uint64_t>(mapped.stamp_.size_bytes);
  if (size > max_bytes) {
    return resource_exhausted_error(fmt::format("{} has {} bytes, the limit is {}", path, size, max_bytes));
  }
  if (size == 0) return mapped;
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, mapped.file_.get(), 0);
  if (data == MAP_FAILED) return errno_status(errno, fmt::format("cannot map {}", path));
  mapped.data_ = static_cast<const std::byte*>(data);
  mapped.size_ = size;
  return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept { *this = std::move(other); }

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  if (this == &other) return *this;
  unmap();
  path_ = std::move(other.path_);
  file_ = std::move(other.file_);
  stamp_ = other.stamp_;
  data_ = std::exchange(other.data_, nullptr);
  size_ = std::exchange(other.size_, 0);
  return *this;
}

MappedFile::~MappedFile() { unmap(); }

void MappedFile::unmap() noexcept {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
  data_ = nullptr;
}

Status MappedFile::check_unchanged() const {
  AXLE_ASSIGN_OR_RETURN(const FileStamp now, FileStamp::of_fd(file_.get(), path_));
  // ctime also moves when the file is linked, unlinked or renamed; its content is then still the same.
  if (now.size_bytes == stamp_.size_bytes && now.mtime_ns == stamp_.mtime_ns) return ok_status();
  return data_loss_error(fmt::format("{} was changed while it was in use", path_))
      .with_hint("replace files by renaming a new one over them, not by writing into them");
}

}  // namespace axle
