// Keeping and using what was measured of a machine (measure_machine in axle/runtime.h).
#pragma once

#include <string>
#include <vector>

#include "axle/device_profile.h"
#include "axle/runtime.h"

namespace axle {

// Where figures lie, by machine: an entry changes with each measurement. "" without a cache folder.
std::string machine_figures_folder(Runtime& runtime);
// Those of this machine.
std::string machine_figures_path(Runtime& runtime, const Machine& machine);

// Whole or not at all, also where the process is killed meanwhile; files of those that were are removed after an hour.
Status keep_machine_figures(Runtime& runtime, const Machine& machine, const MachineFigures& figures);

// Puts the measured figures of this machine, if there are any, in place of the profile's. What cannot be read is logged and left out.
void use_machine_figures(Runtime& runtime, const Machine& machine, std::vector<ResourceProfile>& profiles);

}  // namespace axle
