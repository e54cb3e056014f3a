// Any bytes: parse_machine answers with a machine whose record reads back the same, or with an error.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "axle/device.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto machine = axle::parse_machine({reinterpret_cast<const char*>(data), size});
  if (!machine) return 0;
  const auto json = axle::machine_to_json(*machine);
  if (!json) std::abort();
  const auto again = axle::parse_machine(*json);
  if (!again || !(*again == *machine)) std::abort();
  if (machine->fingerprint() != again->fingerprint() || machine->allowed_cores() < 1) std::abort();
  return 0;
}
