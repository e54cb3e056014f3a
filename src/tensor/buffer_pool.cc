#include "tensor/buffer_pool.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <vector>

namespace axle {

size_t pool_size_class(size_t size_bytes) noexcept {
  constexpr size_t kSmallest = 256;
  if (size_bytes <= kSmallest) return kSmallest;
  const size_t step = std::bit_floor(size_bytes - 1) / 4;
  const size_t rest = size_bytes % step;
  if (rest == 0) return size_bytes;
  return size_bytes > SIZE_MAX - (step - rest) ? 0 : size_bytes + (step - rest);
}

// Shared by the pool and every buffer in use, so that a late buffer finds it.
class BufferPool::State {
 public:
  explicit State(const Options& options) : options_(options) {}
  ~State() { free_all(); }

  Result<void*> take(size_t size) {
    const std::lock_guard lock(mutex_);
    if (size > options_.max_bytes_in_use || statistics_.bytes_in_use > options_.max_bytes_in_use - size) {
      return resource_exhausted_error(fmt::format("{} more bytes exceed the buffer pool's limit of {} ({} in use)", size,
                                                  options_.max_bytes_in_use, statistics_.bytes_in_use));
    }
    void* data = nullptr;
    if (const auto it = idle_.find(size); it != idle_.end() && !it->second.empty()) {
      data = it->second.back();
      it->second.pop_back();
      statistics_.bytes_cached -= size;
      ++statistics_.hits;
    } else {
      data = std::aligned_alloc(kAlignmentBytes, size);
      if (data == nullptr) return resource_exhausted_error(fmt::format("no memory for a buffer of {} bytes", size));
      ++statistics_.allocations;
    }
    statistics_.bytes_in_use += size;
    statistics_.peak_bytes_in_use = std::max(statistics_.peak_bytes_in_use, statistics_.bytes_in_use);
    return data;
  }

  void give_back(void* data, size_t size) noexcept {
    const std::lock_guard lock(mutex_);
    statistics_.bytes_in_use -= size;
    const bool fits = size <= options_.max_cached_bytes && statistics_.bytes_cached <= options_.max_cached_bytes - size;
    if (!closed_ && fits) {
      try {
        idle_[size].push_back(data);
        statistics_.bytes_cached += size;
        return;
      } catch (const std::bad_alloc&) {  // then it is freed
      }
    }
    std::free(data);
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    free_all();
  }
  void trim() {
    const std::lock_guard lock(mutex_);
    free_all();
  }
  Statistics statistics() const {
    const std::lock_guard lock(mutex_);
    return statistics_;
  }

 private:
  void free_all() noexcept {
    for (auto& [size, buffers] : idle_) {
      for (void* data : buffers) std::free(data);
    }
    idle_.clear();
    statistics_.bytes_cached = 0;
  }

  const Options options_;
  mutable std::mutex mutex_;
  std::map<size_t, std::vector<void*>> idle_;  // by size class
  Statistics statistics_;
  bool closed_ = false;
};

BufferPool::BufferPool() : BufferPool(Options()) {}
BufferPool::BufferPool(const Options& options) : state_(std::make_shared<State>(options)) {}
BufferPool::~BufferPool() { state_->close(); }

Result<std::shared_ptr<void>> BufferPool::acquire(size_t size_bytes) {
  const size_t size = pool_size_class(size_bytes);
  if (size == 0) return resource_exhausted_error(fmt::format("no memory for a buffer of {} bytes", size_bytes));
  AXLE_ASSIGN_OR_RETURN(void* const data, state_->take(size));
  return std::shared_ptr<void>(data, [state = state_, size](void* bytes) { state->give_back(bytes, size); });
}

Result<Tensor> BufferPool::acquire_tensor(DataType dtype, Shape shape) {
  AXLE_ASSIGN_OR_RETURN(const size_t size, dense_size_bytes(dtype, shape));
  AXLE_ASSIGN_OR_RETURN(std::shared_ptr<void> buffer, acquire(size));
  void* data = buffer.get();
  return Tensor::borrow(dtype, std::move(shape), data, size, std::move(buffer));
}

void BufferPool::trim() { state_->trim(); }
BufferPool::Statistics BufferPool::statistics() const { return state_->statistics(); }

}  // namespace axle
