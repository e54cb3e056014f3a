// Energy and power counters that the kernel shows: RAPL (/sys/class/powercap) and sensors (/sys/class/hwmon).
#pragma once

#include <vector>

#include "axle/device.h"
#include "probe/system_files.h"

namespace axle {

// Sorted by source, name and path. A sensor of a resource (joined by PCI address) bears the resource's id as its name.
std::vector<PowerCounter> read_power_counters(const SystemFiles& files, const std::vector<Resource>& resources);

}  // namespace axle
