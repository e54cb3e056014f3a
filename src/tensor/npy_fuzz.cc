// parse_npy must neither crash nor take memory beyond what the bytes justify; what it accepts must be writable.
#include <cstdlib>
#include <cstring>

#include "tensor/npy.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  auto file = axle::allocate_bytes(size);
  if (!file.ok()) return 0;
  if (size > 0) std::memcpy(file->owner.get(), data, size);
  const auto tensor = axle::parse_npy(*file);
  if (!tensor.ok()) return 0;
  const auto image = axle::encode_npy(*tensor);
  // Padding short strings to the longest is the one thing that may be refused.
  if (!image.ok() && tensor->dtype() != axle::DataType::kString) std::abort();
  return 0;
}
