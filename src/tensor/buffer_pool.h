// BufferPool: aligned host buffers used again instead of being asked from the system each time. Thread-safe.
// A buffer may outlive the pool: it is then freed instead of kept.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "axle/tensor.h"

namespace axle {

class BufferPool {
 public:
  struct Options {
    size_t max_cached_bytes = size_t{256} << 20;  // idle buffers beyond this are freed
    size_t max_bytes_in_use = SIZE_MAX;           // more is RESOURCE_EXHAUSTED
  };
  struct Statistics {
    int64_t allocations = 0;  // buffers asked from the system
    int64_t hits = 0;         // requests served by an idle buffer
    size_t bytes_in_use = 0;
    size_t peak_bytes_in_use = 0;
    size_t bytes_cached = 0;  // idle
  };
  static constexpr size_t kAlignmentBytes = 64;

  BufferPool();
  explicit BufferPool(const Options& options);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;
  ~BufferPool();

  // At least `size_bytes`, aligned to 64; what it holds is undefined. Comes back with the last copy of the pointer.
  Result<std::shared_ptr<void>> acquire(size_t size_bytes);
  // A tensor in such a buffer. INVALID_ARGUMENT for strings.
  Result<Tensor> acquire_tensor(DataType dtype, Shape shape);
  // Frees the idle buffers.
  void trim();
  Statistics statistics() const;

 private:
  class State;
  std::shared_ptr<State> state_;
};

// The size that a request for `size_bytes` takes: four classes per power of two, at most a quarter too large; 0 = overflow.
size_t pool_size_class(size_t size_bytes) noexcept;

}  // namespace axle
