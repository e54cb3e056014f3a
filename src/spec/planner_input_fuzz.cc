// Whatever planner input is accepted must be written again and read back equal.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "spec/planner_input_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto input = axle::parse_planner_input({reinterpret_cast<const char*>(data), size});
  if (!input.has_value()) return 0;
  const auto text = axle::planner_input_to_json(*input);
  if (!text.has_value()) std::abort();
  const auto again = axle::parse_planner_input(*text);
  if (!again.has_value() || axle::planner_input_to_json(*again).value() != *text) std::abort();
  return 0;
}
