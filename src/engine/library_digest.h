// Digests of plugin and vendor libraries, remembered by file stamp: hashing a 30 MB library at each start costs 16 ms.
// Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "axle/status.h"

namespace axle {

class LibraryDigests {
 public:
  // `memo_path`: a small JSON file, read on first use and written when something was hashed; "" = in memory only. A file that
  // cannot be read or written is as good as none.
  explicit LibraryDigests(std::string memo_path) : memo_path_(std::move(memo_path)) {}

  // "sha256:..." of one file. A remembered digest is used only while the file's stamp is equal and may be trusted.
  Result<std::string> of_file(const std::string& path);
  // One digest over several files and texts, in order.
  Result<std::string> of_all(const std::vector<std::string>& paths, const std::vector<std::string>& texts);

 private:
  struct Entry {
    std::string stamp;
    std::string digest;
  };
  void read_memo();
  void write_memo();

  std::mutex mutex_;
  std::string memo_path_;
  bool read_ = false;
  std::map<std::string, Entry> entries_;
};

}  // namespace axle
