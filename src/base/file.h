// Files: bounded reading, writing that is complete or absent, read-only mappings, folders.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "axle/status.h"
#include "base/file_stamp.h"
#include "base/unique_fd.h"

namespace axle {

inline constexpr uint32_t kPrivateFileMode = 0600;  // for caches and keys
inline constexpr uint32_t kSharedFileMode = 0666;   // for the user's outputs; the umask applies

// Content of `path` (pipes and /proc files too). NOT_FOUND, PERMISSION_DENIED, RESOURCE_EXHAUSTED when it holds more than `max_bytes`.
Result<std::string> read_file(const std::string& path, size_t max_bytes);

// Writes beside `path` and renames at commit(): readers see the old file, or the whole new one. Without commit() nothing
// is left. An existing `path` that is not a regular file (a terminal, a pipe) is written directly.
class AtomicFile {
 public:
  // NOT_FOUND when the folder is missing, PERMISSION_DENIED, RESOURCE_EXHAUSTED.
  static Result<AtomicFile> create(const std::string& path, uint32_t mode = kSharedFileMode);
  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  // RESOURCE_EXHAUSTED when there is no space or a size limit is reached; the process gets no signal.
  Status write(std::span<const std::byte> bytes);
  Status write(std::string_view text);
  // Waits until the bytes are on the disk, then renames and makes the rename durable. At most once.
  Status commit();
  const std::string& path() const noexcept { return path_; }

 private:
  AtomicFile(std::string path, std::string temporary, UniqueFd file) noexcept;
  void discard() noexcept;
  std::string path_;
  std::string temporary_;  // "" = written directly, or done
  UniqueFd file_;
};

// create, write, commit.
Status write_file_atomic(const std::string& path, std::string_view content, uint32_t mode = kSharedFileMode);

// A whole file mapped for reading; move-only. Someone who truncates the file makes reads beyond the new end a SIGBUS:
// call check_unchanged() before handing the bytes to code that cannot bear that.
class MappedFile {
 public:
  // NOT_FOUND, PERMISSION_DENIED, INVALID_ARGUMENT (not a regular file), RESOURCE_EXHAUSTED (larger than `max_bytes`).
  static Result<MappedFile> open(const std::string& path, uint64_t max_bytes = UINT64_MAX);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  std::string_view text() const noexcept { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::string& path() const noexcept { return path_; }
  // As it was when opened.
  const FileStamp& stamp() const noexcept { return stamp_; }
  int fd() const noexcept { return file_.get(); }
  // DATA_LOSS when the file has been changed in place since it was opened.
  Status check_unchanged() const;

 private:
  MappedFile() noexcept = default;
  void unmap() noexcept;
  std::string path_;
  UniqueFd file_;
  FileStamp stamp_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

struct DirEntry {
  std::string name;
  bool is_folder = false;
  bool is_file = false;  // regular; links are neither
  friend bool operator==(const DirEntry&, const DirEntry&) = default;
};
// Entries of a folder sorted by name. NOT_FOUND; RESOURCE_EXHAUSTED when there are more than `max_entries`.
Result<std::vector<DirEntry>> list_dir(const std::string& path, size_t max_entries = 100000);
// Makes `path` and its parents; `mode` for each one made. OK when it exists as a folder.
Status make_dirs(const std::string& path, uint32_t mode = 0777);
// Removes a file or a whole folder without following links; OK when it is absent.
Status remove_tree(const std::string& path);
// OK when `path` is a folder owned by this user (or root) that nobody else may write; PERMISSION_DENIED says what to change.
Status check_private_folder(const std::string& path);

// A fresh folder of mode 0700, removed with everything in it at the end. Move-only.
class ScratchDir {
 public:
  // In `parent`, or in $TMPDIR or /tmp when empty.
  static Result<ScratchDir> create(const std::string& parent = "", std::string_view prefix = "axle");
  ScratchDir(ScratchDir&& other) noexcept;
  ScratchDir& operator=(ScratchDir&& other) noexcept;
  ~ScratchDir();

  const std::string& path() const noexcept { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  explicit ScratchDir(std::string path);
  std::string path_;
};

// Removes those that this process has made and not removed yet: for a process that ends without its destructors.
void remove_scratch_dirs();

namespace detail {
// Fault injection: asked before each step of AtomicFile with the bytes about to be written; an errno value makes it fail.
enum class FileStep : uint8_t { kCreate, kWrite, kSync, kRename };
using FileFault = int (*)(FileStep step, size_t bytes);
void set_file_fault(FileFault fault) noexcept;  // nullptr = none
}  // namespace detail

}  // namespace axle
