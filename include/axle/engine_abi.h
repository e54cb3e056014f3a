/* The C99 boundary between axle (the host) and an engine plugin.
 *
 * A plugin is a shared library that exports one symbol, axle_engine_query, and nothing else. The host passes its service
 * table; the plugin returns its function table. Both tables begin with their size and only ever grow at the end: a slot
 * that lies beyond the other side's size, or that is NULL, is unimplemented. Slots marked (optional) say what absence means.
 *
 * Ownership: every argument struct and every byte it points to belongs to the caller and is valid only during the call,
 * unless a comment says otherwise. What a plugin returns through axle_buffer_t or axle_error_t is the plugin's until the
 * host hands it back to release_buffer / release_error.
 * Threads: all verbs on one axle_engine_t or axle_executable_t may be called from several threads at once; one
 * axle_context_t is used by one thread at a time.
 * Documents: verbs that describe rather than compute return UTF-8 JSON (docs/formats/engine-answers.md), so that they are
 * recorded, replayed and carried across a process boundary unchanged. No verb passes a pointer whose size is unknown:
 * each can be sent as one flat message plus shared-memory handles.
 * Text is never NUL-terminated; it is UTF-8 with a length.
 *
 * Layout is frozen by static asserts in src/engine/abi_layout_test.c; history in docs/engine-abi-changelog.md.
 */
#ifndef AXLE_ENGINE_ABI_H
#define AXLE_ENGINE_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Grows by one whenever a slot or a field is appended. */
#define AXLE_ENGINE_ABI_VERSION 1u

typedef struct axle_error_t axle_error_t;           /* plugin's; see error_info, release_error */
typedef struct axle_engine_t axle_engine_t;         /* plugin's state after create */
typedef struct axle_executable_t axle_executable_t; /* a loaded graph */
typedef struct axle_context_t axle_context_t;       /* bound tensors and scratch of one caller */
typedef struct axle_graph_t axle_graph_t;           /* host's handle, valid during the call; that of load until unload */
typedef struct axle_cancel_t axle_cancel_t;         /* host's handle, valid until the call (or async run) completes */
typedef struct axle_weight_t axle_weight_t;         /* host's reference-counted weight bytes */

typedef struct axle_text_t { /* UTF-8 or bytes, not NUL-terminated; size 0 = absent */
  const char* data;
  size_t size;
} axle_text_t;

typedef struct axle_buffer_t { /* owned by the plugin until release_buffer */
  const char* data;
  size_t size;
  void* owner;
} axle_buffer_t;

/* Canonical codes; numbers as in Abseil, PJRT and IREE. */
typedef enum axle_code_t {
  AXLE_OK = 0,
  AXLE_CANCELLED = 1,
  AXLE_UNKNOWN = 2,
  AXLE_INVALID_ARGUMENT = 3,
  AXLE_DEADLINE_EXCEEDED = 4,
  AXLE_NOT_FOUND = 5,
  AXLE_ALREADY_EXISTS = 6,
  AXLE_PERMISSION_DENIED = 7,
  AXLE_RESOURCE_EXHAUSTED = 8,
  AXLE_FAILED_PRECONDITION = 9,
  AXLE_ABORTED = 10,
  AXLE_OUT_OF_RANGE = 11,
  AXLE_UNIMPLEMENTED = 12,
  AXLE_INTERNAL = 13,
  AXLE_UNAVAILABLE = 14,
  AXLE_DATA_LOSS = 15
} axle_code_t;

typedef struct axle_error_info_t {
  size_t struct_size;
  int32_t code;         /* axle_code_t */
  int32_t reserved;
  int64_t vendor_code;  /* the vendor library's own number, 0 if none */
  axle_text_t message;  /* what failed, on what */
  axle_text_t hint;     /* what the user can do; may be absent. Both live as long as the error. */
  uint64_t required_bytes; /* OUT_OF_RANGE from bind_output or run: bytes the output needs; else 0 */
} axle_error_info_t;

/* Element type numbers are those of ONNX TensorProto.DataType. Dense and row-major; 4- and 2-bit types packed, low bits
 * first. STRING tensors: data points at axle_text_t elements. */
typedef struct axle_tensor_t {
  size_t struct_size;
  int32_t dtype;
  int32_t rank;           /* >= 0; 0 = scalar */
  const int64_t* shape;   /* rank values >= 0 */
  void* data;
  size_t size_bytes;      /* capacity of data */
  int32_t memory_space;   /* 0 host, 1 pinned host, 2 shared memory, 3 device */
  int32_t reserved;
} axle_tensor_t;

