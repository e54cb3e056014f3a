/* The layout of engine_abi.h, frozen: compiled as C99 by every build on a 64-bit machine. A failing line here means that a
 * plugin built earlier no longer fits. Fields are only ever appended: change a size, never an offset, and write it into
 * docs/engine-abi-changelog.md. */
#include "axle/engine_abi.h"

#define AXLE_JOIN2(a, b) a##b
#define AXLE_JOIN(a, b) AXLE_JOIN2(a, b)
#define AXLE_STATIC_ASSERT(condition) typedef char AXLE_JOIN(axle_layout_line_, __LINE__)[(condition) ? 1 : -1]
#define AXLE_SIZE(type, size) AXLE_STATIC_ASSERT(sizeof(type) == (size))
#define AXLE_AT(type, field, offset) AXLE_STATIC_ASSERT(offsetof(type, field) == (offset))

#if defined(__LP64__)
AXLE_STATIC_ASSERT(AXLE_ENGINE_ABI_VERSION == 1u);

AXLE_SIZE(axle_text_t, 16);
AXLE_AT(axle_text_t, data, 0);
AXLE_AT(axle_text_t, size, 8);

AXLE_SIZE(axle_buffer_t, 24);
AXLE_AT(axle_buffer_t, data, 0);
AXLE_AT(axle_buffer_t, size, 8);
AXLE_AT(axle_buffer_t, owner, 16);

AXLE_SIZE(axle_error_info_t, 64);
AXLE_AT(axle_error_info_t, struct_size, 0);
AXLE_AT(axle_error_info_t, code, 8);
AXLE_AT(axle_error_info_t, reserved, 12);
AXLE_AT(axle_error_info_t, vendor_code, 16);
AXLE_AT(axle_error_info_t, message, 24);
AXLE_AT(axle_error_info_t, hint, 40);
AXLE_AT(axle_error_info_t, required_bytes, 56);

AXLE_SIZE(axle_tensor_t, 48);
AXLE_AT(axle_tensor_t, struct_size, 0);
AXLE_AT(axle_tensor_t, dtype, 8);
AXLE_AT(axle_tensor_t, rank, 12);
AXLE_AT(axle_tensor_t, shape, 16);
AXLE_AT(axle_tensor_t, data, 24);
AXLE_AT(axle_tensor_t, size_bytes, 32);
AXLE_AT(axle_tensor_t, memory_space, 40);
AXLE_AT(axle_tensor_t, reserved, 44);

AXLE_SIZE(axle_option_t, 32);
AXLE_AT(axle_option_t, key, 0);
AXLE_AT(axle_option_t, value, 16);

AXLE_SIZE(axle_blob_t, 48);
AXLE_AT(axle_blob_t, name, 0);
AXLE_AT(axle_blob_t, data, 16);
AXLE_AT(axle_blob_t, path, 32);

AXLE_SIZE(axle_graph_info_t, 80);
AXLE_AT(axle_graph_info_t, struct_size, 0);
AXLE_AT(axle_graph_info_t, format, 8);
AXLE_AT(axle_graph_info_t, path, 24);
AXLE_AT(axle_graph_info_t, digest, 40);
AXLE_AT(axle_graph_info_t, node_count, 56);
AXLE_AT(axle_graph_info_t, input_count, 60);
AXLE_AT(axle_graph_info_t, output_count, 64);
AXLE_AT(axle_graph_info_t, weight_count, 68);
AXLE_AT(axle_graph_info_t, opset_count, 72);
AXLE_AT(axle_graph_info_t, reserved, 76);

AXLE_SIZE(axle_node_info_t, 80);
AXLE_AT(axle_node_info_t, struct_size, 0);
AXLE_AT(axle_node_info_t, name, 8);
AXLE_AT(axle_node_info_t, op_type, 24);
AXLE_AT(axle_node_info_t, domain, 40);
AXLE_AT(axle_node_info_t, opset, 56);
AXLE_AT(axle_node_info_t, input_count, 64);
AXLE_AT(axle_node_info_t, output_count, 68);
AXLE_AT(axle_node_info_t, attribute_count, 72);
AXLE_AT(axle_node_info_t, has_subgraph, 76);

AXLE_SIZE(axle_dim_t, 24);
AXLE_AT(axle_dim_t, size, 0);
AXLE_AT(axle_dim_t, symbol, 8);

