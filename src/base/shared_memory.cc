#include "base/shared_memory.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/checked.h"
#include "base/errno_status.h"
#include "base/write_signals.h"

namespace axle {
namespace {

constexpr int kSizeSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

}  // namespace

Result<SharedMemory> SharedMemory::create(const std::string& name, size_t size_bytes) {
  const auto failed = [&](int error) { return errno_status(error, fmt::format("cannot share {} bytes", size_bytes)); };
  const auto length = checked_narrow<off_t>(size_bytes);
  if (size_bytes == 0 || !length) return invalid_argument_error(fmt::format("cannot share {} bytes", size_bytes));
  UniqueFd fd(::memfd_create(name.substr(0, 200).c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  const WriteSignalsHeld held;
  if (!fd || ::ftruncate(fd.get(), *length) != 0) return failed(errno);
  if (::fcntl(fd.get(), F_ADD_SEALS, kSizeSeals) != 0) return failed(errno);
  return map(std::move(fd), size_bytes, true);
}

Result<SharedMemory> SharedMemory::adopt(UniqueFd fd, size_t size_bytes, bool writable) {
  struct stat status{};
  if (size_bytes == 0 || ::fstat(fd.get(), &status) != 0) {
    return invalid_argument_error(fmt::format("descriptor {} is not {} bytes of shared memory", fd.get(), size_bytes));
  }
  const int seals = ::fcntl(fd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & F_SEAL_SHRINK) == 0) {
    return invalid_argument_error("the passed shared memory is not sealed: it could be truncated while in use");
  }
  if (static_cast<uint64_t>(status.st_size) < size_bytes) {
    return invalid_argument_error(
        fmt::format("the passed shared memory has {} bytes, {} are needed", status.st_size, size_bytes));
  }
  return map(std::move(fd), size_bytes, writable);
}

Result<SharedMemory> SharedMemory::adopt_file(UniqueFd fd, size_t size_bytes) {
  struct stat status{};
  if (size_bytes == 0 || ::fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      static_cast<uint64_t>(status.st_size) < size_bytes) {
    return invalid_argument_error(fmt::format("descriptor {} is not a file of {} bytes", fd.get(), size_bytes));
  }
  return map(std::move(fd), size_bytes, false);
}

Result<SharedMemory> SharedMemory::map(UniqueFd fd, size_t size_bytes, bool writable) {
  void* data = ::mmap(nullptr, size_bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, fd.get(), 0);
  if (data == MAP_FAILED) return errno_status(errno, fmt::format("cannot map {} bytes of shared memory", size_bytes));
  SharedMemory memory;
  memory.fd_ = std::move(fd);
  memory.data_ = static_cast<std::byte*>(data);
  memory.size_bytes_ = size_bytes;
  memory.writable_ = writable;
  return memory;
}

SharedMemory::SharedMemory(SharedMemory&& other) noexcept { *this = std::move(other); }

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  if (this == &other) return *this;
  unmap();
  fd_ = std::move(other.fd_);
  data_ = std::exchange(other.data_, nullptr);
  size_bytes_ = std::exchange(other.size_bytes_, 0);
  writable_ = other.writable_;
  return *this;
}

SharedMemory::~SharedMemory() { unmap(); }

void SharedMemory::unmap() noexcept {
  if (data_ != nullptr) ::munmap(data_, size_bytes_);
  data_ = nullptr;
}

}  // namespace axle
