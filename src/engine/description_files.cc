#include "engine/description_files.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "base/toml_document.h"
#include "engine/search_folders.h"

namespace axle {
namespace {

constexpr size_t kMaxDescriptions = 256;
constexpr std::string_view kSuffix = ".toml";

bool is_absolute(const char* path) { return path != nullptr && path[0] == '/'; }

std::string name_in(const std::string& path) {
  const auto text = read_file(path, kMaxDescriptionBytes);
  if (!text.ok()) return "";
  const auto document = parse_toml(*text, path);
  if (!document.ok()) return "";
  TomlReader reader(*document, "", path);
  const TomlValue* engine = reader.table("engine");
  if (engine == nullptr) return "";
  return TomlReader(*engine, "engine", path).text("name").value_or("");
}

}  // namespace

std::string user_description_folder() {
  if (const char* config = std::getenv("XDG_CONFIG_HOME"); is_absolute(config)) return config + std::string("/axle/engines");
  if (const char* home = std::getenv("HOME"); is_absolute(home)) return home + std::string("/.config/axle/engines");
  return "";
}

std::vector<std::string> default_description_folders() {
  std::vector<std::string> folders = split_path_list(std::getenv("AXLE_ENGINE_DESCRIPTIONS"));
  if (std::string user = user_description_folder(); !user.empty()) folders.push_back(std::move(user));
  for (std::string& folder : default_plugin_folders()) folders.push_back(std::move(folder));
  std::erase_if(folders, [](const std::string& folder) { return !std::filesystem::exists(folder); });
  return folders;
}

std::vector<std::string> description_files(const std::string& path, std::vector<std::string>& problems) {
  std::vector<std::string> files;
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return files;
  if (S_ISREG(status.st_mode)) return {path};
  if ((status.st_mode & S_IWOTH) != 0) {
    problems.push_back(fmt::format("descriptions in {} are not used: everybody may write there (chmod o-w {})", path, path));
    return files;
  }
  const auto entries = list_dir(path);
  if (!entries.ok()) {
    problems.push_back(entries.status().to_string());
    return files;
  }
  for (const DirEntry& entry : *entries) {
    if (!entry.is_folder && entry.name.ends_with(kSuffix) && files.size() < kMaxDescriptions)
      files.push_back(path + "/" + entry.name);
  }
  return files;
}

std::string described_engine_name(const std::string& path) {
  if (std::string name = name_in(path); !name.empty()) return name;
  return std::filesystem::path(path).stem().string();
}

}  // namespace axle
