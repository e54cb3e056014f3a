#include "vendor_library.h"

#include <dlfcn.h>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

namespace axle::ort {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFilePrefix = "libonnxruntime.so";

// "1.31.1" -> {1, 31, 1}; stops at the first thing that is not a number.
std::vector<uint32_t> version_numbers(std::string_view text) {
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

// libonnxruntime.so* directly in `folder`, newest version first.
std::vector<std::string> libraries_in(const fs::path& folder) {
  std::vector<std::pair<std::vector<uint32_t>, std::string>> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (!name.starts_with(kFilePrefix)) continue;
    const std::string_view rest = std::string_view(name).substr(std::string_view(kFilePrefix).size());
    found.emplace_back(version_numbers(rest.empty() ? rest : rest.substr(1)), it->path().string());
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> paths;
  for (auto& [version, path] : found) paths.push_back(std::move(path));
  return paths;
}

std::string resolved_path(void* symbol, const std::string& fallback) {
  Dl_info info{};
  if (dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return fallback;
  std::error_code error;
  const fs::path real = fs::canonical(info.dli_fname, error);
  return error ? std::string(info.dli_fname) : real.string();
}

// Throws UNAVAILABLE saying what is wrong with this one file.
VendorLibrary open_one(const std::string& path) {
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = dlerror();
    throw kit::unavailable(reason == nullptr ? path + " cannot be opened" : std::string(reason));
  }
  kit::watch_process_end();
  void* symbol = dlsym(handle, "OrtGetApiBase");
  if (symbol == nullptr) throw kit::unavailable(path + " is not ONNX Runtime: it has no OrtGetApiBase");
  const OrtApiBase* base = reinterpret_cast<const OrtApiBase* (*)()>(symbol)();
  if (base == nullptr) throw kit::unavailable(path + ": OrtGetApiBase returned nothing");
  VendorLibrary library;
  library.path = resolved_path(symbol, path);
  library.version = base->GetVersionString();
  const std::vector<uint32_t> numbers = version_numbers(library.version);
  // Asking for a version that the library lacks makes it print to stderr, so the version text decides.
  if (numbers.size() < 2 || numbers[0] != 1) {
    throw kit::unavailable(library.path + " is ONNX Runtime " + library.version + ", which this plugin does not know (1." +
                           std::to_string(kMinimumApi) + " or newer of 1.x is needed)");
  }
  if (numbers[1] < kMinimumApi) {
    throw kit::unavailable(library.path + " is ONNX Runtime " + library.version + ", too old: 1." +
                           std::to_string(kMinimumApi) + " or newer is needed");
  }
  library.api.version = std::min<uint32_t>(ORT_API_VERSION, numbers[1]);
  library.api.table = base->GetApi(library.api.version);
  if (library.api.table == nullptr) {
    throw kit::unavailable(library.path + " (" + library.version + ") does not offer API version " +
                           std::to_string(library.api.version));
  }
  const char* build = library.api->GetBuildInfoString();
  library.build = build == nullptr ? "" : build;
  return library;
}

}  // namespace

std::vector<std::string> library_candidates(const std::vector<std::string>& search_folders) {
  std::vector<std::string> candidates;
  for (const std::string& folder : search_folders) {
    for (const fs::path& place : {fs::path(folder) / "onnxruntime" / "capi", fs::path(folder)}) {
      for (std::string& path : libraries_in(place)) candidates.push_back(std::move(path));
    }
  }
  candidates.emplace_back("libonnxruntime.so.1");
  for (uint32_t minor = 40; minor >= kMinimumApi; --minor) candidates.push_back("libonnxruntime.so.1." + std::to_string(minor));
  candidates.emplace_back("libonnxruntime.so");
  return candidates;
}

VendorLibrary open_vendor_library(const kit::CreateArgs& args) {
  std::string explicit_path = args.library_path;
  std::string origin = "the configured library";
  if (explicit_path.empty()) {
    const char* variable = std::getenv(kLibraryVariable);
    explicit_path = variable == nullptr ? "" : variable;
    origin = kLibraryVariable;
  }
  if (!explicit_path.empty()) {
    try {
      return open_one(explicit_path);
    } catch (const kit::Error& error) {
      throw kit::unavailable(origin + " cannot be used: " + error.message())
          .hint(std::string("correct the path, or remove it and run: ") + kInstallCommand);
    }
  }
  std::string refused;
  for (const std::string& candidate : library_candidates(args.search_folders)) {
    try {
      return open_one(candidate);
    } catch (const kit::Error& error) {
      // A bare name that the system does not have is no finding.
      const bool exists = candidate.find('/') != std::string::npos || error.message().find("No such file") == std::string::npos;
      if (exists) refused += (refused.empty() ? "" : "; ") + error.message();
    }
  }
  std::string message = "ONNX Runtime was not found in " + std::to_string(args.search_folders.size()) +
                        " search folders nor on the system (libonnxruntime.so.1)";
  if (!refused.empty()) message = "no usable ONNX Runtime: " + refused;
  throw kit::unavailable(message).hint(kInstallCommand);
}

std::vector<std::string> other_copies(const std::string& path) {
  std::set<std::string> copies;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string file = line.substr(slash);
    const std::string name = fs::path(file).filename().string();
    const bool ours = name.starts_with(kFilePrefix) || name.starts_with("onnxruntime_pybind11_state");
    if (ours && file != path) copies.insert(file);
  }
  return {copies.begin(), copies.end()};
}

}  // namespace axle::ort
