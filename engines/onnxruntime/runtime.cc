#include "runtime.h"

#include <map>
#include <mutex>

namespace axle::ort {
namespace {

// The library itself keeps one environment per process; releasing and re-creating it from several engines is what to avoid.
OrtEnv* process_environment(const Api& api, OrtLoggingLevel level) {
  static std::mutex mutex;
  static auto* environments = new std::map<const OrtApi*, OrtEnv*>();
  const std::lock_guard lock(mutex);
  OrtEnv*& env = (*environments)[api.table];
  if (env == nullptr) {
    check(api, api->CreateEnvWithCustomLogger(&Runtime::log, nullptr, level, "axle", &env),
          "creating the ONNX Runtime environment");
    check(api, api->DisableTelemetryEvents(env), "switching telemetry off");
  }
  return env;
}

kit::Host& log_host() {
  static kit::Host host;
  return host;
}

}  // namespace

void ORT_API_CALL Runtime::log(void*, OrtLoggingLevel severity, const char*, const char*, const char*, const char* message) {
  const kit::Host& host = log_host();
  if (host.api() == nullptr || message == nullptr) return;
  kit::LogLevel level = kit::LogLevel::kTrace;
  if (severity == ORT_LOGGING_LEVEL_INFO) level = kit::LogLevel::kDebug;
  if (severity == ORT_LOGGING_LEVEL_WARNING) level = kit::LogLevel::kWarning;
  if (severity >= ORT_LOGGING_LEVEL_ERROR) level = QuietScope::active() ? kit::LogLevel::kDebug : kit::LogLevel::kError;
  host.log(level, "onnxruntime", message);
}

Runtime::Runtime(kit::Host host, VendorLibrary library, std::string scratch_folder, OrtLoggingLevel level)
    : host_(host), library_(std::move(library)), scratch_folder_(std::move(scratch_folder)), level_(level),
      env_(process_environment(library_.api, level)),
      cpu_memory_(make<OrtMemoryInfo>(
          library_.api, library_.api->ReleaseMemoryInfo, "describing host memory",
          [&](OrtMemoryInfo** out) { return library_.api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, out); })) {
  check(library_.api, library_.api->GetAllocatorWithDefaultOptions(&allocator_), "getting the default allocator");
}

std::shared_ptr<const Runtime> Runtime::create(kit::Host host, const kit::CreateArgs& args, OrtLoggingLevel level) {
  log_host() = host;
  return std::shared_ptr<const Runtime>(new Runtime(host, open_vendor_library(args), args.scratch_folder, level));
}

}  // namespace axle::ort
