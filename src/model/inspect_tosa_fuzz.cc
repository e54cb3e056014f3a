#include <cstddef>
#include <cstdint>

#include "model/inspect.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)axle::inspect_tosa({reinterpret_cast<const std::byte*>(data), size}, "fuzz", axle::ModelLimits{});
  return 0;
}
