#include <cstddef>
#include <cstdint>

#include "model/inspect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const axle::Bytes bytes{reinterpret_cast<const std::byte*>(data), size};
  (void)axle::inspect_tosa(bytes, "fuzz", axle::ModelLimits{});
  (void)axle::inspect_top(bytes, "fuzz", axle::ModelLimits{});
  return 0;
}
