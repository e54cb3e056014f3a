// VendorHandle: an owned object of a vendor's C library that is left alone once the process is ending.
//
// When exit runs, the static objects of a library that was opened late are destroyed before those of the program that opened
// it. A session or engine kept in a static object would then call into a library that is half gone.
#pragma once

#include <atomic>
#include <cstdlib>
#include <memory>

namespace axle::kit {

namespace detail {
inline std::atomic<bool> process_is_ending{false};
}

inline bool process_is_ending() noexcept { return detail::process_is_ending.load(std::memory_order_relaxed); }

// To be called right after a vendor's library was opened: exit then tells us before it destroys the library's objects.
inline void watch_process_end() {
  static const int registered = std::atexit([] { detail::process_is_ending.store(true, std::memory_order_relaxed); });
  (void)registered;
}

template <typename T>
struct VendorDeleter {
  void (*release)(T*) = nullptr;
  // NOLINTNEXTLINE(google-explicit-constructor): as a plain function pointer would be given to a unique_ptr
  VendorDeleter(void (*function)(T*)) : release(function) {}
  void operator()(T* object) const {
    if (!process_is_ending()) release(object);
  }
};

// VendorHandle<ov_core_t> core(raw, api.ov_core_free);
template <typename T>
using VendorHandle = std::unique_ptr<T, VendorDeleter<T>>;

}  // namespace axle::kit
