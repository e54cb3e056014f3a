// Finds and opens libopenvino_c: explicit path, AXLE_OPENVINO_LIBRARY, the search folders (Python environments first), the system.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <openvino/c/openvino.h>

#include "axle/engine_kit.h"

namespace axle::openvino {

inline constexpr const char* kInstallCommand = "pip install openvino==2026.4.1";
inline constexpr const char* kLibraryVariable = "AXLE_OPENVINO_LIBRARY";

// Every vendor function this plugin calls. All of them exist since 2024.0.
// clang-format off: it moves one line more each time it runs
#define AXLE_OPENVINO_FUNCTIONS(X) \
  X(ov_get_openvino_version) X(ov_version_free) X(ov_get_error_info) X(ov_get_last_err_msg) X(ov_free) \
  X(ov_core_create) X(ov_core_free) X(ov_core_set_property) X(ov_core_get_property) X(ov_core_get_available_devices) \
  X(ov_available_devices_free) X(ov_core_read_model) X(ov_core_read_model_from_memory_buffer) \
  X(ov_core_compile_model) X(ov_core_import_model) X(ov_model_free) X(ov_compiled_model_free) \
  X(ov_compiled_model_inputs_size) X(ov_compiled_model_outputs_size) X(ov_compiled_model_input_by_index) \
  X(ov_compiled_model_input_by_name) X(ov_compiled_model_output_by_index) X(ov_compiled_model_output_by_name) \
  X(ov_compiled_model_get_property) X(ov_compiled_model_export_model) X(ov_compiled_model_create_infer_request) \
  X(ov_output_const_port_free) X(ov_port_get_any_name) X(ov_port_get_partial_shape) X(ov_port_get_element_type) \
  X(ov_partial_shape_free) X(ov_shape_free) X(ov_infer_request_free) X(ov_infer_request_infer) \
  X(ov_infer_request_cancel) X(ov_infer_request_set_tensor_by_const_port) \
  X(ov_infer_request_get_tensor_by_const_port) X(ov_infer_request_get_profiling_info) X(ov_profiling_info_list_free) \
  X(ov_tensor_create_from_host_ptr) X(ov_tensor_get_shape) X(ov_tensor_set_shape) X(ov_tensor_data) X(ov_tensor_free) \
  X(ov_infer_request_start_async) X(ov_infer_request_wait_for)
// clang-format on

struct Api {
#define AXLE_OPENVINO_SLOT(name) decltype(&::name) name = nullptr;
  AXLE_OPENVINO_FUNCTIONS(AXLE_OPENVINO_SLOT)
#undef AXLE_OPENVINO_SLOT
  std::string path;  // as the dynamic linker resolved it
  std::string version;  // "2026.4.1"
  std::string build;  // the full build number
};

// The number that `text` starts with; 0 without one.
int leading_number(std::string_view text);

// Throws the vendor's text after `what`.
void check(const Api& api, ov_status_e status, const std::string& what);

// A vendor object with the function that frees it.
template <typename T>
using Handle = kit::VendorHandle<T>;

template <typename T, typename F>
Handle<T> make(const Api& api, void (*release)(T*), const std::string& what, F&& create) {
  T* made = nullptr;
  check(api, create(&made), what);
  return Handle<T>(made, release);
}

// Never closed again. Throws UNAVAILABLE naming what was wrong with each file tried; an explicit path or the variable is
// never replaced by another library.
std::shared_ptr<const Api> open_vendor_library(const kit::CreateArgs& args);

// Places that open_vendor_library looks at when nothing is explicit, in order.
std::vector<std::string> library_candidates(const std::vector<std::string>& search_folders);

// Other copies of the library mapped into this process now.
std::vector<std::string> other_copies(const std::string& path);

}  // namespace axle::openvino
