// What engines reach beside the machine's own resources: simulators, remote ones.
#pragma once

#include <vector>

#include "axle/device.h"
#include "axle/engine.h"

namespace axle {

// Resources of present engines that the machine does not list, each id once, in the order of the engines. Several engines may model a
// device each under one id: the resource then has all their names, and of memory the least that one of them has.
std::vector<Resource> resources_of_engines(const Machine& machine, const std::vector<EngineState>& engines);

}  // namespace axle
