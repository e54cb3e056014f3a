#include <fmt/core.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <vector>

#include "base/errno_status.h"
#include "base/file.h"

namespace axle {

Result<std::vector<DirEntry>> list_dir(const std::string& path, size_t max_entries) {
  std::error_code error;
  std::vector<DirEntry> entries;
  std::filesystem::directory_iterator it(path, error);
  for (; !error && it != std::filesystem::directory_iterator(); it.increment(error)) {
    if (entries.size() >= max_entries) {
      return resource_exhausted_error(fmt::format("{} holds more than {} entries", path, max_entries));
    }
    std::error_code vanished;
    const auto type = it->symlink_status(vanished).type();
    entries.push_back({it->path().filename().string(), type == std::filesystem::file_type::directory,
                       type == std::filesystem::file_type::regular});
  }
  if (error) return errno_status(error.value(), fmt::format("cannot list {}", path));
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return entries;
}

Status make_dirs(const std::string& path, uint32_t mode) {
  if (path.empty()) return invalid_argument_error("cannot make a folder without a name");
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), mode) != 0) {
      const int error = errno;  // EEXIST, or EROFS and EACCES for one that exists: what counts is that it is a folder
      struct stat status{};
      if (::stat(part.c_str(), &status) != 0) return errno_status(error, fmt::format("cannot make the folder {}", part));
      if (!S_ISDIR(status.st_mode)) {
        return already_exists_error(fmt::format("cannot make the folder {}: {} is a file", path, part));
      }
    }
    if (end == std::string::npos) return ok_status();
  }
}

Status remove_tree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return errno_status(error.value(), fmt::format("cannot remove {}", path));
  return ok_status();
}

Status check_private_folder(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) return errno_status(errno, path);
  if (!S_ISDIR(status.st_mode)) return invalid_argument_error(fmt::format("{} is not a folder", path));
  if (status.st_uid != ::geteuid() && status.st_uid != 0) {
    return permission_denied_error(fmt::format("{} belongs to another user", path)).with_hint("choose a folder of your own");
  }
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return permission_denied_error(fmt::format("{} can be written by other users", path))
        .with_hint(fmt::format("run: chmod go-w '{}'", path));
  }
  return ok_status();
}

namespace {

struct LiveScratchDirs {
  std::mutex mutex;
  std::map<std::string, pid_t> makers;  // a forked child has copies of its parent's objects, not of their folders
};
LiveScratchDirs& live_scratch_dirs() {
  static LiveScratchDirs* const dirs = [] {
    // No fork while another thread holds the lock: the child would wait for it for ever.
    (void)::pthread_atfork([] { live_scratch_dirs().mutex.lock(); }, [] { live_scratch_dirs().mutex.unlock(); },
                           [] { live_scratch_dirs().mutex.unlock(); });
    return new LiveScratchDirs;  // some outlive static destructors
  }();
  return *dirs;
}

// False for a folder that another process has made. It is forgotten.
bool forget_own(const std::string& path) {
  LiveScratchDirs& live = live_scratch_dirs();
  const std::lock_guard lock(live.mutex);
  const auto found = live.makers.find(path);
  if (found == live.makers.end()) return true;
  const bool own = found->second == ::getpid();
  live.makers.erase(found);
  return own;
}

}  // namespace

void remove_scratch_dirs() {
  LiveScratchDirs& live = live_scratch_dirs();
  std::vector<std::string> own;
  {
    const std::lock_guard lock(live.mutex);
    std::erase_if(live.makers, [&](const auto& entry) {
      if (entry.second != ::getpid()) return false;
      own.push_back(entry.first);
      return true;
    });
  }
  for (const std::string& path : own) (void)remove_tree(path);
}

ScratchDir::ScratchDir(std::string path) : path_(std::move(path)) {
  LiveScratchDirs& live = live_scratch_dirs();
  const std::lock_guard lock(live.mutex);
  live.makers.insert_or_assign(path_, ::getpid());
}

Result<ScratchDir> ScratchDir::create(const std::string& parent, std::string_view prefix) {
  std::string folder = parent;
  if (folder.empty()) {
    const char* given = std::getenv("TMPDIR");
    folder = given != nullptr && *given != '\0' ? given : "/tmp";
  }
  std::string path = fmt::format("{}/{}-XXXXXX", folder, prefix);
  if (::mkdtemp(path.data()) == nullptr) return errno_status(errno, fmt::format("cannot make a folder in {}", folder));
  return ScratchDir(std::move(path));
}

ScratchDir::ScratchDir(ScratchDir&& other) noexcept : path_(std::exchange(other.path_, {})) {}

ScratchDir& ScratchDir::operator=(ScratchDir&& other) noexcept {
  if (this != &other) std::swap(path_, other.path_);
  return *this;
}

ScratchDir::~ScratchDir() {
  if (!path_.empty() && forget_own(path_)) (void)remove_tree(path_);
}

}  // namespace axle
