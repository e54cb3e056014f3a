// Helpers on Resource that only axle's own modules need.
#pragma once

#include <string>

#include "axle/device.h"

namespace axle {

// "npu:0", or "cpu:0/1" with a part.
std::string resource_id(ResourceKind kind, int32_t index, int32_t part = -1);
// The order of Machine::resources: kind, index, part.
bool resource_before(const Resource& a, const Resource& b);

}  // namespace axle
