// Private folders in which artefacts are built. Each has a lock file that its owner holds: what is not locked was left by
// a process that died, and is removed.
#pragma once

#include <string>
#include <utility>

#include "axle/status.h"
#include "cache/file_lock.h"

namespace axle {

class BuildFolder {
 public:
  // In `scratch` (made when needed).
  static Result<BuildFolder> create(const std::string& scratch);
  BuildFolder(BuildFolder&& other) noexcept : lock_(std::move(other.lock_)), path_(std::exchange(other.path_, {})) {}
  BuildFolder& operator=(BuildFolder&&) = delete;
  ~BuildFolder();

  // Empty at first; the builder writes here.
  std::string work() const { return path_ + "/work"; }
  // Where the manifest is written before it is moved to its place.
  std::string manifest() const { return path_ + "/manifest"; }

 private:
  BuildFolder(FileLock lock, std::string path) noexcept : lock_(std::move(lock)), path_(std::move(path)) {}
  FileLock lock_;
  std::string path_;
};

// Removes what dead processes left in `scratch`. Never fails: what cannot be removed stays for the next time.
void sweep_scratch(const std::string& scratch);
// Removes lock files in `locks` that nobody holds.
void sweep_locks(const std::string& locks);

}  // namespace axle