AXLE_SIZE(axle_value_info_t, 48);
AXLE_AT(axle_value_info_t, struct_size, 0);
AXLE_AT(axle_value_info_t, name, 8);
AXLE_AT(axle_value_info_t, dtype, 24);
AXLE_AT(axle_value_info_t, rank, 28);
AXLE_AT(axle_value_info_t, dims, 32);
AXLE_AT(axle_value_info_t, is_weight, 40);
AXLE_AT(axle_value_info_t, reserved, 44);

AXLE_SIZE(axle_attribute_t, 80);
AXLE_AT(axle_attribute_t, struct_size, 0);
AXLE_AT(axle_attribute_t, name, 8);
AXLE_AT(axle_attribute_t, kind, 24);
AXLE_AT(axle_attribute_t, reserved, 28);
AXLE_AT(axle_attribute_t, ints, 32);
AXLE_AT(axle_attribute_t, floats, 40);
AXLE_AT(axle_attribute_t, count, 48);
AXLE_AT(axle_attribute_t, text, 56);
AXLE_AT(axle_attribute_t, texts, 72);

AXLE_SIZE(axle_weight_info_t, 80);
AXLE_AT(axle_weight_info_t, struct_size, 0);
AXLE_AT(axle_weight_info_t, name, 8);
AXLE_AT(axle_weight_info_t, dtype, 24);
AXLE_AT(axle_weight_info_t, rank, 28);
AXLE_AT(axle_weight_info_t, shape, 32);
AXLE_AT(axle_weight_info_t, data, 40);
AXLE_AT(axle_weight_info_t, size_bytes, 48);
AXLE_AT(axle_weight_info_t, path, 56);
AXLE_AT(axle_weight_info_t, file_offset, 72);

AXLE_SIZE(axle_trace_event_t, 80);
AXLE_AT(axle_trace_event_t, struct_size, 0);
AXLE_AT(axle_trace_event_t, name, 8);
AXLE_AT(axle_trace_event_t, category, 24);
AXLE_AT(axle_trace_event_t, start_ns, 40);
AXLE_AT(axle_trace_event_t, duration_ns, 48);
AXLE_AT(axle_trace_event_t, arguments, 56);
AXLE_AT(axle_trace_event_t, profile, 72);

AXLE_SIZE(axle_host_api_t, 176);
AXLE_AT(axle_host_api_t, struct_size, 0);
AXLE_AT(axle_host_api_t, abi_version, 8);
AXLE_AT(axle_host_api_t, reserved, 12);
AXLE_AT(axle_host_api_t, host, 16);
AXLE_AT(axle_host_api_t, log, 24);
AXLE_AT(axle_host_api_t, trace, 32);
AXLE_AT(axle_host_api_t, allocate, 40);
AXLE_AT(axle_host_api_t, release, 48);
AXLE_AT(axle_host_api_t, cancelled, 56);
AXLE_AT(axle_host_api_t, progress, 64);
AXLE_AT(axle_host_api_t, graph_info, 72);
AXLE_AT(axle_host_api_t, graph_opset, 80);
AXLE_AT(axle_host_api_t, graph_input, 88);
AXLE_AT(axle_host_api_t, graph_output, 96);
AXLE_AT(axle_host_api_t, graph_node, 104);
AXLE_AT(axle_host_api_t, graph_node_input, 112);
AXLE_AT(axle_host_api_t, graph_node_output, 120);
AXLE_AT(axle_host_api_t, graph_node_attribute, 128);
AXLE_AT(axle_host_api_t, graph_weight, 136);
AXLE_AT(axle_host_api_t, graph_onnx_bytes, 144);
AXLE_AT(axle_host_api_t, weight_info, 152);
AXLE_AT(axle_host_api_t, weight_retain, 160);
AXLE_AT(axle_host_api_t, weight_release, 168);

AXLE_SIZE(axle_create_args_t, 72);
AXLE_AT(axle_create_args_t, struct_size, 0);
AXLE_AT(axle_create_args_t, library_path, 8);
AXLE_AT(axle_create_args_t, search_folders, 24);
AXLE_AT(axle_create_args_t, search_folder_count, 32);
AXLE_AT(axle_create_args_t, options, 40);
AXLE_AT(axle_create_args_t, option_count, 48);
AXLE_AT(axle_create_args_t, scratch_folder, 56);

AXLE_SIZE(axle_support_args_t, 88);
AXLE_AT(axle_support_args_t, struct_size, 0);
AXLE_AT(axle_support_args_t, graph, 8);
AXLE_AT(axle_support_args_t, resource, 16);
AXLE_AT(axle_support_args_t, precision, 32);
AXLE_AT(axle_support_args_t, options, 48);
AXLE_AT(axle_support_args_t, option_count, 56);
AXLE_AT(axle_support_args_t, cancel, 64);
AXLE_AT(axle_support_args_t, scratch_folder, 72);

