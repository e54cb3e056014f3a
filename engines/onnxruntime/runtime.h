// One opened ONNX Runtime: its C table, its environment (one per process and library, never released) and the host's services.
#pragma once

#include <memory>
#include <string>

#include "ort_api.h"
#include "vendor_library.h"

namespace axle::ort {

class Runtime {
 public:
  // Throws UNAVAILABLE; see open_vendor_library.
  static std::shared_ptr<const Runtime> create(kit::Host host, const kit::CreateArgs& args, OrtLoggingLevel level);

  const Api& api() const noexcept { return library_.api; }
  const VendorLibrary& library() const noexcept { return library_; }
  OrtEnv* env() const noexcept { return env_; }
  kit::Host host() const noexcept { return host_; }
  OrtLoggingLevel log_level() const noexcept { return level_; }
  const std::string& scratch_folder() const noexcept { return scratch_folder_; }
  const OrtMemoryInfo* cpu_memory() const noexcept { return cpu_memory_.get(); }
  OrtAllocator* allocator() const noexcept { return allocator_; }

  // Vendor severities arrive here; `param` is unused because the host table is one per process.
  static void ORT_API_CALL log(void* param, OrtLoggingLevel severity, const char* category, const char* log_id,
                               const char* location, const char* message);

 private:
  Runtime(kit::Host host, VendorLibrary library, std::string scratch_folder, OrtLoggingLevel level);

  kit::Host host_;
  VendorLibrary library_;
  std::string scratch_folder_;
  OrtLoggingLevel level_;
  OrtEnv* env_ = nullptr;
  Handle<OrtMemoryInfo> cpu_memory_;
  OrtAllocator* allocator_ = nullptr;  // the library's own, never released
};

}  // namespace axle::ort
