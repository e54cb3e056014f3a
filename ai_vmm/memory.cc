#include "ai_vmm/memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "axle/device.h"

namespace ai_vmm {
namespace {

constexpr size_t kAlignmentBytes = 64;
constexpr size_t kSmallestBytes = 4096;

// Four sizes per power of two: at most a quarter is lost. 0 = too large.
size_t rounded(size_t bytes) {
  if (bytes > SIZE_MAX / 4) return 0;
  size_t power = kSmallestBytes;
  while (power < bytes) power *= 2;
  if (power == kSmallestBytes) return power;
  const size_t step = power / 8;
  return (bytes + step - 1) / step * step;
}

[[noreturn]] void fail(axle::Status status) { throw_error(std::move(status), ErrorCategory::RUNTIME); }

}  // namespace

struct MemoryManager::State {
  explicit State(MemoryOptions given) : options(given) {}
  ~State() {
    for (const auto& [size, buffer] : kept) std::free(buffer);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Null when the system has none.
  void* take(size_t size) {
    const std::lock_guard lock(mutex);
    if (size > options.max_bytes_in_use || counts.bytes_in_use > options.max_bytes_in_use - size) return nullptr;
    void* buffer = nullptr;
    if (const auto found = kept.find(size); found != kept.end()) {
      buffer = found->second;
      kept.erase(found);
      counts.bytes_kept -= size;
      ++counts.reuses;
    } else {
      buffer = std::aligned_alloc(kAlignmentBytes, size);
      if (buffer == nullptr) return nullptr;
      ++counts.allocations;
    }
    counts.bytes_in_use += size;
    counts.peak_bytes_in_use = std::max(counts.peak_bytes_in_use, counts.bytes_in_use);
    return buffer;
  }
  void give_back(void* buffer, size_t size) noexcept {
    const std::lock_guard lock(mutex);
    counts.bytes_in_use -= size;
    if (counts.bytes_kept + size <= options.max_bytes_kept) {
      try {
        kept.emplace(size, buffer);
        counts.bytes_kept += size;
        return;
      } catch (const std::bad_alloc&) {  // then it goes back to the system
      }
    }
    std::free(buffer);
  }

  const MemoryOptions options;
  mutable std::mutex mutex;
  std::multimap<size_t, void*> kept;
  MemoryStatistics counts;
};

MemoryManager::MemoryManager(MemoryOptions options) : state_(std::make_shared<State>(options)) {}
MemoryManager::~MemoryManager() = default;

Tensor MemoryManager::allocate(std::vector<int64_t> shape, DataType dtype, const std::string& space) {
  if (space != "host" && !space.starts_with("cpu")) {
    const bool device = axle::parse_selector(space).ok();
    if (!device)
      fail(axle::invalid_argument_error("'" + space + "' is no memory space").with_hint("\"host\", or a hardware id"));
    fail(axle::unimplemented_error("memory of " + space + " is filled by its backend only: tensors are made in host memory")
             .with_hint(
                 "allocate in \"host\"; what must be copied is copied when the model runs, and Model::memory() counts it"));
  }
  const int bits = axle::data_type_bits(dtype);
  int64_t count = 1;
  for (const int64_t size : shape) {
    if (size < 0 || (size > 0 && count > INT64_MAX / 64 / size))
      fail(axle::invalid_argument_error("a shape cannot be that large, or negative"));
    count *= size;
  }
  if (bits < 8) fail(axle::invalid_argument_error("a pool holds no tensors of " + std::string(axle::data_type_name(dtype))));
  const size_t bytes = static_cast<size_t>(count) * static_cast<size_t>(bits) / 8;
  const size_t size = rounded(bytes);
  void* const buffer = size == 0 ? nullptr : state_->take(size);
  if (buffer == nullptr) {
    fail(axle::resource_exhausted_error("no " + std::to_string(bytes) +
                                        " bytes for a tensor: " + std::to_string(statistics().bytes_in_use) + " are in use")
             .with_hint("let tensors go, or raise MemoryOptions::max_bytes_in_use"));
  }
  const std::shared_ptr<const void> owner(buffer, [state = state_, size](void* freed) { state->give_back(freed, size); });
  auto tensor = axle::Tensor::borrow(dtype, std::move(shape), buffer, bytes, owner);
  if (!tensor) fail(std::move(tensor).error());
  return Tensor(std::move(*tensor));
}

void MemoryManager::prefetch(const Tensor& tensor) {
  const void* data = tensor.to_axle().data();
  if (data == nullptr || tensor.size_bytes() == 0) return;
  const size_t into_page = reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  char* const first_page = const_cast<char*>(static_cast<const char*>(data)) - into_page;
  // Advice only: a kernel that takes none leaves the pages to their first use.
  const bool taken = ::madvise(first_page, into_page + tensor.size_bytes(), MADV_WILLNEED) == 0;
  const std::lock_guard lock(state_->mutex);
  ++state_->counts.prefetches;
  if (taken) state_->counts.bytes_prefetched += tensor.size_bytes();
}

uint64_t MemoryManager::trim() {
  const std::lock_guard lock(state_->mutex);
  for (const auto& [size, buffer] : state_->kept) std::free(buffer);
  state_->kept.clear();
  return std::exchange(state_->counts.bytes_kept, 0);
}

MemoryStatistics MemoryManager::statistics() const {
  const std::lock_guard lock(state_->mutex);
  return state_->counts;
}

}  // namespace ai_vmm
