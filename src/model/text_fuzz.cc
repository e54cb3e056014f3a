#include <cstddef>
#include <cstdint>

#include "model/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (const auto graph = axle::parse_graph_text({reinterpret_cast<const char*>(data), size}); graph.ok())
    (void)axle::format_graph(**graph);
  return 0;
}
