// Any bytes: parse_selector answers with a selector that parses again from its text, or with INVALID_ARGUMENT.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "axle/device.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto selector = axle::parse_selector({reinterpret_cast<const char*>(data), size});
  if (!selector) {
    if (selector.status().code() != axle::StatusCode::kInvalidArgument) std::abort();
    return 0;
  }
  const auto again = axle::parse_selector(selector->text);
  if (!again || !(*again == *selector)) std::abort();
  axle::Resource resource;
  (void)axle::matches(*selector, resource);
  return 0;
}
