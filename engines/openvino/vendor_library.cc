#include "vendor_library.h"

#include <charconv>
#include <filesystem>

#include <dlfcn.h>

namespace axle::openvino {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFilePrefix = "libopenvino_c.so";
constexpr int kMinimumYear = 2024;

kit::VendorSearch search() {
  return {"OpenVINO",
          kLibraryVariable,
          kInstallCommand,
          std::string(kFilePrefix),
          "openvino/libs",
          {"/opt/intel/openvino/runtime/lib/intel64", "/usr/local/lib", "/usr/lib/x86_64-linux-gnu",
           "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"},
          {std::string(kFilePrefix)}};
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
  return kit::library_candidates(search(), search_folders);
}

std::shared_ptr<const Api> open_vendor_library(const kit::CreateArgs& args) {
  return kit::open_vendor_library(search(), args, open_one);
}

std::vector<std::string> other_copies(const std::string& path) { return kit::other_copies(path, {kFilePrefix}); }

}  // namespace axle::openvino
