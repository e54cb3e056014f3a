#include "engine/worker_lanes.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>

namespace axle::worker {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kPausesPerLook = 32;  // between two looks at the clock

// Not FUTEX_PRIVATE: the other side is another process.
void futex_wait(std::atomic<uint32_t>& word, uint32_t seen, std::optional<std::chrono::nanoseconds> timeout) noexcept {
  timespec spec{};
  if (timeout) {
    spec.tv_sec = static_cast<time_t>(timeout->count() / 1'000'000'000);
    spec.tv_nsec = static_cast<long>(timeout->count() % 1'000'000'000);
  }
  ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, timeout ? &spec : nullptr, nullptr, 0);
}

void futex_wake(std::atomic<uint32_t>& word, int count) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0);
}

void pause_cpu() noexcept {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

bool spin_for(const Mailbox& box, uint32_t seen) noexcept {
  const Clock::time_point end = Clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (box.sequence.load(std::memory_order_acquire) != seen) return true;
      pause_cpu();
    }
  } while (Clock::now() < end);
  return false;
}

}  // namespace

size_t put_piece(Mailbox& box, std::byte* buffer, std::string_view message, size_t at) noexcept {
  const size_t piece = std::min(kPieceBytes, message.size() - at);
  std::memcpy(buffer, message.data() + at, piece);
  box.piece_bytes = piece;
  box.left_bytes = message.size() - at - piece;
  return at + piece;
}

void post(Mailbox& box) noexcept {
  box.cpu.store(::sched_getcpu(), std::memory_order_relaxed);
  box.sequence.fetch_add(1, std::memory_order_seq_cst);
  // Either we see that the receiver waits, or it sees the new number before it sleeps.
  if (box.waiting.load(std::memory_order_seq_cst) != 0) futex_wake(box.sequence, 1);
}

bool wait(Mailbox& box, uint32_t seen, bool spin, std::optional<std::chrono::nanoseconds> timeout) noexcept {
  if (box.sequence.load(std::memory_order_acquire) != seen) return true;
  if (spin && box.cpu.load(std::memory_order_relaxed) != ::sched_getcpu() && spin_for(box, seen)) return true;
  const Clock::time_point end = timeout ? Clock::now() + *timeout : Clock::time_point::max();
  box.waiting.store(1, std::memory_order_seq_cst);
  while (box.sequence.load(std::memory_order_seq_cst) == seen) {
    std::optional<std::chrono::nanoseconds> left;
    if (timeout) {
      left = std::chrono::duration_cast<std::chrono::nanoseconds>(end - Clock::now());
      if (left->count() <= 0) break;
    }
    futex_wait(box.sequence, seen, left);
  }
  box.waiting.store(0, std::memory_order_relaxed);
  return box.sequence.load(std::memory_order_acquire) != seen;
}

bool wait_until_set(std::atomic<uint32_t>& word, std::chrono::nanoseconds timeout) noexcept {
  const Clock::time_point end = Clock::now() + timeout;
  while (word.load(std::memory_order_acquire) == 0) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(end - Clock::now());
    if (left.count() <= 0) return false;
    futex_wait(word, 0, left);
  }
  return true;
}

void wake_all(std::atomic<uint32_t>& word) noexcept { futex_wake(word, INT_MAX); }

}  // namespace axle::worker
