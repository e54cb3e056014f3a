// The engine's options, and what is always set explicitly on the vendor: nothing is left to its defaults.
#pragma once

#include <map>

#include "vendor_library.h"

namespace axle::openvino {

struct Settings {
  int64_t num_streams = 1;  // 0 = one for each thread
  std::string performance_hint = "latency";
  bool profiling = false;
};

std::vector<kit::Option> option_table();
std::vector<kit::Preset> preset_table();

// Throws INVALID_ARGUMENT naming the option: unknown, or outside its domain.
Settings parse_settings(const kit::Options& options);

bool is_cpu(std::string_view device);
// Whether this processor computes it as such. The library also takes bf16 where it only emulates it.
bool processor_has(std::string_view precision);

// A core of its own, because an imported blob takes its properties only from its core.
Handle<ov_core_t> make_core(const Api& api);
void configure(const Api& api, const ov_core_t* core, const std::string& device, const Settings& settings,
               std::string_view precision, int32_t threads);

// "" when the device has no such property.
std::string device_property(const Api& api, const ov_core_t* core, const std::string& device, const char* key);
std::string model_property(const Api& api, const ov_compiled_model_t* model, const char* key);

}  // namespace axle::openvino
