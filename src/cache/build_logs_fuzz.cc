// A file of failed builds as anybody may have written it.
#include "base/json.h"
#include "cache/failed_builds.h"
#include "cache/sealed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)axle::parse_failed_build(text);
  // What is sealed well has to be judged by its content.
  (void)axle::parse_failed_build(axle::seal("axle-failed-build 1", text));
  return 0;
}