typedef struct axle_option_t {
  axle_text_t key;
  axle_text_t value;
} axle_option_t;

/* One file of an artefact. Exactly one of data or path may be absent. */
typedef struct axle_blob_t {
  axle_text_t name;
  axle_text_t data;  /* mapped bytes, valid until unload */
  axle_text_t path;
} axle_blob_t;

/* ---- what the host offers -------------------------------------------------------------------------------------- */

typedef struct axle_graph_info_t {
  size_t struct_size;
  axle_text_t format;     /* "onnx", "openvino-ir", "tflite", "tf-saved-model", ... */
  axle_text_t path;       /* the model file or folder when the graph is a whole model on disk, else absent */
  axle_text_t digest;     /* "sha256:..." over the content, external data included */
  uint32_t node_count;    /* 0 when the format is handed over whole (not seen as a graph) */
  uint32_t input_count;   /* true inputs: initialisers are not counted */
  uint32_t output_count;
  uint32_t weight_count;
  uint32_t opset_count;
  uint32_t reserved;
} axle_graph_info_t;

typedef struct axle_node_info_t {
  size_t struct_size;
  axle_text_t name;       /* unique and not empty */
  axle_text_t op_type;
  axle_text_t domain;     /* "" = ai.onnx */
  int64_t opset;          /* version of domain that the model imports */
  uint32_t input_count;
  uint32_t output_count;
  uint32_t attribute_count;
  uint32_t has_subgraph;  /* 1 for If, Loop, Scan, ... */
} axle_node_info_t;

typedef struct axle_dim_t {
  int64_t size;       /* -1 = unknown */
  axle_text_t symbol; /* absent = anonymous */
} axle_dim_t;

typedef struct axle_value_info_t {
  size_t struct_size;
  axle_text_t name;
  int32_t dtype;          /* 0 = unknown */
  int32_t rank;           /* -1 = unknown */
  const axle_dim_t* dims; /* rank entries, valid as long as the graph */
  int32_t is_weight;      /* 1: an initialiser */
  int32_t reserved;
} axle_value_info_t;

typedef enum axle_attribute_kind_t {
  AXLE_ATTRIBUTE_OTHER = 0,
  AXLE_ATTRIBUTE_INT = 1,
  AXLE_ATTRIBUTE_FLOAT = 2,
  AXLE_ATTRIBUTE_TEXT = 3,
  AXLE_ATTRIBUTE_INTS = 4,
  AXLE_ATTRIBUTE_FLOATS = 5,
  AXLE_ATTRIBUTE_TENSOR = 6,
  AXLE_ATTRIBUTE_GRAPH = 7,
  AXLE_ATTRIBUTE_TEXTS = 8
} axle_attribute_kind_t;

typedef struct axle_attribute_t { /* every pointer valid as long as the graph */
  size_t struct_size;
  axle_text_t name;
  int32_t kind;
  int32_t reserved;
  const int64_t* ints;  /* INT: one; INTS: count */
  const float* floats;
  size_t count;
  axle_text_t text;           /* TEXT */
  const axle_text_t* texts;   /* TEXTS: count */
} axle_attribute_t;

typedef struct axle_weight_info_t {
  size_t struct_size;
  axle_text_t name;
  int32_t dtype;
  int32_t rank;
  const int64_t* shape;
  const void* data;      /* read-only mapping or heap, possibly unaligned; valid while the weight is retained */
  size_t size_bytes;
  axle_text_t path;      /* file that holds the bytes, absent when they live in the model itself */
  uint64_t file_offset;
} axle_weight_info_t;

typedef struct axle_trace_event_t {
  size_t struct_size;
  axle_text_t name;       /* node or stage */
  axle_text_t category;   /* "kernel", "copy", "compile", ... */
  int64_t start_ns;       /* CLOCK_MONOTONIC */
  int64_t duration_ns;
  axle_text_t arguments;  /* JSON object or absent */
  void* profile;          /* from axle_run_args_t; NULL = belongs to no run (compile, load) */
} axle_trace_event_t;

