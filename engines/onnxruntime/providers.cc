#include "providers.h"

#include <algorithm>
#include <filesystem>

namespace axle::ort {
namespace {

// The library then fails a load in which a node is left to its CPU provider.
constexpr const char* kRefuseCpu = "session.disable_cpu_ep_fallback";

using Entries = std::vector<std::pair<const char*, const char*>>;

struct KnownProvider {
  const char* name;
  const char* vendor_name;
  const char* kind;      // resource kind when it is found without a device
  Entries f32_entries;   // what keeps f32 really f32
};

// Defaults that lower precision unasked: TF32 on CUDA, fp16 on QNN's HTP, the device's default precision in OpenVINO.
const std::vector<KnownProvider>& known_providers() {
  static const std::vector<KnownProvider> known = {
      {"cpu", "CPUExecutionProvider", "cpu", {}},
      {"cuda", "CUDAExecutionProvider", "gpu", {{"use_tf32", "0"}}},
      {"tensorrt", "TensorrtExecutionProvider", "gpu", {{"trt_fp16_enable", "0"}, {"trt_int8_enable", "0"}}},
      {"nvtensorrtrtx", "NvTensorRTRTXExecutionProvider", "gpu", {}},
      {"qnn", "QNNExecutionProvider", "npu", {{"backend_type", "htp"}, {"enable_htp_fp16_precision", "0"}}},
      {"openvino", "OpenVINOExecutionProvider", "cpu", {{"precision", "FP32"}}},
      {"migraphx", "MIGraphXExecutionProvider", "gpu", {}},
      {"vitisai", "VitisAIExecutionProvider", "npu", {}},
      {"webgpu", "WebGpuExecutionProvider", "gpu", {}},
      {"dnnl", "DnnlExecutionProvider", "cpu", {}},
      {"xnnpack", "XnnpackExecutionProvider", "cpu", {}},
  };
  return known;
}

const KnownProvider* find_known(std::string_view vendor_name) {
  for (const KnownProvider& provider : known_providers()) {
    if (vendor_name == provider.vendor_name) return &provider;
  }
  return nullptr;
}

// A name for the option: the known one, or the vendor's in lower case without "ExecutionProvider".
[[maybe_unused]] std::string name_of(std::string_view vendor_name) {
  if (const KnownProvider* known = find_known(vendor_name)) return known->name;
  constexpr std::string_view kSuffix = "ExecutionProvider";
  if (vendor_name.ends_with(kSuffix)) vendor_name.remove_suffix(kSuffix.size());
  std::string name;
  for (const char c : vendor_name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter) name += c;
    if (c >= 'A' && c <= 'Z') name += static_cast<char>(c - 'A' + 'a');
  }
  return name.empty() ? "unnamed" : name;
}

Entries entries_for(std::string_view vendor_name, std::string_view precision) {
  const KnownProvider* known = find_known(vendor_name);
  return known != nullptr && precision == "f32" ? known->f32_entries : Entries{};
}

struct KeyValues {
  std::vector<const char*> keys, values;
  explicit KeyValues(const Entries& entries) {
    for (const auto& [key, value] : entries) {
      keys.push_back(key);
      values.push_back(value);
    }
  }
};

// Providers that are compiled into the library have one entry point each.
void append_compiled_in(const Api& api, OrtSessionOptions* options, const std::string& vendor_name, const KeyValues& kv) {
  const std::string what = "starting " + vendor_name;
  if (vendor_name == "CUDAExecutionProvider") {
    const auto cuda =
        make<OrtCUDAProviderOptionsV2>(api, api->ReleaseCUDAProviderOptions, what,
                                       [&](OrtCUDAProviderOptionsV2** out) { return api->CreateCUDAProviderOptions(out); });
    check(api, api->UpdateCUDAProviderOptions(cuda.get(), kv.keys.data(), kv.values.data(), kv.keys.size()), what);
    return check(api, api->SessionOptionsAppendExecutionProvider_CUDA_V2(options, cuda.get()), what);
  }
  if (vendor_name == "TensorrtExecutionProvider") {
    const auto tensorrt = make<OrtTensorRTProviderOptionsV2>(
        api, api->ReleaseTensorRTProviderOptions, what,
        [&](OrtTensorRTProviderOptionsV2** out) { return api->CreateTensorRTProviderOptions(out); });
    check(api, api->UpdateTensorRTProviderOptions(tensorrt.get(), kv.keys.data(), kv.values.data(), kv.keys.size()), what);
    return check(api, api->SessionOptionsAppendExecutionProvider_TensorRT_V2(options, tensorrt.get()), what);
  }
  if (vendor_name == "OpenVINOExecutionProvider") {
    return check(
        api, api->SessionOptionsAppendExecutionProvider_OpenVINO_V2(options, kv.keys.data(), kv.values.data(), kv.keys.size()),
        what);
  }
  constexpr std::string_view kSuffix = "ExecutionProvider";
  std::string short_name = vendor_name.substr(0, vendor_name.size() - kSuffix.size());
  if (vendor_name == "XnnpackExecutionProvider") short_name = "XNNPACK";
  check(
      api,
      api->SessionOptionsAppendExecutionProvider(options, short_name.c_str(), kv.keys.data(), kv.values.data(), kv.keys.size()),
      what);
}

#if ORT_API_VERSION >= 22
const char* kind_of(OrtHardwareDeviceType type) {
  if (type == OrtHardwareDeviceType_GPU) return "gpu";
  return type == OrtHardwareDeviceType_NPU ? "npu" : "cpu";
}

kit::ResourceInfo describe_device(const Api& api, const OrtHardwareDevice* device, std::string id) {
  kit::ResourceInfo info;
  info.id = std::move(id);
  info.kind = kind_of(api->HardwareDevice_Type(device));
  const char* vendor = api->HardwareDevice_Vendor(device);
  info.vendor = vendor == nullptr ? "" : vendor;
  const char* const* keys = nullptr;
  const char* const* values = nullptr;
  size_t count = 0;
  if (const OrtKeyValuePairs* metadata = api->HardwareDevice_Metadata(device))
    api->GetKeyValuePairs(metadata, &keys, &values, &count);
  for (size_t i = 0; i < count; ++i) {
    info.attributes[keys[i]] = values[i];
    if (std::string_view(keys[i]) == "pci_bus_id") info.pci_address = values[i];
    if (std::string_view(keys[i]) == "Description") info.name = values[i];
  }
  return info;
}
#endif

}  // namespace

