// Limits of the control groups this process lives in (version 1 and 2), the strictest on the way up to the mount.
#pragma once

#include <cstdint>
#include <vector>

#include "probe/system_files.h"

namespace axle {

struct CgroupLimits {
  double cpu_quota = 0;             // in CPUs; 0 = no limit
  uint64_t memory_limit_bytes = 0;  // 0 = no limit
  uint64_t memory_used_bytes = 0;   // by the group that sets the limit
  std::vector<int32_t> cpuset;      // empty = no limit
};

CgroupLimits read_cgroup_limits(const SystemFiles& files);

}  // namespace axle