typedef struct axle_host_api_t {
  size_t struct_size;
  uint32_t abi_version; /* AXLE_ENGINE_ABI_VERSION of the host */
  uint32_t reserved;
  void* host;           /* first argument of every function below */

  /* level: 0 trace, 1 debug, 2 info, 3 warning, 4 error. Thread-safe; never fails. */
  void (*log)(void* host, int32_t level, axle_text_t module, axle_text_t text);
  void (*trace)(void* host, const axle_trace_event_t* event);
  /* NULL when out of memory; alignment is a power of two. */
  void* (*allocate)(void* host, size_t size_bytes, size_t alignment);
  void (*release)(void* host, void* memory);
  /* Non-zero once the caller wants the running verb to stop; a NULL token is never cancelled. */
  int32_t (*cancelled)(void* host, const axle_cancel_t* cancel);
  /* done and total in the plugin's own unit; total 0 = unknown. token comes from the verb's arguments. */
  void (*progress)(void* host, void* token, uint64_t done, uint64_t total, axle_text_t what);

  /* Graph accessors: each returns an axle_code_t; texts and pointers live as long as the graph. */
  int32_t (*graph_info)(void* host, const axle_graph_t* graph, axle_graph_info_t* out);
  int32_t (*graph_opset)(void* host, const axle_graph_t* graph, uint32_t index, axle_text_t* domain, int64_t* version);
  int32_t (*graph_input)(void* host, const axle_graph_t* graph, uint32_t index, axle_value_info_t* out);
  int32_t (*graph_output)(void* host, const axle_graph_t* graph, uint32_t index, axle_value_info_t* out);
  int32_t (*graph_node)(void* host, const axle_graph_t* graph, uint32_t index, axle_node_info_t* out);
  int32_t (*graph_node_input)(void* host, const axle_graph_t* graph, uint32_t node, uint32_t index, axle_value_info_t* out);
  int32_t (*graph_node_output)(void* host, const axle_graph_t* graph, uint32_t node, uint32_t index, axle_value_info_t* out);
  int32_t (*graph_node_attribute)(void* host, const axle_graph_t* graph, uint32_t node, uint32_t index, axle_attribute_t* out);
  int32_t (*graph_weight)(void* host, const axle_graph_t* graph, uint32_t index, const axle_weight_t** out);
  /* The graph as an ONNX ModelProto; the bytes live only until the verb returns. External weights stay external: their
   * locations are relative to folder, which is absent when everything is inline. */
  int32_t (*graph_onnx_bytes)(void* host, const axle_graph_t* graph, axle_text_t* bytes, axle_text_t* folder);
  int32_t (*weight_info)(void* host, const axle_weight_t* weight, axle_weight_info_t* out);
  void (*weight_retain)(void* host, const axle_weight_t* weight);
  void (*weight_release)(void* host, const axle_weight_t* weight);
} axle_host_api_t;

/* ---- arguments of the verbs ------------------------------------------------------------------------------------- */

typedef struct axle_create_args_t {
  size_t struct_size;
  axle_text_t library_path;        /* explicit vendor library; absent = search search_folders, then the system */
  const axle_text_t* search_folders; /* site-packages folders, plugin folders, in order */
  size_t search_folder_count;
  const axle_option_t* options;    /* engine-wide settings from the configuration */
  size_t option_count;
  axle_text_t scratch_folder;      /* the only place the plugin may write; lives as long as the engine */
} axle_create_args_t;

typedef struct axle_support_args_t {
  size_t struct_size;
  const axle_graph_t* graph;
  axle_text_t resource;   /* an id from this engine's `resources` answer: "cpu:0" */
  axle_text_t precision;  /* "f32", "bf16", ... */
  const axle_option_t* options;
  size_t option_count;
  const axle_cancel_t* cancel;
  axle_text_t scratch_folder;
} axle_support_args_t;

typedef struct axle_compile_args_t {
  size_t struct_size;
  const axle_graph_t* graph;
  axle_text_t resource;
  axle_text_t precision;
  const axle_option_t* options;
  size_t option_count;
  int32_t threads;
  int32_t reserved;
  axle_text_t scratch_folder; /* empty folder; files written here become the artefact's blobs */
  const axle_cancel_t* cancel;
  void* progress;             /* token for host->progress; NULL = nobody listens */
} axle_compile_args_t;

typedef struct axle_load_args_t {
  size_t struct_size;
  const axle_graph_t* graph;  /* NULL when the artefact is self-contained */
  const axle_blob_t* blobs;   /* the artefact; blob_count 0 = compile from graph now */
  size_t blob_count;
  axle_text_t resource;
  axle_text_t precision;
  const axle_option_t* options;
  size_t option_count;
  int32_t threads;            /* >= 1, always explicit */
  int32_t spin;               /* 1: worker threads may spin between calls; 0: they must not */
  const int32_t* cpu_set;     /* logical CPUs that every thread of the executable must stay on; count 0 = all allowed */
  size_t cpu_count;
  axle_text_t scratch_folder;
  const axle_cancel_t* cancel;
  void* progress;
} axle_load_args_t;

