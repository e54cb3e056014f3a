#include "runtime/packages/installed_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/text.h"
#include "engine/search_folders.h"

namespace axle {
namespace {

namespace fs = std::filesystem;

bool is_program(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

// <prefix>/bin/python3 where this library lies in <prefix>/lib/python3.N/site-packages/axle.
std::string installed_python() {
  const fs::path packages = fs::path(own_library_folder()).parent_path();
  if (packages.filename() != "site-packages") return "";
  return (packages.parent_path().parent_path().parent_path() / "bin" / "python3").string();
}

std::string python_in_path() {
  const char* path = std::getenv("PATH");
  for (const std::string& folder : split_path_list(path)) {
    if (is_program(folder + "/python3")) return folder + "/python3";
  }
  return "";
}

}  // namespace

Result<std::string> find_installed_file(const std::string& name) {
  const std::string own = own_library_folder();
  std::vector<std::string> places = {own + "/axle/" + name, own + "/" + name, own + "/../lib/axle/" + name};
  std::string up = own;  // tests and tools somewhere below the build folder
  for (int level = 0; level < 4 && up.size() > 1; ++level, up = up.substr(0, up.rfind('/'))) {
    if (fs::exists(up + "/CMakeCache.txt")) places.push_back(up + "/lib/axle/" + name);
  }
  for (const std::string& place : places) {
    if (!own.empty() && fs::exists(place)) return place;
  }
  return not_found_error(fmt::format("{} is not installed beside libaxle: looked for {}", name, join(places, ", ")));
}

std::vector<std::string> python_programs() {
  if (const char* chosen = std::getenv("AXLE_PYTHON"); chosen != nullptr && chosen[0] != '\0') return {chosen};
  std::vector<std::string> found = {installed_python()};
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const char* prefix = std::getenv(variable); prefix != nullptr && prefix[0] == '/')
      found.push_back(std::string(prefix) + "/bin/python3");
  }
  found.push_back(python_in_path());
  std::erase_if(found, [](const std::string& path) { return path.empty() || !is_program(path); });
  return found;
}

}  // namespace axle
