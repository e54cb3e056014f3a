#include <cstddef>
#include <cstdint>

#include "model_bytes.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)axle::ort::split_model({reinterpret_cast<const char*>(data), size});
  return 0;
}
