// Memo: small remembered answers by key (plans and io specs by digest, support verdicts, digests of stamped files). Each
// is one sealed file: written whole, verified when read, and a damaged one is simply not remembered. Bounded: per folder
// the least recently written go first. Any thread, any process.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "axle/cancel.h"
#include "axle/status.h"
#include "base/file_stamp.h"
#include "base/hash.h"

namespace axle {

struct MemoLimits {
  size_t max_value_bytes = 4u << 20;
  // The memo is spread over 16 folders; each holds at most this much.
  size_t max_files_per_folder = 512;
  uint64_t max_bytes_per_folder = 16u << 20;
};

struct MemoUsage {
  uint64_t entries = 0;
  uint64_t bytes = 0;
};

class Memo {
 public:
  // Touches nothing; `folder` is made by the first put.
  Memo(std::string folder, bool read_only, MemoLimits limits = {});

  // nullopt when it is not there or damaged. `kind` is a word ("plan", "io", "support", "digest").
  std::optional<std::string> get(std::string_view kind, std::string_view key) const;
  // Replaces. INVALID_ARGUMENT: kind is not a word of [a-z0-9_.-], the key has a line end, or the value is too large.
  // RESOURCE_EXHAUSTED: no space; the old value stays. FAILED_PRECONDITION when read-only.
  Status put(std::string_view kind, std::string_view key, std::string_view value);
  Status remove(std::string_view kind, std::string_view key);
  Status clear();

  Result<MemoUsage> usage() const;
  // Reads every memo; `bad` gets the file (relative to the memo's folder) and the reason. Returns the count of all.
  Result<uint64_t> verify(const std::function<void(const std::string& file, const std::string& reason)>& bad) const;
  // Removes leftovers of writers that died, and what is over the limits.
  Status sweep();

 private:
  std::string file_of(std::string_view kind, std::string_view key, std::string* folder) const;
  void trim(const std::string& folder) const;
  std::string folder_;
  bool read_only_;
  MemoLimits limits_;
};

// The content of one memo file, taken apart; views into `text`. DATA_LOSS when it is damaged.
struct MemoRecord {
  std::string_view kind, key, value;
};
Result<MemoRecord> parse_memo(std::string_view text);
std::string memo_to_text(const MemoRecord& record);

struct StampedDigest {
  Digest digest;
  FileStamp stamp;
  bool remembered = false;  // the stamp stood for the content: nothing was read
};
// SHA-256 of a file, remembered by its stamp (device, inode, size, mtime, ctime) when the stamp is trustworthy. `memo` may
// be null; `verify` reads the file whatever is remembered. Codes as sha256_of_file; DATA_LOSS when the file changes while
// it is read.
Result<StampedDigest> stamped_digest(Memo* memo, const std::string& path, bool verify = false,
                                     const CancelToken& cancel = CancelToken::none());

}  // namespace axle