AXLE_SIZE(axle_compile_args_t, 104);
AXLE_AT(axle_compile_args_t, struct_size, 0);
AXLE_AT(axle_compile_args_t, graph, 8);
AXLE_AT(axle_compile_args_t, resource, 16);
AXLE_AT(axle_compile_args_t, precision, 32);
AXLE_AT(axle_compile_args_t, options, 48);
AXLE_AT(axle_compile_args_t, option_count, 56);
AXLE_AT(axle_compile_args_t, threads, 64);
AXLE_AT(axle_compile_args_t, reserved, 68);
AXLE_AT(axle_compile_args_t, scratch_folder, 72);
AXLE_AT(axle_compile_args_t, cancel, 88);
AXLE_AT(axle_compile_args_t, progress, 96);

AXLE_SIZE(axle_load_args_t, 136);
AXLE_AT(axle_load_args_t, struct_size, 0);
AXLE_AT(axle_load_args_t, graph, 8);
AXLE_AT(axle_load_args_t, blobs, 16);
AXLE_AT(axle_load_args_t, blob_count, 24);
AXLE_AT(axle_load_args_t, resource, 32);
AXLE_AT(axle_load_args_t, precision, 48);
AXLE_AT(axle_load_args_t, options, 64);
AXLE_AT(axle_load_args_t, option_count, 72);
AXLE_AT(axle_load_args_t, threads, 80);
AXLE_AT(axle_load_args_t, spin, 84);
AXLE_AT(axle_load_args_t, cpu_set, 88);
AXLE_AT(axle_load_args_t, cpu_count, 96);
AXLE_AT(axle_load_args_t, scratch_folder, 104);
AXLE_AT(axle_load_args_t, cancel, 120);
AXLE_AT(axle_load_args_t, progress, 128);

AXLE_SIZE(axle_run_args_t, 24);
AXLE_AT(axle_run_args_t, struct_size, 0);
AXLE_AT(axle_run_args_t, cancel, 8);
AXLE_AT(axle_run_args_t, profile, 16);

AXLE_SIZE(axle_engine_api_t, 192);
AXLE_AT(axle_engine_api_t, struct_size, 0);
AXLE_AT(axle_engine_api_t, abi_version, 8);
AXLE_AT(axle_engine_api_t, reserved, 12);
AXLE_AT(axle_engine_api_t, error_info, 16);
AXLE_AT(axle_engine_api_t, release_error, 24);
AXLE_AT(axle_engine_api_t, release_buffer, 32);
AXLE_AT(axle_engine_api_t, create, 40);
AXLE_AT(axle_engine_api_t, destroy, 48);
AXLE_AT(axle_engine_api_t, describe, 56);
AXLE_AT(axle_engine_api_t, resources, 64);
AXLE_AT(axle_engine_api_t, capability, 72);
AXLE_AT(axle_engine_api_t, support, 80);
AXLE_AT(axle_engine_api_t, compile, 88);
AXLE_AT(axle_engine_api_t, load, 96);
AXLE_AT(axle_engine_api_t, unload, 104);
AXLE_AT(axle_engine_api_t, io, 112);
AXLE_AT(axle_engine_api_t, context_create, 120);
AXLE_AT(axle_engine_api_t, context_destroy, 128);
AXLE_AT(axle_engine_api_t, bind_input, 136);
AXLE_AT(axle_engine_api_t, bind_output, 144);
AXLE_AT(axle_engine_api_t, run, 152);
AXLE_AT(axle_engine_api_t, output, 160);
AXLE_AT(axle_engine_api_t, run_async, 168);
AXLE_AT(axle_engine_api_t, counters, 176);
AXLE_AT(axle_engine_api_t, kernels, 184);

/* Codes and attribute kinds cross the boundary as numbers. */
AXLE_STATIC_ASSERT(AXLE_OK == 0 && AXLE_CANCELLED == 1 && AXLE_OUT_OF_RANGE == 11 && AXLE_DATA_LOSS == 15);
AXLE_STATIC_ASSERT(AXLE_ATTRIBUTE_INT == 1 && AXLE_ATTRIBUTE_GRAPH == 7 && AXLE_ATTRIBUTE_TEXTS == 8);
#endif

int axle_abi_layout_is_frozen(void);
int axle_abi_layout_is_frozen(void) { return 1; }
