#include "engine/search_folders.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>

#include "base/file.h"
#include "base/text.h"

namespace axle {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxLevelsUp = 4;  // from <checkout>/build/<preset>/lib to the checkout

bool is_folder(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// The same few folders are asked for by every engine, and each lookup reads every link on the way. As long as the path leads to the same
// folder its real name is kept.
class RealPaths {
 public:
  // "" where `path` is no folder.
  std::string of(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return "";
    const std::lock_guard lock(mutex_);
    Known& known = known_[path];
    if (known.real.empty() || known.device != status.st_dev || known.inode != status.st_ino) {
      std::error_code error;
      const fs::path real = fs::weakly_canonical(path, error);
      known = {status.st_dev, status.st_ino, error ? path : real.string()};
    }
    return known.real;
  }

 private:
  struct Known {
    dev_t device = 0;
    ino_t inode = 0;
    std::string real;
  };
  std::mutex mutex_;
  std::map<std::string, Known> known_;
};

void add(std::vector<std::string>& folders, const std::string& path) {
  static RealPaths paths;
  const std::string text = paths.of(path);
  if (text.empty()) return;
  if (std::find(folders.begin(), folders.end(), text) == folders.end()) folders.push_back(text);
}

// <prefix>/lib/python3.*/site-packages (dist-packages on Debian).
void add_python_prefix(std::vector<std::string>& folders, const std::string& prefix, const char* packages = "site-packages") {
  std::error_code error;
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(prefix + "/lib", error)) {
    if (entry.path().filename().string().starts_with("python3")) found.push_back(entry.path().string() + "/" + packages);
  }
  std::sort(found.begin(), found.end());
  for (const std::string& folder : found) add(folders, folder);
}

std::string find_own_library() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&own_library_folder), &info) == 0 || info.dli_fname == nullptr) return "";
  std::error_code error;
  // A static binary is named as it was called, which says nothing: ask the kernel.
  fs::path path = fs::path(info.dli_fname).is_absolute() ? fs::path(info.dli_fname) : fs::read_symlink("/proc/self/exe", error);
  path = fs::weakly_canonical(path, error);
  return error ? "" : path.parent_path().string();
}

std::string parent(const std::string& path) { return fs::path(path).parent_path().string(); }

}  // namespace

std::vector<std::string> search_folders_of(const std::string& engine) {
  std::vector<std::string> folders = python_site_folders();
  const std::string own = engine_folder(engine);
  if (check_private_folder(own).ok()) folders.insert(folders.begin(), own);
  return folders;
}

std::vector<std::string> split_path_list(const char* text) {
  std::vector<std::string> paths;
  if (text == nullptr) return paths;
  for (const std::string_view piece : split(text, ':')) {
    if (!piece.empty() && piece[0] == '/') paths.emplace_back(piece);
  }
  return paths;
}

// Where this code lies does not change while it runs, and is asked for by every engine.
std::string own_library_folder() {
  static const std::string folder = find_own_library();
  return folder;
}

std::vector<std::string> default_plugin_folders() {
  std::vector<std::string> folders;
  for (const std::string& folder : split_path_list(std::getenv("AXLE_ENGINE_PATH"))) add(folders, folder);
  const std::string own = own_library_folder();
  if (own.empty()) return folders;
  add(folders, own + "/axle/engines");         // <libdir>/axle/engines
  add(folders, own + "/engines");              // wheel: axle/engines beside axle/libaxle.so
  add(folders, own + "/../lib/axle/engines");  // a binary in bin/
  std::string up = own;                        // tests and tools somewhere below the build folder
  for (int level = 0; level < kMaxLevelsUp && up.size() > 1; ++level, up = parent(up)) {
    if (fs::exists(up + "/CMakeCache.txt")) add(folders, up + "/lib/axle/engines");
  }
  return folders;
}

std::string data_folder() {
  const char* data = std::getenv("XDG_DATA_HOME");
  if (data != nullptr && *data == '/') return std::string(data) + "/axle";
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr && *home == '/' ? home : "/") + "/.local/share/axle";
}

std::string engine_folder(const std::string& engine) { return data_folder() + "/engines/" + engine; }

std::vector<std::string> python_site_folders() {
  std::vector<std::string> folders;
  for (const std::string& folder : split_path_list(std::getenv("AXLE_PYTHON_SITE"))) add(folders, folder);
  const std::string own = own_library_folder();
  std::string up = own;
  for (int level = 0; level <= kMaxLevelsUp && up.size() > 1; ++level, up = parent(up)) {
    const std::string name = fs::path(up).filename().string();
    if (name == "site-packages" || name == "dist-packages") add(folders, up);
  }
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"}) {
    if (const char* prefix = std::getenv(variable); prefix != nullptr && prefix[0] == '/') add_python_prefix(folders, prefix);
  }
  up = own;
  for (int level = 0; level <= kMaxLevelsUp && up.size() > 1; ++level, up = parent(up)) {
    if (is_folder(up + "/.venv")) add_python_prefix(folders, up + "/.venv");
  }
  add_python_prefix(folders, "/usr/local", "dist-packages");
  add(folders, "/usr/lib/python3/dist-packages");
  return folders;
}

}  // namespace axle
