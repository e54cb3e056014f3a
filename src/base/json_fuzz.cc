// Whatever parse_json accepts must be writable, and the canonical bytes must read back to themselves.
#include <cstdint>
#include <cstdlib>

#include "base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto value = axle::parse_json({reinterpret_cast<const char*>(data), size}, 1 << 20, 32);
  if (!value.ok()) return 0;
  const auto first = axle::canonical_json(*value);
  if (!first.ok()) std::abort();
  const auto again = axle::parse_json(*first, size_t{1} << 24, 32);
  if (!again.ok() || axle::canonical_json(*again).value_or("") != *first) std::abort();
  return 0;
}
