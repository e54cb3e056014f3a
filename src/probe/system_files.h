// The only door from src/probe to the file system: bounded, quiet reads of /proc, /sys and /dev under a root folder
// ("/" in production, an unpacked fixture in tests). Nothing here fails loudly: what cannot be read is absent.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct dirent;

namespace axle {

class SystemFiles {
 public:
  explicit SystemFiles(std::string root = "/");

  // Content of a regular file, at most `max_bytes`; absent when it cannot be read or is empty.
  std::optional<std::string> content(std::string_view path, size_t max_bytes = 64u << 10) const;
  // First line without white space around it, control and non-UTF-8 bytes removed; absent when nothing is left.
  std::optional<std::string> line(std::string_view path) const;
  // Decimal or 0x-prefixed; absent when there is anything else.
  std::optional<int64_t> number(std::string_view path) const;
  // Names in a folder, sorted by number where they end in one (node2 before node10), at most 8192.
  std::vector<std::string> list(std::string_view folder) const;
  // As list(), of real folders alone: no links to folders.
  std::vector<std::string> folders(std::string_view folder) const;
  // Last component of a symbolic link's target, "" when it is none.
  std::string link_name(std::string_view path) const;
  bool exists(std::string_view path) const;
  bool is_folder(std::string_view path) const;
  // This process may open it for reading.
  bool readable(std::string_view path) const;

 private:
  std::string full(std::string_view path) const;
  std::vector<std::string> entries(std::string_view folder, const std::function<bool(const dirent&)>& wanted) const;
  std::string root_;
};

// Printable UTF-8 only, no white space around it, at most 256 bytes.
std::string clean_text(std::string_view text);
// Whole text as a number: decimal, or hexadecimal with 0x.
std::optional<int64_t> parse_number(std::string_view text);
// "0-3,8" -> {0,1,2,3,8}, ascending; malformed pieces and numbers from 8192 up are skipped.
std::vector<int32_t> parse_cpu_list(std::string_view text);
// "key<separator>value" -> value, cleaned, for the first line whose key matches; "" when absent.
std::string value_of(std::string_view text, std::string_view key, char separator = ':');
// Lines without their end.
std::vector<std::string_view> split_lines(std::string_view text);
std::vector<std::string_view> split_words(std::string_view text);

}  // namespace axle
