// Every answer document: the first byte picks the reader. What is read must survive being written and read again.
#include <cstdint>
#include <cstdlib>

#include "spec/engine_answers.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace axle;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 8) {
    case 0:
      if (auto info = parse_engine_info(text);
          info.ok() && *engine_info_from_json(engine_info_to_json(*info), AnswerKeys::kStrict) != *info)
        abort();
      break;
    case 1: (void)parse_engine_resources(text); break;
    case 2:
      if (auto c = parse_capability(text); c.ok() && *capability_from_json(capability_to_json(*c), AnswerKeys::kStrict) != *c)
        abort();
      break;
    case 3:
      if (auto v = parse_graph_verdict(text, 64);
          v.ok() && *graph_verdict_from_json(graph_verdict_to_json(*v), 64, AnswerKeys::kStrict) != *v)
        abort();
      break;
    case 4: (void)parse_manifest(text); break;
    case 5: (void)parse_effective(text); break;
    case 6: (void)parse_engine_io(text); break;
    default: (void)parse_counters(text); break;
  }
  return 0;
}
