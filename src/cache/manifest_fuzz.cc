// Manifests as bytes, and as payloads behind a right seal: what is accepted must be written back to itself.
#include <cstdint>
#include <cstdlib>

#include "cache/manifest.h"
#include "cache/sealed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const std::string& text : {std::string(input), axle::seal(axle::kManifestKind, input)}) {
    const auto manifest = axle::parse_manifest(text);
    if (!manifest.ok()) continue;
    const auto written = axle::manifest_to_text(*manifest);
    if (!written.ok()) std::abort();
    const auto again = axle::parse_manifest(*written);
    if (!again.ok() || *again != *manifest) std::abort();
  }
  return 0;
}
