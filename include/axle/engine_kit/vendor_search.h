// VendorSearch: which file of a vendor's library is opened, and what is said when none can be used. In this order: the explicit
// path, the environment variable, the search folders (Python environments first), the system. What was named explicitly is never
// replaced by another library.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "axle/engine_kit/plugin.h"

namespace axle::kit {

struct VendorSearch {
  std::string vendor;  // "ONNX Runtime", for messages
  std::string variable;  // "AXLE_ONNXRUNTIME_LIBRARY"
  std::string install_command;  // hint of every refusal
  std::string file_prefix;  // "libonnxruntime.so": files that start so, the newest version first
  std::string subfolder;  // "onnxruntime/capi": looked at in a search folder before the folder itself
  std::vector<std::string> system_folders;  // read only when the search folders had nothing
  std::vector<std::string> system_names;  // at least one; for the dynamic linker, which may know none of them
};

// "1.31.1-rc" -> {1, 31, 1}: stops at the first thing that is not a number.
inline std::vector<uint32_t> version_numbers(std::string_view text) {
  std::vector<uint32_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    uint32_t number = 0;
    const auto [next, code] = std::from_chars(at, end, number);
    if (code != std::errc()) break;
    numbers.push_back(number);
    if (next == end || *next != '.') break;
    at = next + 1;
  }
  return numbers;
}

namespace detail {

// The files directly in `folder` whose names start with `prefix`, the newest version first; none when it cannot be read.
inline void add_libraries_in(const std::filesystem::path& folder, std::string_view prefix, std::vector<std::string>& paths) {
  std::vector<std::pair<std::vector<uint32_t>, std::string>> found;
  std::error_code error;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(prefix)) continue;
    std::string_view rest = std::string_view(name).substr(prefix.size());
    if (rest.starts_with('.')) rest.remove_prefix(1);
    found.emplace_back(version_numbers(rest), it->path().string());
  }
  std::sort(found.rbegin(), found.rend());
  for (auto& [version, path] : found) paths.push_back(std::move(path));
}

inline std::vector<std::string> folder_candidates(const VendorSearch& search, const std::vector<std::string>& folders) {
  std::vector<std::string> candidates;
  for (const std::string& folder : folders) {
    if (!search.subfolder.empty())
      add_libraries_in(std::filesystem::path(folder) / search.subfolder, search.file_prefix, candidates);
    add_libraries_in(folder, search.file_prefix, candidates);
  }
  return candidates;
}

inline std::vector<std::string> system_candidates(const VendorSearch& search) {
  std::vector<std::string> candidates;
  for (const std::string& folder : search.system_folders) add_libraries_in(folder, search.file_prefix, candidates);
  candidates.insert(candidates.end(), search.system_names.begin(), search.system_names.end());
  return candidates;
}

// The first that opens; what was wrong with the others is added to `refused`.
template <typename Open>
auto open_first(const std::vector<std::string>& candidates, Open& open, std::string& refused)
    -> std::optional<decltype(open(std::string()))> {
  for (const std::string& candidate : candidates) {
    try {
      return open(candidate);
    } catch (const Error& error) {
      // That the system does not know a bare name is no finding.
      const bool exists = candidate.find('/') != std::string::npos || error.message().find("No such file") == std::string::npos;
      if (exists) refused += (refused.empty() ? "" : "; ") + error.message();
    }
  }
  return std::nullopt;
}

}  // namespace detail

// The places that open_vendor_library looks at when nothing is explicit, in order.
inline std::vector<std::string> library_candidates(const VendorSearch& search, const std::vector<std::string>& folders) {
  std::vector<std::string> candidates = detail::folder_candidates(search, folders);
  const std::vector<std::string> system = detail::system_candidates(search);
  candidates.insert(candidates.end(), system.begin(), system.end());
  return candidates;
}

// What `open` gives for the first file it can use. open(path) throws UNAVAILABLE saying what is wrong with that one file; a name
// without '/' is one for the dynamic linker. Throws UNAVAILABLE naming what was wrong with each file tried.
template <typename Open>
auto open_vendor_library(const VendorSearch& search, const CreateArgs& args, Open open) -> decltype(open(std::string())) {
  std::string explicit_path = args.library_path;
  std::string origin = "the configured library";
  if (explicit_path.empty()) {
    const char* variable = std::getenv(search.variable.c_str());
    explicit_path = variable == nullptr ? "" : variable;
    origin = search.variable;
  }
  if (!explicit_path.empty()) {
    try {
      return open(explicit_path);
    } catch (const Error& error) {
      throw unavailable(origin + " cannot be used: " + error.message())
          .hint("correct the path, or remove it and run: " + search.install_command);
    }
  }
  std::string refused;
  if (auto found = detail::open_first(detail::folder_candidates(search, args.search_folders), open, refused)) return *found;
  if (auto found = detail::open_first(detail::system_candidates(search), open, refused)) return *found;
  if (!refused.empty()) throw unavailable("no usable " + search.vendor + ": " + refused).hint(search.install_command);
  throw unavailable(search.vendor + " was not found in " + std::to_string(args.search_folders.size()) +
                    " search folders nor on the system (" + search.system_names.front() + ")")
      .hint(search.install_command);
}

// Files mapped into this process now whose names start with one of `prefixes`, but for `path`: other copies of the library.
inline std::vector<std::string> other_copies(const std::string& path, const std::vector<std::string_view>& prefixes) {
  std::set<std::string> copies;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string file = line.substr(slash);
    const std::string name = file.substr(file.rfind('/') + 1);
    const bool ours = std::any_of(prefixes.begin(), prefixes.end(), [&](std::string_view p) { return name.starts_with(p); });
    if (ours && file != path) copies.insert(file);
  }
  return {copies.begin(), copies.end()};
}

}  // namespace axle::kit
