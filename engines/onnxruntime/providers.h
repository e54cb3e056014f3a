// Execution providers by our names (cpu, cuda, tensorrt, qnn, openvino, ...): which the library really offers on which resource,
// and how one is appended so that f32 stays f32 and nothing falls back to the CPU unasked.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime.h"
#include "settings.h"

#if ORT_API_VERSION < 22
struct OrtEpDevice;  // came with 1.22; stays null with older headers
#endif

namespace axle::ort {

struct OfferedProvider {
  std::string name;  // "cuda"
  std::string vendor_name;  // "CUDAExecutionProvider"
  std::string resource;  // "cpu:0", "gpu:0"
  const OrtEpDevice* device = nullptr;  // null: appended by name, the old way
};

class Providers {
 public:
  explicit Providers(std::shared_ptr<const Runtime> runtime) : runtime_(std::move(runtime)) {}

  // Registers plugin providers: "name=/path/to/library.so", separated by ';'. Throws naming the one that failed.
  void register_libraries(std::string_view list);

  // Asked of the library once; a provider that is compiled in but cannot start here is not offered (the reason is logged).
  const std::vector<OfferedProvider>& offered();
  const std::vector<kit::ResourceInfo>& resources();
  // Names for the option `provider` on one resource. Throws NOT_FOUND for an unknown resource.
  std::vector<std::string> names_on(std::string_view resource);

  // Appends settings.provider unless it is the CPU. Throws UNAVAILABLE listing what is offered.
  void append(OrtSessionOptions* options, const Settings& settings, std::string_view resource, std::string_view precision);
  // Whether this library says which node went to which provider (1.24 or newer). Where it does not, nothing may fall back to the CPU: append
  // has the library refuse, whatever allow_cpu_fallback says.
  bool tells_assignment() const noexcept;
  // `error` of a load with these settings; where that was a fallback that nobody could have listed, it says so.
  kit::Error explained(kit::Error error, const Settings& settings) const;
  // The vendor's name of settings.provider.
  std::string vendor_name(const Settings& settings, std::string_view resource);

 private:
  void discover();
  void discover_devices();
  bool is_foreign(const OrtEpDevice* device) const;
  void discover_compiled_in();
  const OfferedProvider& find(const std::string& name, std::string_view resource);

  std::shared_ptr<const Runtime> runtime_;
  std::vector<std::string> registered_;  // paths of plugin providers
  std::once_flag once_;
  std::vector<OfferedProvider> offered_;
  std::vector<kit::ResourceInfo> resources_;
};

}  // namespace axle::ort