typedef struct axle_run_args_t {
  size_t struct_size;
  const axle_cancel_t* cancel; /* NULL = cannot be cancelled */
  void* profile;               /* NULL = no recording; else goes into every axle_trace_event_t of this run */
} axle_run_args_t;

typedef void (*axle_done_t)(void* user, axle_error_t* error); /* called once, on any thread; error is the receiver's */

/* ---- what a plugin offers --------------------------------------------------------------------------------------- */

typedef struct axle_kernel_api_t axle_kernel_api_t; /* named kernels per op; specified with the first provider */

typedef struct axle_engine_api_t {
  size_t struct_size;
  uint32_t abi_version; /* AXLE_ENGINE_ABI_VERSION the plugin was built with */
  uint32_t reserved;

  void (*error_info)(const axle_error_t* error, axle_error_info_t* out);
  void (*release_error)(axle_error_t* error);
  void (*release_buffer)(axle_buffer_t* buffer);

  /* Opens the vendor library. UNAVAILABLE (with the install command as hint) when it is missing, too old or broken. */
  axle_error_t* (*create)(const axle_create_args_t* args, axle_engine_t** out);
  void (*destroy)(axle_engine_t* engine);

  /* JSON documents; see docs/formats/engine-answers.md. describe with engine NULL = facts known without the library. */
  axle_error_t* (*describe)(axle_engine_t* engine, axle_buffer_t* out);
  axle_error_t* (*resources)(axle_engine_t* engine, axle_buffer_t* out);
  axle_error_t* (*capability)(axle_engine_t* engine, axle_text_t resource, axle_buffer_t* out);
  axle_error_t* (*support)(axle_engine_t* engine, const axle_support_args_t* args, axle_buffer_t* out);

  /* (optional) NULL = the engine has no artefacts: load always works from the graph. out: manifest JSON. */
  axle_error_t* (*compile)(axle_engine_t* engine, const axle_compile_args_t* args, axle_buffer_t* out);
  /* effective: JSON of the values really in force (precision, threads, cpu_set, kernels, options). */
  axle_error_t* (*load)(axle_engine_t* engine, const axle_load_args_t* args, axle_executable_t** out, axle_buffer_t* effective);
  void (*unload)(axle_executable_t* executable);
  /* JSON: inputs and outputs in bind order, each with name, dtype, dims with symbols, and its output mode. An output
     that is "exact" makes a run fail whose result has another shape than the bound tensor; of others the host asks after each run. */
  axle_error_t* (*io)(axle_executable_t* executable, axle_buffer_t* out);

  axle_error_t* (*context_create)(axle_executable_t* executable, axle_context_t** out);
  void (*context_destroy)(axle_context_t* context);
  /* The bytes stay the caller's and must stay valid until they are bound anew, unbound (tensor NULL) or the context dies. */
  axle_error_t* (*bind_input)(axle_context_t* context, uint32_t index, const axle_tensor_t* tensor);
  /* tensor NULL: the engine allocates at each run. */
  axle_error_t* (*bind_output)(axle_context_t* context, uint32_t index, const axle_tensor_t* tensor);
  /* args may be NULL. Blocks until every bound buffer is the caller's again, also after cancel. */
  axle_error_t* (*run)(axle_context_t* context, const axle_run_args_t* args);
  /* Shape and place of an output of the last run; engine-allocated data is valid until the next run on this context. */
  axle_error_t* (*output)(axle_context_t* context, uint32_t index, axle_tensor_t* out);

  /* (optional) NULL = the host runs `run` on a pool of its own. */
  axle_error_t* (*run_async)(axle_context_t* context, const axle_run_args_t* args, axle_done_t done, void* user);
  /* (optional) JSON object of numbers since load: memory bytes, kernel counts, ...; NULL = none. */
  axle_error_t* (*counters)(axle_executable_t* executable, axle_buffer_t* out);
  /* (optional) NULL = no kernels can be chosen by name. */
  const axle_kernel_api_t* (*kernels)(axle_engine_t* engine);
} axle_engine_api_t;

/* The one exported symbol. Returns NULL when the plugin cannot work with this host. The table and the host table live as
 * long as the process: plugins are never unloaded. */
typedef const axle_engine_api_t* (*axle_engine_query_t)(const axle_host_api_t* host);
#define AXLE_ENGINE_QUERY_SYMBOL "axle_engine_query"

#ifdef __cplusplus
}
#endif

#endif /* AXLE_ENGINE_ABI_H */
