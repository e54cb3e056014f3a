// axle's engines as plugins.
#pragma once

#include <memory>
#include <vector>

#include "rm_abstract/plugin.hpp"

namespace rm_abstract {

// "axle", which lets the planner choose among all of them (priority 100), and one for each engine (50), here or not.
std::vector<std::unique_ptr<Plugin>> engine_plugins(const std::shared_ptr<axle::Runtime>& runtime);

}  // namespace rm_abstract
