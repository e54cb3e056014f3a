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

// Where this user's engines, custom operators and such are kept: $XDG_DATA_HOME/axle, else ~/.local/share/axle.
std::string data_folder();

// Where `axle engines install` puts what an engine of this name needs; looked at before python_site_folders() for it.
std::string engine_folder(const std::string& engine);

// engine_folder(engine), unless others may write there, then python_site_folders().
std::vector<std::string> search_folders_of(const std::string& engine);

// Splits at ':'; empty pieces and relative paths are dropped.
std::vector<std::string> split_path_list(const char* text);

}  // namespace axle
