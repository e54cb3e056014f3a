#include "base/shared_blocks.h"

#include <map>
#include <mutex>

namespace axle {
namespace {

struct Blocks {
  std::mutex mutex;
  std::map<const std::byte*, std::weak_ptr<SharedMemory>> by_address;
};

Blocks& blocks() {
  static Blocks* const all = new Blocks;  // tensors may outlive static destructors
  return *all;
}

void forget(SharedMemory* memory) {
  {
    const std::lock_guard lock(blocks().mutex);
    blocks().by_address.erase(memory->data());
  }
  delete memory;
}

}  // namespace

Result<std::shared_ptr<SharedMemory>> allocate_shared_block(size_t size_bytes) {
  AXLE_ASSIGN_OR_RETURN(SharedMemory memory, SharedMemory::create("axle-tensor", size_bytes));
  std::shared_ptr<SharedMemory> block(new SharedMemory(std::move(memory)), forget);
  const std::lock_guard lock(blocks().mutex);
  blocks().by_address[block->data()] = block;
  return block;
}

std::optional<SharedPlace> find_shared_block(const void* data, size_t size_bytes) {
  const auto* at = static_cast<const std::byte*>(data);
  std::shared_ptr<SharedMemory> block;  // let go of after the lock
  const std::lock_guard lock(blocks().mutex);
  const auto after = blocks().by_address.upper_bound(at);
  if (after == blocks().by_address.begin()) return std::nullopt;
  block = std::prev(after)->second.lock();
  if (block == nullptr) return std::nullopt;
  const auto offset = static_cast<size_t>(at - block->data());
  if (offset > block->size_bytes() || size_bytes > block->size_bytes() - offset) return std::nullopt;
  return SharedPlace{block, offset};
}

}  // namespace axle