void Providers::register_libraries(std::string_view list) {
  while (!list.empty()) {
    const size_t end = std::min(list.find(';'), list.size());
    const std::string item(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    const size_t equals = item.find('=');
    if (equals == std::string::npos) throw kit::invalid_argument("option 'ep_libraries': '" + item + "' is not name=path");
#if ORT_API_VERSION >= 22
    const Api& api = runtime_->api();
    if (api.has(22)) {
      check(api,
            api->RegisterExecutionProviderLibrary(runtime_->env(), item.substr(0, equals).c_str(),
                                                  item.substr(equals + 1).c_str()),
            "registering the execution provider library " + item);
      registered_.push_back(item.substr(equals + 1));
      continue;
    }
#endif
    throw kit::unavailable("ONNX Runtime " + runtime_->library().version +
                           " has no plugin execution providers (1.22 is needed)")
        .hint(kInstallCommand);
  }
}

const std::vector<OfferedProvider>& Providers::offered() {
  std::call_once(once_, [this] { discover(); });
  return offered_;
}

const std::vector<kit::ResourceInfo>& Providers::resources() {
  offered();
  return resources_;
}

void Providers::discover() {
  kit::ResourceInfo cpu;
  cpu.id = "cpu:0";
  cpu.kind = "cpu";
  resources_.push_back(cpu);
  offered_.push_back({"cpu", "CPUExecutionProvider", "cpu:0", nullptr});
  discover_devices();
  discover_compiled_in();
}

#if ORT_API_VERSION >= 22
// The library's environment is one per process: another engine's plugin may have registered providers of its own in it.
bool Providers::is_foreign(const OrtEpDevice* device) const {
  const OrtKeyValuePairs* metadata = runtime_->api()->EpDevice_EpMetadata(device);
  const char* path = metadata == nullptr ? nullptr : runtime_->api()->GetKeyValue(metadata, "library_path");
  if (path == nullptr || *path == '\0') return false;  // part of the library
  return std::ranges::none_of(registered_, [&](const std::string& own) {
    std::error_code error;
    return own == path || std::filesystem::equivalent(own, path, error);
  });
}
#endif

void Providers::discover_devices() {
#if ORT_API_VERSION >= 22
  const Api& api = runtime_->api();
  if (!api.has(22)) return;
  const OrtEpDevice* const* devices = nullptr;
  size_t count = 0;
  check(api, api->GetEpDevices(runtime_->env(), &devices, &count), "listing execution provider devices");
  std::vector<std::pair<const OrtHardwareDevice*, std::string>> ids;
  std::map<std::string, int> next_index;
  for (size_t i = 0; i < count; ++i) {
    const std::string vendor_name = api->EpDevice_EpName(devices[i]);
    if (vendor_name == "CPUExecutionProvider" || is_foreign(devices[i])) continue;
    const OrtHardwareDevice* hardware = api->EpDevice_Device(devices[i]);
    const std::string kind = kind_of(api->HardwareDevice_Type(hardware));
    std::string id = kind == "cpu" ? "cpu:0" : "";
    for (const auto& [seen, seen_id] : ids) {
      if (seen == hardware) id = seen_id;
    }
    if (id.empty()) {
      id = kind + ":" + std::to_string(next_index[kind]++);
      ids.emplace_back(hardware, id);
      resources_.push_back(describe_device(api, hardware, id));
    }
    offered_.push_back({name_of(vendor_name), vendor_name, id, devices[i]});
  }
#endif
}

void Providers::discover_compiled_in() {
  const Api& api = runtime_->api();
  char** names = nullptr;
  int count = 0;
  check(api, api->GetAvailableProviders(&names, &count), "listing execution providers");
  const std::vector<std::string> available(names, names + count);
  check(api, api->ReleaseAvailableProviders(names, count), "listing execution providers");
  for (const std::string& vendor_name : available) {
    const KnownProvider* known = find_known(vendor_name);
    const bool listed =
        std::any_of(offered_.begin(), offered_.end(), [&](const OfferedProvider& p) { return p.vendor_name == vendor_name; });
    if (known == nullptr || listed) continue;
    // The list is what the library was compiled with; only a start shows whether its drivers are here.
    try {
      const QuietScope quiet;
      const auto options = make_session_options(api, Settings{}, SessionPlan{});
      append_compiled_in(api, options.get(), vendor_name, KeyValues({}));
    } catch (const kit::Error& error) {
      runtime_->host().log(kit::LogLevel::kDebug, "onnxruntime",
                           vendor_name + " is compiled in but not offered: " + error.message());
      continue;
    }
    const std::string id = std::string(known->kind) + ":0";
    const bool has_resource =
        std::any_of(resources_.begin(), resources_.end(), [&](const kit::ResourceInfo& r) { return r.id == id; });
    if (!has_resource) {
      kit::ResourceInfo info;
      info.id = id;
      info.kind = known->kind;
      resources_.push_back(info);
    }
    offered_.push_back({known->name, vendor_name, id, nullptr});
  }
}

std::vector<std::string> Providers::names_on(std::string_view resource) {
  std::vector<std::string> names;
  for (const OfferedProvider& provider : offered()) {
    if (provider.resource == resource) names.push_back(provider.name);
  }
  if (names.empty()) throw kit::Error(AXLE_NOT_FOUND, "onnxruntime has no resource '" + std::string(resource) + "'");
  return names;
}

const OfferedProvider& Providers::find(const std::string& name, std::string_view resource) {
  const std::vector<std::string> names = names_on(resource);
  for (const OfferedProvider& provider : offered()) {
    if (provider.name == name && provider.resource == resource) return provider;
  }
  std::string list;
  for (const std::string& offered_name : names) list += (list.empty() ? "" : ", ") + offered_name;
  const bool known =
      std::ranges::any_of(known_providers(), [&](const KnownProvider& provider) { return name == provider.name; });
  if (!known) throw kit::invalid_argument("option 'provider' is '" + name + "', wanted one of " + list);
  throw kit::unavailable("ONNX Runtime " + runtime_->library().version + " (" + runtime_->library().path +
                         ") offers no execution provider '" + name + "' on " + std::string(resource))
      .hint("offered here: " + list);
}

std::string Providers::vendor_name(const Settings& settings, std::string_view resource) {
  return find(settings.provider, resource).vendor_name;
}

bool Providers::tells_assignment() const noexcept {
#if ORT_API_VERSION >= 24
  return runtime_->api().has(24);
#else
  return false;
#endif
}

kit::Error Providers::explained(kit::Error error, const Settings& settings) const {
  const bool refused = error.message().find("fallback to CPU EP") != std::string_view::npos;
  if (!refused || settings.provider == "cpu" || !settings.allow_cpu_fallback || tells_assignment()) return error;
  return kit::failed_precondition("the provider '" + settings.provider + "' does not take every node, and ONNX Runtime " +
                                  runtime_->library().version +
                                  " cannot say which ones its CPU provider would run: " + std::string(error.message()))
      .hint("allow_cpu_fallback needs ONNX Runtime 1.24 or newer (" + std::string(kInstallCommand) +
            "), or choose another engine or resource");
}

void Providers::append(OrtSessionOptions* options, const Settings& settings, std::string_view resource,
                       std::string_view precision) {
  const OfferedProvider& provider = find(settings.provider, resource);
  if (provider.name == "cpu") return;
  const Api& api = runtime_->api();
  if (!settings.allow_cpu_fallback || !tells_assignment()) set_entry(api, options, kRefuseCpu, "1");
  const KeyValues kv(entries_for(provider.vendor_name, precision));
#if ORT_API_VERSION >= 22
  if (provider.device != nullptr) {
    return check(api,
                 api->SessionOptionsAppendExecutionProvider_V2(options, runtime_->env(), &provider.device, 1, kv.keys.data(),
                                                               kv.values.data(), kv.keys.size()),
                 "appending " + provider.vendor_name);
  }
#endif
  append_compiled_in(api, options, provider.vendor_name, kv);
}

}  // namespace axle::ort
