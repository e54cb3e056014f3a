#include "vendor_library.h"

#include <dlfcn.h>

#include <algorithm>
#include <filesystem>

namespace axle::ort {
namespace {

namespace fs = std::filesystem;

kit::VendorSearch search() {
  kit::VendorSearch search{"ONNX Runtime", kLibraryVariable, kInstallCommand, "libonnxruntime.so", "onnxruntime/capi", {}, {}};
  search.system_names.emplace_back("libonnxruntime.so.1");
  for (uint32_t minor = 40; minor >= kMinimumApi; --minor)
    search.system_names.push_back("libonnxruntime.so.1." + std::to_string(minor));
  search.system_names.emplace_back("libonnxruntime.so");
  return search;
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
  const std::vector<uint32_t> numbers = kit::version_numbers(library.version);
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
  return kit::library_candidates(search(), search_folders);
}

VendorLibrary open_vendor_library(const kit::CreateArgs& args) { return kit::open_vendor_library(search(), args, open_one); }

std::vector<std::string> other_copies(const std::string& path) {
  // The Python module links a copy of its own.
  return kit::other_copies(path, {"libonnxruntime.so", "onnxruntime_pybind11_state"});
}

}  // namespace axle::ort
