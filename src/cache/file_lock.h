// FileLock: an advisory lock on a lock file (flock). It belongs to this object, excludes other threads as well as other
// processes, and the kernel releases it when the process dies. Lock files may be removed by a holder of the exclusive lock.
#pragma once

#include <sys/types.h>

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

  FileLock(FileLock&& other) noexcept = default;
  FileLock& operator=(FileLock&& other) noexcept;
  ~FileLock();

  int fd() const noexcept { return file_.get(); }
  const std::string& path() const noexcept { return path_; }
  // Removes the lock file, then releases. Exclusive locks only: others that wait on the removed file notice and make a new one. Does
  // nothing in a forked child, whose copy this is not the lock.
  void remove_and_release() noexcept;

 private:
  FileLock(UniqueFd file, std::string path) noexcept;
  bool is_own() const noexcept;
  void release() noexcept;
  UniqueFd file_;
  std::string path_;
  pid_t owner_ = -1;
};

// Locks an open file without waiting; false when somebody else holds it. UNIMPLEMENTED when the file system has no locks.
Result<bool> try_lock_fd(int fd, LockMode mode, const std::string& path_for_messages);
// True when the open file has been removed from its folder.
bool is_removed(int fd) noexcept;

}  // namespace axle
