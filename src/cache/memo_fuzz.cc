// Memo files as bytes, and as payloads behind a right seal: what is accepted must be written back to itself.
#include <cstdint>
#include <cstdlib>

#include "cache/memo.h"
#include "cache/sealed.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  for (const std::string& text : {std::string(input), axle::seal("axle-memo 1", input)}) {
    const auto record = axle::parse_memo(text);
    if (record.ok() && axle::memo_to_text(*record) != text) std::abort();
  }
  return 0;
}
