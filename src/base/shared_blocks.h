// Shared blocks: memory of this process that can be handed to another one, found again by its address. What tensors in shared
// memory are made of. Thread-safe.
#pragma once

#include <memory>
#include <optional>

#include "base/shared_memory.h"

namespace axle {

// Zero-filled; found until the last owner lets go. RESOURCE_EXHAUSTED, INVALID_ARGUMENT for size 0.
Result<std::shared_ptr<SharedMemory>> allocate_shared_block(size_t size_bytes);

struct SharedPlace {
  std::shared_ptr<SharedMemory> block;
  size_t offset = 0;
};
// Where these bytes lie in a shared block; nullopt when they do not, or not wholly.
std::optional<SharedPlace> find_shared_block(const void* data, size_t size_bytes);

}  // namespace axle
