// Where plugins and vendor libraries are looked for. Nothing here starts a process or reads more than folder names.
#pragma once

#include <string>
#include <vector>

namespace axle {

// Folder of the file that holds this code (libaxle.so, or a static binary); "" when it cannot be told.
std::string own_library_folder();

// AXLE_ENGINE_PATH, then axle/engines beside the library (wheel), ../lib/axle/engines (prefix), lib/axle/engines (build
// tree). Existing folders only, each once.
std::vector<std::string> default_plugin_folders();

// site-packages folders in order: AXLE_PYTHON_SITE, the one this library is installed in, VIRTUAL_ENV, CONDA_PREFIX, a .venv
// beside or above the library, the system's. Existing folders only, each once.
std::vector<std::string> python_site_folders();

// Splits at ':'; empty pieces and relative paths are dropped.
std::vector<std::string> split_path_list(const char* text);

}  // namespace axle
