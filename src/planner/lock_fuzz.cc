// Whatever lock is accepted must be written to the same bytes again.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "axle/lock.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto lock = axle::parse_lock({reinterpret_cast<const char*>(data), size});
  if (!lock.has_value()) return 0;
  const auto text = axle::lock_to_json(*lock);
  if (!text.has_value()) std::abort();
  const auto again = axle::parse_lock(*text);
  if (!again.has_value() || !(*again == *lock)) std::abort();
  return 0;
}
