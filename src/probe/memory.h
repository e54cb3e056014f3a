// System memory from /proc/meminfo.
#pragma once

#include <cstdint>

#include "probe/system_files.h"

namespace axle {

struct SystemMemory {
  uint64_t total_bytes = 0;      // 0 = not readable
  uint64_t available_bytes = 0;
};

SystemMemory read_memory(const SystemFiles& files);

}  // namespace axle
