// AppendLog: a file of records that many processes append to at once. One line per record:
//   <first 16 hex digits of SHA-256 of kind and payload> <payload>\n
// A line whose checksum does not fit is skipped and counted; an unfinished last line is cut off by the next append. A
// failed append leaves the file as it was. Payloads are one line of text.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "axle/cancel.h"
#include "axle/status.h"
#include "cache/file_lock.h"

namespace axle {

struct LogScan {
  uint64_t records = 0;  // handed out
  uint64_t bad = 0;      // lines that were damaged
  uint64_t bytes = 0;
  bool unfinished = false;  // the last line has no end: an append under way, or one that died
};

class AppendLog {
 public:
  static constexpr size_t kMaxRecordBytes = 16u << 20;

  // `kind` holds the version ("evidence 1") and is part of every checksum. Touches nothing.
  AppendLog(std::string path, std::string kind, uint64_t max_bytes);

  const std::string& path() const noexcept { return path_; }

  // All or none when the call returns; after a crash, whole records in order. INVALID_ARGUMENT: a payload is empty, too
  // long or has a line end. RESOURCE_EXHAUSTED: no space, or the log would pass max_bytes.
  Status append(const std::vector<std::string>& payloads, const CancelToken& cancel = CancelToken::none()) const;

  // Hands out sound payloads in order. `want` is asked first, before the checksum is spent on a line; empty = all. A
  // missing file has no records. Locks nothing: an append or a rewrite that runs meanwhile is seen or not seen.
  Result<LogScan> read(const std::function<void(std::string_view payload)>& visit,
                       const std::function<bool(std::string_view payload)>& want = {}) const;

  // How many lines are damaged or unfinished, with appends held off where the file may be locked.
  Result<uint64_t> count_bad() const;

  // Replaces all records by what `edit` makes of them, under the lock: no append is lost. The file is removed when nothing
  // is left. Readers see the old or the new file.
  Status rewrite(const std::function<std::vector<std::string>(std::vector<std::string>)>& edit,
                 const CancelToken& cancel = CancelToken::none()) const;

  // 0 when there is none.
  uint64_t size_bytes() const noexcept;

  // The line that holds `payload`, and what read() does with the content of a file.
  std::string line(std::string_view payload) const;
  LogScan scan(std::string_view content, const std::function<void(std::string_view)>& visit,
               const std::function<bool(std::string_view)>& want = {}) const;

 private:
  std::string path_;
  std::string kind_;
  uint64_t max_bytes_;
};

}  // namespace axle
