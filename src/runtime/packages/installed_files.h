// What is installed beside the library, and the Pythons that programs of ours can be run with.
#pragma once

#include <string>
#include <vector>

#include "axle/status.h"

namespace axle {

// A file (or folder) that belongs to axle: beside the library (wheel), in lib/axle (prefix) or in the build folder. NOT_FOUND.
Result<std::string> find_installed_file(const std::string& name);

// AXLE_PYTHON (then no other), the one this library is installed in, VIRTUAL_ENV, CONDA_PREFIX, python3 in PATH; those that are there.
std::vector<std::string> python_programs();

}  // namespace axle
