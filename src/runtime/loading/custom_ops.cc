#include "runtime/loading/custom_ops.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/errno_status.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "engine/search_folders.h"

namespace axle {
namespace {

constexpr size_t kMostLibraries = 16;
constexpr size_t kLongestName = 128;
constexpr std::string_view kMark = "#sha256:";

struct Library {
  std::string name, path;
  std::string digest;  // "sha256:..." of the file that is there
  std::string pinned;  // of the text; "" = not pinned
};

bool is_file_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' && std::ranges::all_of(name, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("._+-").find(c) != std::string_view::npos;
  });
}

// Others must not be able to change what runs here.
Status check_trusted(const std::string& folder, const std::string& path) {
  AXLE_RETURN_IF_ERROR(check_private_folder(folder));
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) return errno_status(errno, path);
  if (!S_ISREG(status.st_mode)) {
    return permission_denied_error(fmt::format("{} is not a file", path))
        .with_hint("put the library itself there, not a link to it");
  }
  if ((status.st_uid != ::geteuid() && status.st_uid != 0) || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return permission_denied_error(fmt::format("{} can be written by other users", path))
        .with_hint(fmt::format("run: chmod go-w '{}'", path));
  }
  return ok_status();
}

Result<Library> find_library(std::string_view item) {
  const size_t mark = item.find(kMark);
  Library library;
  library.name = item.substr(0, mark);
  if (mark != std::string_view::npos) library.pinned = item.substr(mark + 1);
  if (!is_file_name(library.name)) {
    return invalid_argument_error(fmt::format("custom_ops: '{}' is not the name of a file", printable(item, 80)))
        .with_hint("names only, such as \"libmine.so\": the folder is AXLE_CUSTOM_OPS_PATH");
  }
  const std::vector<std::string> folders = custom_ops_folders();
  for (const std::string& folder : folders) {
    library.path = folder + "/" + library.name;
    if (::access(library.path.c_str(), F_OK) != 0) continue;
    AXLE_RETURN_IF_ERROR(check_trusted(folder, library.path));
    AXLE_ASSIGN_OR_RETURN(const Digest digest, sha256_of_file(library.path));
    library.digest = digest.to_string();
    return library;
  }
  return not_found_error(fmt::format("custom_ops: there is no {} in {}", library.name, join(folders, " or ")))
      .with_hint("put it there, or name its folder in AXLE_CUSTOM_OPS_PATH");
}

Result<std::vector<Library>> find_libraries(std::string_view value) {
  std::vector<Library> libraries;
  if (trim(value).empty()) return libraries;
  for (const std::string_view item : split(value, ',')) {
    if (libraries.size() == kMostLibraries)
      return invalid_argument_error(fmt::format("custom_ops names more than {} libraries", kMostLibraries));
    AXLE_ASSIGN_OR_RETURN(Library library, find_library(trim(item)));
    libraries.push_back(std::move(library));
  }
  return libraries;
}

}  // namespace

std::vector<std::string> custom_ops_folders() {
  if (const char* given = std::getenv("AXLE_CUSTOM_OPS_PATH"); given != nullptr && *given != '\0')
    return split_path_list(given);
  return {data_folder() + "/custom-ops"};
}

Result<std::string> pin_custom_ops(std::string_view value) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<Library> libraries, find_libraries(value));
  std::vector<std::string> items;
  for (const Library& library : libraries) items.push_back(library.name + "#" + library.digest);
  return join(items, ",");
}

Status pin_custom_ops(Policy& policy) {
  for (auto& [engine, options] : policy.engines.options) {
    const auto found = options.find(std::string(kCustomOpsOption));
    if (found == options.end()) continue;
    AXLE_ASSIGN_OR_RETURN(found->second, pin_custom_ops(found->second));
  }
  return ok_status();
}

Result<std::string> custom_ops_paths(std::string_view pinned) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<Library> libraries, find_libraries(pinned));
  std::vector<std::string> paths;
  for (const Library& library : libraries) {
    if (library.pinned != library.digest) {
      return aborted_error(fmt::format("{} is not the library this plan was made with: {} now, {} then", library.path,
                                       library.digest, library.pinned.empty() ? "not pinned" : library.pinned))
          .with_hint("plan again, or put the library that the plan names back");
    }
    paths.push_back(library.path);
  }
  return join(paths, ":");
}

}  // namespace axle
