// Whatever is accepted can be worked with: patterns compile, and placeholders have a meaning.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "description.h"
#include "patterns.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace axle::described;
  const auto description = parse_description({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!description.has_value()) return 0;
  if (description->info.name.empty() || description->tools.empty() || description->compile.empty()) std::abort();
  for (const ToolSpec& tool : description->tools) {
    if (!parse_version_bounds(tool.versions).has_value()) std::abort();
    if (!tool.version_pattern.empty()) (void)find_line("version 1.2.3\n", tool.version_pattern);
  }
  const RuntimeSpec& runtime = description->runtime;
  if (runtime.kind == RuntimeKind::kNone && runtime.reason.empty()) std::abort();
  if (runtime.kind == RuntimeKind::kLibrary) {
    for (const char* verb : {"load", "run", "unload"}) {
      if (runtime.functions.at(verb).empty()) std::abort();
    }
    if (!runtime.tensors.inputs.empty() && runtime.tensors.stride == 0) std::abort();
  }
  for (const FailureRule& rule : description->failures) {
    if (!rule.pattern.empty()) (void)find_line("out of memory\n", rule.pattern);
  }
  return 0;
}
