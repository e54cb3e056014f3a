#include "recorded_library.h"

#include <algorithm>
#include <cstring>
#include <new>

using axle::ort::testing::RecordedDevice;
using axle::ort::testing::Recording;

struct OrtStatus {
  OrtErrorCode code;
  std::string message;
};
struct OrtHardwareDevice {
  OrtHardwareDeviceType type;
};
struct OrtKeyValuePairs {
  std::string library;
};
struct OrtEpDevice {
  std::string provider;
  OrtHardwareDevice hardware;
  OrtKeyValuePairs metadata;
};
struct OrtCUDAProviderOptionsV2 {
  std::string text;
};
struct OrtTensorRTProviderOptionsV2 {
  std::string text;
};

struct OrtSession {
  std::string provider;
};
struct OrtEpAssignedNode {
  std::string name;
};
struct OrtEpAssignedSubgraph {
  std::string provider;
  OrtEpAssignedNode node;
  const OrtEpAssignedNode* nodes = &node;
};

namespace {

Recording recording;
std::vector<OrtEpAssignedSubgraph> assigned;
std::vector<const OrtEpAssignedSubgraph*> assigned_list;
std::vector<OrtEpDevice> devices;
std::vector<const OrtEpDevice*> device_list;

// Something to point at, for objects that nobody looks into.
template <typename T>
T* token() {
  static char place = 0;
  return reinterpret_cast<T*>(&place);
}

// Every slot that the version does not have: counts, and says "done".
void* beyond() noexcept {
  ++recording.beyond;
  return nullptr;
}

template <typename... Arguments>
OrtStatusPtr fine(Arguments...) noexcept {
  return nullptr;
}

std::string with_entries(std::string text, const char* const* keys, const char* const* values, size_t count) {
  for (size_t i = 0; i < count; ++i) text += std::string(" ") + keys[i] + "=" + values[i];
  return text;
}

OrtStatusPtr append(const std::string& provider, const std::string& text) {
  if (provider == recording.cannot_start) return new OrtStatus{ORT_FAIL, "no driver for " + provider};
  recording.appended.push_back(text);
  return nullptr;
}

OrtStatusPtr update(std::string& text, const char* const* keys, const char* const* values, size_t count) {
  text = with_entries("", keys, values, count);
  return nullptr;
}

template <typename T>
OrtStatusPtr create_provider_options(T** out) noexcept {
  ++recording.live_options;
  *out = new T;
  return nullptr;
}
template <typename T>
void release_provider_options(T* options) noexcept {
  --recording.live_options;
  delete options;
}

void fill_statuses_and_environment(OrtApi& api) {
  api.GetErrorCode = [](const OrtStatus* status) noexcept { return status->code; };
  api.GetErrorMessage = [](const OrtStatus* status) noexcept { return status->message.c_str(); };
  api.ReleaseStatus = [](OrtStatus* status) noexcept { delete status; };
  api.GetBuildInfoString = []() noexcept { return "recorded"; };
  api.CreateEnvWithCustomLogger = [](OrtLoggingFunction, void*, OrtLoggingLevel, const char*, OrtEnv** out) noexcept {
    *out = token<OrtEnv>();
    return OrtStatusPtr(nullptr);
  };
  api.DisableTelemetryEvents = fine;
  api.CreateCpuMemoryInfo = [](OrtAllocatorType, OrtMemType, OrtMemoryInfo** out) noexcept {
    *out = token<OrtMemoryInfo>();
    return OrtStatusPtr(nullptr);
  };
  api.ReleaseMemoryInfo = [](OrtMemoryInfo*) noexcept {};
  api.GetAllocatorWithDefaultOptions = [](OrtAllocator** out) noexcept {
    *out = token<OrtAllocator>();
    return OrtStatusPtr(nullptr);
  };
}

void fill_session_options(OrtApi& api) {
  api.CreateSessionOptions = [](OrtSessionOptions** out) noexcept {
    *out = token<OrtSessionOptions>();
    ++recording.live_options;
    recording.entries.clear();
    return OrtStatusPtr(nullptr);
  };
  api.ReleaseSessionOptions = [](OrtSessionOptions*) noexcept { --recording.live_options; };
  api.SetIntraOpNumThreads = fine;
  api.SetInterOpNumThreads = fine;
  api.SetSessionExecutionMode = fine;
  api.SetSessionGraphOptimizationLevel = [](OrtSessionOptions*, GraphOptimizationLevel level) noexcept {
    recording.graph_optimization_level = level;
    return OrtStatusPtr(nullptr);
  };
  api.EnableCpuMemArena = fine;
  api.DisableCpuMemArena = fine;
  api.EnableMemPattern = fine;
  api.DisableMemPattern = fine;
  api.AddSessionConfigEntry = [](OrtSessionOptions*, const char* key, const char* value) noexcept {
    recording.entries[key] = value;
    return OrtStatusPtr(nullptr);
  };
}

void fill_providers(OrtApi& api) {
  api.GetAvailableProviders = [](char*** out, int* count) noexcept {
    *count = static_cast<int>(recording.compiled_in.size());
    *out = new char*[recording.compiled_in.size()];
    for (int i = 0; i < *count; ++i) (*out)[i] = recording.compiled_in[static_cast<size_t>(i)].data();
    return OrtStatusPtr(nullptr);
  };
  api.ReleaseAvailableProviders = [](char** names, int) noexcept {
    delete[] names;
    return OrtStatusPtr(nullptr);
  };
  api.CreateCUDAProviderOptions = create_provider_options;
  api.ReleaseCUDAProviderOptions = release_provider_options;
  api.UpdateCUDAProviderOptions = [](OrtCUDAProviderOptionsV2* options, const char* const* keys, const char* const* values,
                                     size_t count) noexcept { return update(options->text, keys, values, count); };
  api.SessionOptionsAppendExecutionProvider_CUDA_V2 = [](OrtSessionOptions*, const OrtCUDAProviderOptionsV2* options) noexcept {
    return append("CUDAExecutionProvider", "CUDAExecutionProvider" + options->text);
  };
  api.CreateTensorRTProviderOptions = create_provider_options;
  api.ReleaseTensorRTProviderOptions = release_provider_options;
  api.UpdateTensorRTProviderOptions = [](OrtTensorRTProviderOptionsV2* options, const char* const* keys,
                                         const char* const* values,
                                         size_t count) noexcept { return update(options->text, keys, values, count); };
  api.SessionOptionsAppendExecutionProvider_TensorRT_V2 = [](OrtSessionOptions*,
                                                             const OrtTensorRTProviderOptionsV2* options) noexcept {
    return append("TensorrtExecutionProvider", "TensorrtExecutionProvider" + options->text);
  };
  api.SessionOptionsAppendExecutionProvider_OpenVINO_V2 = [](OrtSessionOptions*, const char* const* keys,
                                                             const char* const* values, size_t count) noexcept {
    return append("OpenVINOExecutionProvider", with_entries("OpenVINOExecutionProvider", keys, values, count));
  };
  api.SessionOptionsAppendExecutionProvider = [](OrtSessionOptions*, const char* name, const char* const* keys,
                                                 const char* const* values, size_t count) noexcept {
    return append(std::string(name) + "ExecutionProvider", with_entries(std::string("by name: ") + name, keys, values, count));
  };
}

OrtStatusPtr create_session(OrtSession** out) {
  const auto refuses = recording.entries.find("session.disable_cpu_ep_fallback");
  if (refuses != recording.entries.end() && refuses->second == "1" && !recording.left_to_cpu.empty()) {
    return new OrtStatus{
        ORT_FAIL,
        "This session contains graph nodes that are assigned to the default CPU EP, but fallback to CPU EP has been "
        "explicitly disabled by the user."};
  }
  const std::string last = recording.appended.empty() ? "CPUExecutionProvider" : recording.appended.back();
  *out = new OrtSession{last.substr(0, last.find(' '))};
  ++recording.live_sessions;
  return nullptr;
}

void fill_sessions(OrtApi& api) {
  api.SetSessionLogSeverityLevel = fine;
  api.SetUserLoggingFunction = fine;
  api.SessionOptionsSetCustomCreateThreadFn = fine;
  api.SessionOptionsSetCustomThreadCreationOptions = fine;
  api.SessionOptionsSetCustomJoinThreadFn = fine;
  api.HasSessionConfigEntry = [](const OrtSessionOptions*, const char*, int* out) noexcept {
    return *out = 0, OrtStatusPtr(nullptr);
  };
  api.CreateSessionFromArray = [](const OrtEnv*, const void*, size_t, const OrtSessionOptions*, OrtSession** out) noexcept {
    return create_session(out);
  };
  api.ReleaseSession = [](OrtSession* session) noexcept {
    if (session != nullptr) --recording.live_sessions;
    delete session;
  };
  api.SessionGetInputCount = [](const OrtSession*, size_t* out) noexcept { return *out = 0, OrtStatusPtr(nullptr); };
  api.SessionGetOutputCount = [](const OrtSession*, size_t* out) noexcept { return *out = 0, OrtStatusPtr(nullptr); };
}

// What came with 1.24.
void fill_assignment(OrtApi& api) {
  api.Session_GetEpGraphAssignmentInfo = [](const OrtSession* session, const OrtEpAssignedSubgraph* const** out,
                                            size_t* count) noexcept {
    assigned.clear();
    assigned_list.clear();
    for (const std::string& node : recording.nodes) {
      const bool left = std::ranges::find(recording.left_to_cpu, node) != recording.left_to_cpu.end();
      assigned.push_back({left ? "CPUExecutionProvider" : session->provider, {node}});
    }
    for (OrtEpAssignedSubgraph& subgraph : assigned) {
      subgraph.nodes = &subgraph.node;
      assigned_list.push_back(&subgraph);
    }
    *out = assigned_list.data();
    *count = assigned_list.size();
    return OrtStatusPtr(nullptr);
  };
  api.EpAssignedSubgraph_GetEpName = [](const OrtEpAssignedSubgraph* subgraph, const char** out) noexcept {
    return *out = subgraph->provider.c_str(), OrtStatusPtr(nullptr);
  };
  api.EpAssignedSubgraph_GetNodes = [](const OrtEpAssignedSubgraph* subgraph, const OrtEpAssignedNode* const** out,
                                       size_t* count) noexcept {
    return *out = &subgraph->nodes, *count = 1, OrtStatusPtr(nullptr);
  };
  api.EpAssignedNode_GetName = [](const OrtEpAssignedNode* node, const char** out) noexcept {
    return *out = node->name.c_str(), OrtStatusPtr(nullptr);
  };
}

const char* kind_of(OrtHardwareDeviceType type) {
  if (type == OrtHardwareDeviceType_GPU) return "gpu";
  return type == OrtHardwareDeviceType_NPU ? "npu" : "cpu";
}

// What came with 1.22.
void fill_devices(OrtApi& api) {
  api.GetEpDevices = [](const OrtEnv*, const OrtEpDevice* const** out, size_t* count) noexcept {
    devices.clear();
    device_list.clear();
    for (const RecordedDevice& device : recording.devices)
      devices.push_back({device.provider, {device.type}, {device.library}});
    for (const OrtEpDevice& device : devices) device_list.push_back(&device);
    *out = device_list.data();
    *count = device_list.size();
    return OrtStatusPtr(nullptr);
  };
  api.EpDevice_EpName = [](const OrtEpDevice* device) { return device->provider.c_str(); };
  api.EpDevice_EpMetadata = [](const OrtEpDevice* device) { return &device->metadata; };
  api.EpDevice_Device = [](const OrtEpDevice* device) { return &device->hardware; };
  api.GetKeyValue = [](const OrtKeyValuePairs* pairs, const char* key) {
    return std::strcmp(key, "library_path") == 0 && !pairs->library.empty() ? pairs->library.c_str() : nullptr;
  };
  api.HardwareDevice_Type = [](const OrtHardwareDevice* device) { return device->type; };
  api.HardwareDevice_Vendor = [](const OrtHardwareDevice*) { return "recorded"; };
  api.HardwareDevice_Metadata = [](const OrtHardwareDevice*) -> const OrtKeyValuePairs* { return nullptr; };
  api.RegisterExecutionProviderLibrary = [](OrtEnv*, const char*, const ORTCHAR_T*) noexcept { return OrtStatusPtr(nullptr); };
  api.SessionOptionsAppendExecutionProvider_V2 = [](OrtSessionOptions*, OrtEnv*, const OrtEpDevice* const* chosen, size_t,
                                                    const char* const* keys, const char* const* values, size_t count) noexcept {
    const OrtEpDevice& device = *chosen[0];
    return append(device.provider, with_entries(device.provider + " on " + kind_of(device.hardware.type), keys, values, count));
  };
}

uint32_t minor_version() {
  const size_t dot = recording.version.find('.');
  return static_cast<uint32_t>(std::stoul(recording.version.substr(dot + 1)));
}

// A table of its own for each call: older versions of it end earlier. A library's tables are never released.
const OrtApi* get_api(uint32_t version) noexcept {
  recording.asked_for.push_back(version);
  if (version > minor_version()) return nullptr;
  static auto& tables = *new std::vector<OrtApi*>;  // what a leak check finds them by
  auto* api = static_cast<OrtApi*>(::operator new(sizeof(OrtApi)));
  tables.push_back(api);
  void* (*const unknown)() noexcept = beyond;
  for (size_t at = 0; at + sizeof(unknown) <= sizeof(OrtApi); at += sizeof(unknown))
    std::memcpy(static_cast<char*>(static_cast<void*>(api)) + at, &unknown, sizeof(unknown));
  fill_statuses_and_environment(*api);
  fill_session_options(*api);
  fill_providers(*api);
  fill_sessions(*api);
  if (minor_version() >= 22) fill_devices(*api);
  if (minor_version() >= 24) fill_assignment(*api);
  return api;
}

const char* get_version() noexcept { return recording.version.c_str(); }

constexpr OrtApiBase kBase = {get_api, get_version};

}  // namespace

extern "C" {
__attribute__((visibility("default"))) const OrtApiBase* OrtGetApiBase(void) noexcept { return &kBase; }
__attribute__((visibility("default"))) Recording* axle_recording() { return &recording; }
}
