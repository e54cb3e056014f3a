// The evidence log as a file's content, and each input line as a payload with a right checksum.
#include <cstdint>
#include <cstdlib>

#include "base/text.h"
#include "cache/evidence_payload.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const axle::AppendLog log = axle::evidence_log("unused");
  std::string lines;
  for (const std::string_view payload : axle::split(input, '\n')) lines += log.line(payload);
  for (const std::string& content : {std::string(input), lines}) {
    (void)log.scan(content, [](std::string_view payload) {
      const auto row = axle::parse_evidence_payload(payload);
      if (!row.ok()) return;
      const auto written = axle::to_evidence_payload(*row);
      if (!written.ok()) std::abort();
      const auto again = axle::parse_evidence_payload(*written);
      if (!again.ok() || *again != *row) std::abort();
    });
  }
  return 0;
}
