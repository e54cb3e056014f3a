#include "cache/scratch.h"

#include <fmt/core.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "cache/disk.h"

namespace axle {
namespace {

constexpr std::string_view kLockSuffix = ".lock";
constexpr int kAttempts = 16;

std::string fresh_name() {
  uint64_t random = 0;
  if (::getrandom(&random, sizeof random, 0) != sizeof random) random = static_cast<uint64_t>(system_time_ns());
  return fmt::format("{}-{:016x}", ::getpid(), random);
}

bool exists(const std::string& path) {
  struct stat status{};
  return ::lstat(path.c_str(), &status) == 0;
}

}  // namespace

Result<BuildFolder> BuildFolder::create(const std::string& scratch) {
  AXLE_RETURN_IF_ERROR(make_private_folder(scratch));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string path = fmt::format("{}/{}", scratch, fresh_name());
    // The lock comes first and goes last: a folder without one is nobody's.
    AXLE_ASSIGN_OR_RETURN(std::optional<FileLock> lock,
                          FileLock::try_acquire(path + std::string(kLockSuffix), LockMode::kExclusive));
    if (!lock || exists(path)) continue;
    BuildFolder folder(std::move(*lock), std::move(path));
    AXLE_RETURN_IF_ERROR(make_private_folder(folder.path_));
    AXLE_RETURN_IF_ERROR(make_private_folder(folder.work()));
    return folder;
  }
  return internal_error(fmt::format("cannot find a free name in {}", scratch));
}

BuildFolder::~BuildFolder() {
  if (path_.empty()) return;
  if (remove_tree(path_).ok()) lock_.remove_and_release();
}

void sweep_scratch(const std::string& scratch) {
  const auto entries = list_dir(scratch);
  if (!entries.ok()) return;
  for (const DirEntry& entry : *entries) {
    std::string path = scratch + "/" + entry.name;
    if (!entry.name.ends_with(kLockSuffix)) {
      if (!exists(path + std::string(kLockSuffix))) (void)remove_tree(path);
      continue;
    }
    auto lock = FileLock::try_acquire(path, LockMode::kExclusive, false);
    if (!lock.ok() || !*lock) continue;
    path.resize(path.size() - kLockSuffix.size());
    if (remove_tree(path).ok()) (*lock)->remove_and_release();
  }
}

void sweep_locks(const std::string& locks) {
  const auto entries = list_dir(locks);
  if (!entries.ok()) return;
  for (const DirEntry& entry : *entries) {
    auto lock = FileLock::try_acquire(locks + "/" + entry.name, LockMode::kExclusive, false);
    if (lock.ok() && *lock) (*lock)->remove_and_release();
  }
}

}  // namespace axle
