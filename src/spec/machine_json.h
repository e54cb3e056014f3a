// The JSON forms of a machine: the record (everything) and the identity (what the fingerprint is taken over).
#pragma once

#include "axle/device.h"
#include "base/json.h"

namespace axle {

Json machine_to_json_value(const Machine& machine);
// Without state, recorded_name, power counters, NUMA memory, attributes named path.* or env.*, serial numbers; memory in whole GiB.
Json machine_identity_to_json(const Machine& machine);
// The identity without what an update changes: os, drivers, attributes.
Json machine_hardware_to_json(const Machine& machine);

}  // namespace axle
