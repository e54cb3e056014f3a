// Every vendor function this plugin calls. All of them exist since 2024.0. For the preprocessor of C and C++ alike.
#pragma once

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
  X(ov_infer_request_start_async) X(ov_infer_request_wait_for) X(ov_model_is_dynamic)
// clang-format on
