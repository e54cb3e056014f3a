#include "runtime/execution/request_order.h"

#include <chrono>

namespace axle {
namespace {

constexpr auto kCancelLook = std::chrono::milliseconds(5);

}  // namespace

uint64_t RequestOrder::enter() {
  const std::lock_guard lock(mutex_);
  here_.insert(here_.end(), next_);
  return next_++;
}

void RequestOrder::leave(uint64_t number) {
  {
    const std::lock_guard lock(mutex_);
    here_.erase(number);
  }
  gone_.notify_all();
}

Status RequestOrder::wait(uint64_t number, const CancelToken& cancel) {
  std::unique_lock lock(mutex_);
  while (*here_.begin() != number) {
    if (cancel.flag() == nullptr) {
      gone_.wait(lock);
    } else {
      AXLE_RETURN_IF_ERROR(cancel.check());
      gone_.wait_for(lock, kCancelLook);
    }
  }
  return ok_status();
}

}  // namespace axle
