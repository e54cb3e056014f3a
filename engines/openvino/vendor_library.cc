#include "vendor_library.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

#include <dlfcn.h>

namespace axle::openvino {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFilePrefix = "libopenvino_c.so";
constexpr int kMinimumYear = 2024;

void add_libraries_in(const fs::path& folder, std::vector<std::string>& candidates) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(kFilePrefix)) found.push_back(it->path().string());
  }
  std::sort(found.rbegin(), found.rend());
  candidates.insert(candidates.end(), found.begin(), found.end());
}

std::string real_path(void* symbol, const std::string& fallback) {
  Dl_info info{};
  if (dladdr(symbol, &info) == 0 || info.dli_fname == nullptr) return fallback;
  std::error_code error;
  const fs::path real = fs::canonical(info.dli_fname, error);
  return error ? std::string(info.dli_fname) : real.string();
}

template <typename T>
void resolve(void* library, const char* name, const std::string& path, T& slot) {
  void* symbol = dlsym(library, name);
  if (symbol == nullptr) throw kit::unavailable(path + " has no " + name + ": not OpenVINO's C library, or too old");
  slot = reinterpret_cast<T>(symbol);
}

// Throws UNAVAILABLE saying what is wrong with this one file.
std::shared_ptr<const Api> open_one(const std::string& path) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* reason = dlerror();
    throw kit::unavailable(reason == nullptr ? path + " cannot be opened" : std::string(reason));
  }
  kit::watch_process_end();
  auto api = std::make_shared<Api>();
#define AXLE_OPENVINO_RESOLVE(name) resolve(library, #name, path, api->name);
  AXLE_OPENVINO_FUNCTIONS(AXLE_OPENVINO_RESOLVE)
#undef AXLE_OPENVINO_RESOLVE
  api->path = real_path(reinterpret_cast<void*>(api->ov_core_create), path);
  ov_version_t version{};
  check(*api, api->ov_get_openvino_version(&version), "asking OpenVINO for its version");
  api->build = version.buildNumber == nullptr ? "" : version.buildNumber;
  api->ov_version_free(&version);
  api->version = api->build.substr(0, api->build.find('-'));
  if (leading_number(api->version) < kMinimumYear) {
    throw kit::unavailable(api->path + " is OpenVINO " + api->version + ", too old: " + std::to_string(kMinimumYear) +
                           ".0 or newer is needed");
  }
  return api;
}

std::vector<std::string> folder_candidates(const std::vector<std::string>& search_folders) {
  std::vector<std::string> candidates;
  for (const std::string& folder : search_folders) {
    add_libraries_in(fs::path(folder) / "openvino" / "libs", candidates);
    add_libraries_in(folder, candidates);
  }
  return candidates;
}

std::vector<std::string> system_candidates() {
  std::vector<std::string> candidates;
  for (const char* folder : {"/opt/intel/openvino/runtime/lib/intel64", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu",
                             "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"}) {
    add_libraries_in(folder, candidates);
  }
  candidates.emplace_back(kFilePrefix);
  return candidates;
}

// The first that opens, or null; what was wrong with the others is added to `refused`.
std::shared_ptr<const Api> open_first(const std::vector<std::string>& candidates, std::string& refused) {
  for (const std::string& candidate : candidates) {
    try {
      return open_one(candidate);
    } catch (const kit::Error& error) {
      if (candidate != kFilePrefix) refused += (refused.empty() ? "" : "; ") + error.message();
    }
  }
  return nullptr;
}

}  // namespace

int leading_number(std::string_view text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void check(const Api& api, ov_status_e status, const std::string& what) {
  if (status == OK) return;
  const char* text = api.ov_get_last_err_msg();
  std::string message = text == nullptr ? "" : text;
  api.ov_free(text);
  if (message.empty()) message = api.ov_get_error_info(status);
  axle_code_t code = AXLE_INTERNAL;
  if (status == INFER_CANCELLED) code = AXLE_CANCELLED;
  if (status == NOT_IMPLEMENTED || status == NOT_IMPLEMENT_C_METHOD) code = AXLE_UNIMPLEMENTED;
  if (status == PARAMETER_MISMATCH || status == INVALID_C_PARAM) code = AXLE_INVALID_ARGUMENT;
  throw kit::Error(code, what + ": " + message).vendor_code(status);
}

std::vector<std::string> library_candidates(const std::vector<std::string>& search_folders) {
  std::vector<std::string> candidates = folder_candidates(search_folders);
  const std::vector<std::string> system = system_candidates();
  candidates.insert(candidates.end(), system.begin(), system.end());
  return candidates;
}

std::shared_ptr<const Api> open_vendor_library(const kit::CreateArgs& args) {
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
  // The system's folders are long: they are read only when they are needed.
  if (auto api = open_first(folder_candidates(args.search_folders), refused)) return api;
  if (auto api = open_first(system_candidates(), refused)) return api;
  if (!refused.empty()) throw kit::unavailable("no usable OpenVINO: " + refused).hint(kInstallCommand);
  throw kit::unavailable("OpenVINO was not found in " + std::to_string(args.search_folders.size()) +
                         " search folders nor on the system (" + std::string(kFilePrefix) + ")")
      .hint(kInstallCommand);
}

std::vector<std::string> other_copies(const std::string& path) {
  std::set<std::string> copies;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const size_t slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string file = line.substr(slash);
    if (fs::path(file).filename().string().starts_with(kFilePrefix) && file != path) copies.insert(file);
  }
  return {copies.begin(), copies.end()};
}

}  // namespace axle::openvino
