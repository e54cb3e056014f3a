// Digests of plugin and vendor libraries, remembered by file stamp: hashing a 30 MB library at each start costs 16 ms.
// Thread-safe.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "axle/status.h"

namespace axle {

// The files a vendor's library is made of, sorted: itself, and what lies beside it under its stem. libopenvino_c.so is a thin
// wrapper: the arithmetic is in libopenvino_intel_cpu_plugin.so, which it opens by itself.
std::vector<std::string> library_family(const std::string& path);

class LibraryDigests {
 public:
  // `memo_path`: a small JSON file, read on first use and written when something was hashed; "" = in memory only. A file that
  // cannot be read or written is as good as none.
  explicit LibraryDigests(std::string memo_path) : memo_path_(std::move(memo_path)) {}

  // "sha256:..." of one file. A remembered digest is used only while the file's stamp is equal and may be trusted.
  Result<std::string> of_file(const std::string& path);
  // Of a vendor's library with its whole family and its parts, names and content, not where they lie: artefacts serve other machines
  // that have the same files. Of a library alone it is its file's.
  Result<std::string> of_library(const std::string& path, const std::vector<std::string>& parts = {});

 private:
  struct Entry {
    std::string stamp;
    std::string digest;
  };
  Result<std::string> look_up(const std::string& path);  // mutex held
  void read_memo();
  void write_memo();

  std::mutex mutex_;
  std::string memo_path_;
  bool read_ = false;
  bool hashed_ = false;  // something that the file does not hold yet
  std::map<std::string, Entry> entries_;
};

}  // namespace axle
