#include "qnn_library.h"

#include <dlfcn.h>

#include <filesystem>

#include "quiet_stdout.h"

namespace axle::qnn {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "libonnxruntime_providers_qnn.so";
constexpr const char* kBackend = "libQnnHtp.so";
// Plugin providers' compatibility records came with 1.24.
constexpr uint32_t kOldestApi = 24;

kit::VendorSearch search() {
  return {"Qualcomm's QNN execution provider", kLibraryVariable, kInstallCommand, kFile, "onnxruntime_qnn", {}, {kFile}};
}

std::string metadata_of(const ort::Api& api, const OrtEpDevice* device, const char* key) {
  const OrtKeyValuePairs* pairs = api->EpDevice_EpMetadata(device);
  const char* value = pairs == nullptr ? nullptr : api->GetKeyValue(pairs, key);
  return value == nullptr ? "" : value;
}

// The provider itself says "0.1.0" in every release; what was installed stands beside it. "unknown" where it was not by pip.
std::string package_version(const fs::path& site) {
  constexpr std::string_view kStart = "onnxruntime_qnn-", kEnd = ".dist-info";
  std::error_code error;
  for (fs::directory_iterator it(site, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(kStart) && name.ends_with(kEnd))
      return name.substr(kStart.size(), name.size() - kStart.size() - kEnd.size());
  }
  return "unknown";
}

// A processor if there is one, else the CPU that the emulator runs on.
const OrtEpDevice* find_device(const ort::Runtime& runtime) {
  const ort::Api& api = runtime.api();
  const OrtEpDevice* const* devices = nullptr;
  size_t count = 0;
  ort::check(api, api->GetEpDevices(runtime.env(), &devices, &count), "listing execution provider devices");
  const OrtEpDevice* found = nullptr;
  for (size_t i = 0; i < count; ++i) {
    if (std::string_view(api->EpDevice_EpName(devices[i])) != kProvider) continue;
    const OrtHardwareDeviceType type = api->HardwareDevice_Type(api->EpDevice_Device(devices[i]));
    if (type == OrtHardwareDeviceType_NPU) return devices[i];
    if (type == OrtHardwareDeviceType_CPU && found == nullptr) found = devices[i];
  }
  return found;
}

std::shared_ptr<const ort::Runtime> open_runtime(kit::Host host, const kit::CreateArgs& args, const fs::path& site,
                                                 OrtLoggingLevel level) {
  kit::CreateArgs own = args;
  own.library_path.clear();  // that is the provider's
  own.search_folders.insert(own.search_folders.begin(), site.string());
  std::shared_ptr<const ort::Runtime> runtime;
  try {
    runtime = ort::Runtime::create(host, own, level);
  } catch (const kit::Error& error) {
    throw kit::unavailable("the ONNX Runtime that it plugs into cannot be opened: " + error.message());
  }
  if (!runtime->api().has(kOldestApi)) {
    throw kit::unavailable(runtime->library().path + " is ONNX Runtime " + runtime->library().version + "; QNN needs 1." +
                           std::to_string(kOldestApi) + " or newer");
  }
  return runtime;
}

// Throws UNAVAILABLE saying what is wrong with this one file.
Library open_one(const std::string& path, kit::Host host, const kit::CreateArgs& args, OrtLoggingLevel level) {
  if (path.find('/') == std::string::npos) throw kit::unavailable(path + ": No such file of the system's");
  std::error_code error;
  const fs::path file = fs::canonical(path, error);
  if (error) throw kit::unavailable(path + ": " + error.message());
  for (const char* sibling : {kBackend, "libQnnSystem.so"}) {
    if (!fs::exists(file.parent_path() / sibling, error))
      throw kit::unavailable(file.string() + " has no " + sibling + " beside it");
  }
  Library library;
  library.runtime = open_runtime(host, args, file.parent_path().parent_path(), level);
  const ort::Api& api = library.runtime->api();
  library.device = find_device(*library.runtime);  // another user of this ONNX Runtime may have registered it
  if (library.device == nullptr) {
    const QuietStdout quiet;
    const ort::QuietScope details;
    try {
      ort::check(api, api->RegisterExecutionProviderLibrary(library.runtime->env(), kProvider, file.c_str()),
                 "registering " + file.string());
    } catch (const kit::Error& refused) {
      throw kit::unavailable(refused.message());
    }
    library.device = find_device(*library.runtime);
  }
  if (library.device == nullptr) throw kit::unavailable(file.string() + " offers no device here");
  const std::string registered = metadata_of(api, library.device, "library_path");
  library.path = registered.empty() ? file.string() : registered;
  library.version = package_version(file.parent_path().parent_path()) + " on onnxruntime " + library.runtime->library().version;
  library.emulated = api->HardwareDevice_Type(api->EpDevice_Device(library.device)) != OrtHardwareDeviceType_NPU;
  return library;
}

// The head of the vendor's public QnnInterface_t, which it never changes: all that is needed of its headers, which no package has.
struct InterfaceHead {
  uint32_t backend_id;
  const char* provider_name;
  uint32_t core_version[3];
  uint32_t backend_version[3];
};
using GetProviders = uint64_t (*)(const InterfaceHead*** list, uint32_t* count);

}  // namespace

std::string Version::text() const { return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch); }

std::optional<Version> parse_version(std::string_view text) {
  const std::vector<uint32_t> numbers = kit::version_numbers(text);
  if (numbers.size() != 3) return std::nullopt;
  const Version version{numbers[0], numbers[1], numbers[2]};
  if (version.text() != text) return std::nullopt;
  return version;
}

Library open_library(kit::Host host, const kit::CreateArgs& args, OrtLoggingLevel level) {
  return kit::open_vendor_library(search(), args, [&](const std::string& path) { return open_one(path, host, args, level); });
}

std::vector<std::string> library_candidates(const std::vector<std::string>& search_folders) {
  return kit::library_candidates(search(), search_folders);
}

std::optional<Version> backend_version(const Library& library) {
  const QuietStdout quiet;
  const std::string path = (fs::path(library.path).parent_path() / kBackend).string();
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // stays open: the provider uses it too
  void* symbol = handle == nullptr ? nullptr : dlsym(handle, "QnnInterface_getProviders");
  if (symbol == nullptr) return std::nullopt;
  const InterfaceHead** list = nullptr;
  uint32_t count = 0;
  if (reinterpret_cast<GetProviders>(symbol)(&list, &count) != 0 || list == nullptr || count == 0) return std::nullopt;
  const auto& numbers = list[0]->backend_version;
  return Version{numbers[0], numbers[1], numbers[2]};
}

}  // namespace axle::qnn
