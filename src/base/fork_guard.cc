#include "base/fork_guard.h"

#include <fmt/core.h>
#include <pthread.h>

#include <atomic>

namespace axle {
namespace {

// How many forks lie between the first process and this one.
std::atomic<uint32_t> g_generation{0};

void count_fork() noexcept { g_generation.fetch_add(1, std::memory_order_relaxed); }

uint32_t generation() noexcept { return g_generation.load(std::memory_order_relaxed); }

}  // namespace

ForkGuard::ForkGuard() noexcept {
  static const int registered = ::pthread_atfork(nullptr, nullptr, count_fork);
  (void)registered;
  generation_ = generation();
}

bool ForkGuard::in_forked_child() const noexcept { return generation_ != generation(); }

Status ForkGuard::check(std::string_view what) const {
  if (!in_forked_child()) return ok_status();
  return failed_precondition_error(fmt::format("this {} was made before fork() and cannot be used in the child", what))
      .with_hint(fmt::format("make the {} in the child, or start processes with spawn", what));
}

}  // namespace axle
