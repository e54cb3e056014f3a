// MemoryManager: tensors in pooled memory that a program uses again instead of asking the system, in the spaces of this machine's
// hardware. A process may have several. Thread-safe; tensors may outlive it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ai_vmm/types.hpp"

namespace ai_vmm {

// Memory that hardware computes in.
struct MemorySpace {
  std::string id;  // "host", or the hardware's id ("gpu:0")
  std::vector<std::string> hardware;  // ids of what computes in it
  uint64_t total_bytes = 0;  // 0 = not known
  bool host = true;  // tensors are made in it, and handed to its hardware without a copy
};

struct MemoryStatistics {
  int64_t allocations = 0;  // buffers asked from the system
  int64_t reuses = 0;  // tensors that a kept buffer served
  uint64_t bytes_in_use = 0;
  uint64_t peak_bytes_in_use = 0;
  uint64_t bytes_kept = 0;  // idle, for the next tensor
  int64_t prefetches = 0;
  uint64_t bytes_prefetched = 0;
};

struct MemoryOptions {
  uint64_t max_bytes_kept = uint64_t{256} << 20;  // idle buffers beyond this go back to the system
  uint64_t max_bytes_in_use = UINT64_MAX;  // more is RuntimeError (axle::StatusCode::kResourceExhausted)
};

class AXLE_API MemoryManager {
 public:
  explicit MemoryManager(MemoryOptions options = {});
  ~MemoryManager();
  MemoryManager(const MemoryManager&) = delete;
  MemoryManager& operator=(const MemoryManager&) = delete;

  // A tensor of undefined content, aligned to 64 bytes. Its buffer comes back with the last copy of the tensor. `space` is "host" or
  // hardware that computes in host memory. RuntimeError: memory is over the limit or gone; a device's own memory, which only its
  // backend fills (kUnimplemented); an unknown space.
  Tensor allocate(std::vector<int64_t> shape, DataType dtype = DataType::kFloat32, const std::string& space = "host");
  // Brings the pages of a tensor into memory ahead of its use (a mapped file, swapped memory). Does not wait.
  void prefetch(const Tensor& tensor);
  // Gives idle buffers back to the system; how many bytes that was.
  uint64_t trim();
  MemoryStatistics statistics() const;

  struct State;

 private:
  std::shared_ptr<State> state_;
};

}  // namespace ai_vmm
