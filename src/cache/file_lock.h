// FileLock: an advisory lock on a lock file (flock). It belongs to this object, excludes other threads as well as other
// processes, and the kernel releases it when the process dies. Lock files may be removed by a holder of the exclusive lock.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "axle/cancel.h"
#include "axle/status.h"
#include "base/unique_fd.h"

namespace axle {

enum class LockMode : uint8_t { kShared, kExclusive };

class FileLock {
 public:
  // Waits for the lock; makes the file when needed. `waiting` is called now and then with the time waited so far.
  // CANCELLED, DEADLINE_EXCEEDED; UNIMPLEMENTED when the file system has no locks; errors of opening the file.
  static Result<FileLock> acquire(const std::string& path, LockMode mode, const CancelToken& cancel = CancelToken::none(),
                                  const std::function<void(int64_t waited_ns)>& waiting = {});
  // Without waiting: nullopt when somebody else holds it, or when `create` is false and there is no such file.
  static Result<std::optional<FileLock>> try_acquire(const std::string& path, LockMode mode, bool create = true);

  int fd() const noexcept { return file_.get(); }
  const std::string& path() const noexcept { return path_; }
  // Removes the lock file, then releases. Exclusive locks only: others that wait on the removed file notice and make a new one.
  void remove_and_release() noexcept;

 private:
  FileLock(UniqueFd file, std::string path) noexcept : file_(std::move(file)), path_(std::move(path)) {}
  UniqueFd file_;
  std::string path_;
};

// Locks an open file without waiting; false when somebody else holds it. UNIMPLEMENTED when the file system has no locks.
Result<bool> try_lock_fd(int fd, LockMode mode, const std::string& path_for_messages);
// True when the open file has been removed from its folder.
bool is_removed(int fd) noexcept;

}  // namespace axle
