#include "probe/memory.h"

#include <string>

namespace axle {
namespace {

// "24684092 kB"
uint64_t kib_value(const std::string& text) {
  const int64_t kib = parse_number(text.substr(0, text.find(' '))).value_or(0);
  return kib > 0 && kib < int64_t{1} << 43 ? static_cast<uint64_t>(kib) << 10 : 0;
}

}  // namespace

SystemMemory read_memory(const SystemFiles& files) {
  const std::string meminfo = files.content("/proc/meminfo").value_or("");
  SystemMemory memory;
  memory.total_bytes = kib_value(value_of(meminfo, "MemTotal"));
  memory.available_bytes = kib_value(value_of(meminfo, "MemAvailable"));
  return memory;
}

}  // namespace axle
