#include "axle/cancel.h"

namespace axle {
namespace {

// Values of the flag; engines only ask whether it is non-zero.
constexpr uint32_t kLive = 0;
constexpr uint32_t kCancelledByCaller = 1;
constexpr uint32_t kDeadlinePassed = 2;

}  // namespace

struct CancelToken::State {
  std::atomic<uint32_t> flag{kLive};
  Deadline deadline;
  std::shared_ptr<State> parent;  // also cancels this one

  // The first reason stays.
  void set(uint32_t reason) noexcept {
    uint32_t expected = kLive;
    flag.compare_exchange_strong(expected, reason, std::memory_order_release, std::memory_order_relaxed);
  }

  uint32_t current() noexcept {
    const uint32_t value = flag.load(std::memory_order_acquire);
    if (value != kLive) return value;
    if (parent) {
      if (const uint32_t reason = parent->current(); reason != kLive) set(reason);
    }
    if (deadline && std::chrono::steady_clock::now() >= *deadline) set(kDeadlinePassed);
    return flag.load(std::memory_order_acquire);
  }
};

CancelToken::CancelToken() : state_(std::make_shared<State>()) {}

CancelToken CancelToken::none() noexcept { return CancelToken(nullptr); }

CancelToken CancelToken::with_deadline(std::chrono::steady_clock::time_point deadline) {
  CancelToken token;
  token.state_->deadline = deadline;
  return token;
}

CancelToken CancelToken::until(std::chrono::steady_clock::time_point deadline) const {
  CancelToken token = with_deadline(deadline);
  token.state_->parent = state_;
  return token;
}

void CancelToken::cancel() noexcept {
  if (state_) state_->set(kCancelledByCaller);
}

bool CancelToken::cancelled() const noexcept { return state_ && state_->current() != kLive; }

Status CancelToken::check() const {
  switch (state_ ? state_->current() : kLive) {
    case kCancelledByCaller: return cancelled_error("cancelled by the caller");
    case kDeadlinePassed: return deadline_exceeded_error("the deadline has passed");
    default: return ok_status();
  }
}

const std::atomic<uint32_t>* CancelToken::flag() const noexcept { return state_ ? &state_->flag : nullptr; }

Deadline CancelToken::deadline() const noexcept { return state_ ? state_->deadline : std::nullopt; }

}  // namespace axle
