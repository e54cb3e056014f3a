// SharedMemory: anonymous memory that can be handed to another process by file descriptor. Its size is sealed, so neither
// side can truncate it under the other (which would be a SIGBUS). Move-only; the mapping lives as long as the object.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "axle/status.h"
#include "base/unique_fd.h"

namespace axle {

class SharedMemory {
 public:
  // Zero-filled, writable. `name` is for /proc only. INVALID_ARGUMENT for size 0, RESOURCE_EXHAUSTED.
  static Result<SharedMemory> create(const std::string& name, size_t size_bytes);
  // What another process passed. Takes `fd`. INVALID_ARGUMENT when its size is not sealed or is less than `size_bytes`.
  static Result<SharedMemory> adopt(UniqueFd fd, size_t size_bytes, bool writable);
  // The first bytes of a file that another process passed, to be read only: nobody can seal a file, so one that is truncated is a
  // SIGBUS here. Takes `fd`. INVALID_ARGUMENT when it is not a regular file of at least `size_bytes`.
  static Result<SharedMemory> adopt_file(UniqueFd fd, size_t size_bytes);
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  ~SharedMemory();

  std::byte* data() noexcept { return writable_ ? data_ : nullptr; }
  const std::byte* data() const noexcept { return data_; }
  size_t size_bytes() const noexcept { return size_bytes_; }
  std::span<const std::byte> bytes() const noexcept { return {data_, size_bytes_}; }
  // To pass on; stays owned here. -1 after close_fd().
  int fd() const noexcept { return fd_.get(); }
  // Only the mapping is kept: for memory that is not passed on.
  void close_fd() noexcept { fd_.reset(); }

 private:
  SharedMemory() noexcept = default;
  static Result<SharedMemory> map(UniqueFd fd, size_t size_bytes, bool writable);
  void unmap() noexcept;
  UniqueFd fd_;
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
  bool writable_ = false;
};

}  // namespace axle
