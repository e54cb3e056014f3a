// The JSON of a device profile as a value, for documents that hold some.
#pragma once

#include <string>

#include "axle/device_profile.h"
#include "base/json.h"

namespace axle {

Json device_profile_to_json_value(const DeviceProfile& profile);
Result<DeviceProfile> read_device_profile(const Json& json, const std::string& where);

}  // namespace axle
