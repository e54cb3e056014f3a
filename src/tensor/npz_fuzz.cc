// parse_npz must neither crash nor take memory beyond what the bytes justify.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tensor/npz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  (void)axle::parse_npz(std::as_bytes(std::span(data, size)));
  return 0;
}
