// The boundary: turns the classes of plugin.h into the C function table. Every exception is caught here: std::bad_alloc becomes
// RESOURCE_EXHAUSTED, an unknown one INTERNAL. Adds no allocation to bind and run.
#pragma once

#include <cstring>
#include <memory>
#include <string>

#include "axle/engine_kit/plugin.h"

namespace axle::kit {

namespace detail {

struct ErrorBody {
  int32_t code;
  int64_t vendor_code;
  uint64_t required_bytes;
  std::string message;
  std::string hint;
  bool is_static;
};

inline axle_error_t* out_of_memory() noexcept {
  static ErrorBody body{AXLE_RESOURCE_EXHAUSTED, 0, 0, "out of memory", "", true};  // 13 characters: no heap
  return reinterpret_cast<axle_error_t*>(&body);
}

inline axle_error_t* make_error(const Error& error) noexcept {
  try {
    auto body = std::make_unique<ErrorBody>(
        ErrorBody{error.code(), error.vendor_code(), error.required_bytes(), error.message(), error.hint(), false});
    return reinterpret_cast<axle_error_t*>(body.release());
  } catch (...) {
    return out_of_memory();
  }
}

// Called inside a catch block.
inline axle_error_t* current_error() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return make_error(error.code() == AXLE_OK ? internal("an error with code OK: " + error.message()) : error);
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  } catch (const std::exception& error) {
    try {
      return make_error(internal(std::string("unexpected exception: ") + error.what()));
    } catch (...) {
      return out_of_memory();
    }
  } catch (...) {
    return make_error(internal("unexpected exception"));
  }
}

template <typename F>
axle_error_t* guard(F&& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (...) {
    return current_error();
  }
}

inline void give(std::string document, axle_buffer_t* out) {
  if (out == nullptr) throw invalid_argument("no place for the answer");
  auto owner = std::make_unique<std::string>(std::move(document));
  *out = {owner->data(), owner->size(), owner.get()};
  (void)owner.release();
}

template <typename T>
void check_args(const T* args) {
  if (args == nullptr || args->struct_size < sizeof(T)) throw invalid_argument("argument struct is missing or too small");
}

template <typename EngineClass>
constexpr bool compiles() {
  if constexpr (requires { EngineClass::kCompiles; }) return EngineClass::kCompiles;
  return false;
}
template <typename EngineClass>
constexpr bool counts() {
  if constexpr (requires { EngineClass::kCounts; }) return EngineClass::kCounts;
  return false;
}
template <typename EngineClass>
constexpr bool runs_async() {
  if constexpr (requires { EngineClass::kRunsAsync; }) return EngineClass::kRunsAsync;
  return false;
}

// The C table of one engine class. All state: the host table, set once by query.
template <typename EngineClass>
struct Boundary {
  static inline Host host;

  static Engine* engine(axle_engine_t* handle) {
    if (handle == nullptr) throw invalid_argument("no engine was given");
    return reinterpret_cast<Engine*>(handle);
  }
  static Executable* executable(axle_executable_t* handle) {
    if (handle == nullptr) throw invalid_argument("no executable was given");
    return reinterpret_cast<Executable*>(handle);
  }
  static Context* context(axle_context_t* handle) { return reinterpret_cast<Context*>(handle); }
  static RunArgs run_args(const axle_run_args_t* args) noexcept {
    return args == nullptr ? RunArgs{} : RunArgs{Cancel(host, args->cancel), Profile(host, args->profile)};
  }

  static void error_info(const axle_error_t* error, axle_error_info_t* out) {
    const auto* body = reinterpret_cast<const ErrorBody*>(error);
    axle_error_info_t info{};
    info.struct_size = out->struct_size;
    info.code = body->code;
    info.vendor_code = body->vendor_code;
    info.message = to_text(body->message);
    info.hint = to_text(body->hint);
    info.required_bytes = body->required_bytes;
    std::memcpy(out, &info, out->struct_size < sizeof(info) ? out->struct_size : sizeof(info));
  }
  static void release_error(axle_error_t* error) {
    auto* body = reinterpret_cast<ErrorBody*>(error);
    if (body != nullptr && !body->is_static) delete body;
  }
  static void release_buffer(axle_buffer_t* buffer) {
    if (buffer == nullptr) return;
    delete static_cast<std::string*>(buffer->owner);
    *buffer = {};
  }

  static axle_error_t* create(const axle_create_args_t* args, axle_engine_t** out) {
    return guard([&] {
      check_args(args);
      CreateArgs given;
      given.library_path = text(args->library_path);
      for (size_t i = 0; i < args->search_folder_count; ++i) given.search_folders.emplace_back(text(args->search_folders[i]));
      given.options = Options(args->options, args->option_count);
      given.scratch_folder = text(args->scratch_folder);
      *out = reinterpret_cast<axle_engine_t*>(static_cast<Engine*>(EngineClass::create(host, given).release()));
    });
  }
  static void destroy(axle_engine_t* handle) { delete reinterpret_cast<Engine*>(handle); }

  static axle_error_t* describe(axle_engine_t* handle, axle_buffer_t* out) {
    return guard([&] { give(to_json(handle == nullptr ? EngineClass::facts() : engine(handle)->describe()), out); });
  }
  static axle_error_t* resources(axle_engine_t* handle, axle_buffer_t* out) {
    return guard([&] { give(to_json(engine(handle)->resources()), out); });
  }
  static axle_error_t* capability(axle_engine_t* handle, axle_text_t resource, axle_buffer_t* out) {
    return guard([&] { give(to_json(engine(handle)->capability(text(resource))), out); });
  }
  static axle_error_t* support(axle_engine_t* handle, const axle_support_args_t* args, axle_buffer_t* out) {
    return guard([&] {
      check_args(args);
      const SupportArgs given{Graph(host, args->graph),   text(args->resource),
                              text(args->precision),      Options(args->options, args->option_count),
                              Cancel(host, args->cancel), text(args->scratch_folder)};
      give(to_json(engine(handle)->support(given)), out);
    });
  }
  static axle_error_t* compile(axle_engine_t* handle, const axle_compile_args_t* args, axle_buffer_t* out) {
    return guard([&] {
      check_args(args);
      const CompileArgs given{Graph(host, args->graph),
                              text(args->resource),
                              text(args->precision),
                              Options(args->options, args->option_count),
                              args->threads,
                              text(args->scratch_folder),
                              Cancel(host, args->cancel),
                              Progress(host, args->progress)};
      give(to_json(engine(handle)->compile(given)), out);
    });
  }
  static axle_error_t* load(axle_engine_t* handle, const axle_load_args_t* args, axle_executable_t** out,
                            axle_buffer_t* effective) {
    return guard([&] {
      check_args(args);
      LoadArgs given;
      if (args->graph != nullptr) given.graph.emplace(host, args->graph);
      for (size_t i = 0; i < args->blob_count; ++i) {
        given.blobs.push_back({text(args->blobs[i].name), text(args->blobs[i].data), text(args->blobs[i].path)});
      }
      if (!given.graph && given.blobs.empty()) throw invalid_argument("load needs a graph or an artefact");
      if (args->threads < 1) throw invalid_argument("threads must be at least 1");
      given.resource = text(args->resource);
      given.precision = text(args->precision);
      given.options = Options(args->options, args->option_count);
      given.threads = args->threads;
      given.spin = args->spin != 0;
      given.cpu_set = {args->cpu_set, args->cpu_count};
      given.scratch_folder = text(args->scratch_folder);
      given.cancel = Cancel(host, args->cancel);
      given.progress = Progress(host, args->progress);
      Loaded loaded = engine(handle)->load(given);
      give(to_json(loaded.effective), effective);
      *out = reinterpret_cast<axle_executable_t*>(loaded.executable.release());
    });
  }
  static void unload(axle_executable_t* handle) { delete reinterpret_cast<Executable*>(handle); }
  static axle_error_t* io(axle_executable_t* handle, axle_buffer_t* out) {
    return guard([&] { give(to_json(executable(handle)->io()), out); });
  }
  static axle_error_t* context_create(axle_executable_t* handle, axle_context_t** out) {
    return guard([&] { *out = reinterpret_cast<axle_context_t*>(executable(handle)->make_context().release()); });
  }
  static void context_destroy(axle_context_t* handle) { delete context(handle); }
  static axle_error_t* bind_input(axle_context_t* handle, uint32_t index, const axle_tensor_t* tensor) {
    return guard([&] { context(handle)->bind_input(index, tensor); });
  }
  static axle_error_t* bind_output(axle_context_t* handle, uint32_t index, const axle_tensor_t* tensor) {
    return guard([&] { context(handle)->bind_output(index, tensor); });
  }
  static axle_error_t* run(axle_context_t* handle, const axle_run_args_t* args) {
    return guard([&] { context(handle)->run(run_args(args)); });
  }
  static axle_error_t* output(axle_context_t* handle, uint32_t index, axle_tensor_t* out) {
    return guard([&] {
      if (out == nullptr || out->struct_size < sizeof(axle_tensor_t)) throw invalid_argument("no place for the output");
      const size_t size = out->struct_size;
      *out = context(handle)->output(index);
      out->struct_size = size;
    });
  }
  static axle_error_t* run_async(axle_context_t* handle, const axle_run_args_t* args, axle_done_t done, void* user) {
    return guard([&] { context(handle)->run_async(run_args(args), Done(done, user)); });
  }
  static axle_error_t* counters(axle_executable_t* handle, axle_buffer_t* out) {
    return guard([&] { give(to_json(executable(handle)->counters()), out); });
  }

  static axle_engine_api_t make_table() {
    axle_engine_api_t table{};
    table.struct_size = sizeof(table);
    table.abi_version = AXLE_ENGINE_ABI_VERSION;
    table.error_info = &error_info;
    table.release_error = &release_error;
    table.release_buffer = &release_buffer;
    table.create = &create;
    table.destroy = &destroy;
    table.describe = &describe;
    table.resources = &resources;
    table.capability = &capability;
    table.support = &support;
    table.compile = compiles<EngineClass>() ? &compile : nullptr;
    table.load = &load;
    table.unload = &unload;
    table.io = &io;
    table.context_create = &context_create;
    table.context_destroy = &context_destroy;
    table.bind_input = &bind_input;
    table.bind_output = &bind_output;
    table.run = &run;
    table.output = &output;
    table.run_async = runs_async<EngineClass>() ? &run_async : nullptr;
    table.counters = counts<EngineClass>() ? &counters : nullptr;
    return table;
  }
};

}  // namespace detail

inline void Done::fail(const Error& error) const { done_(user_, detail::make_error(error)); }

// The query function of one engine class; also what axle::register_engine takes.
template <typename EngineClass>
const axle_engine_api_t* query(const axle_host_api_t* host) {
  // A host that lacks the graph accessors cannot hand over a model.
  if (host == nullptr || host->struct_size < offsetof(axle_host_api_t, weight_release) + sizeof(host->weight_release)) {
    return nullptr;
  }
  detail::Boundary<EngineClass>::host = Host(host);
  static const axle_engine_api_t table = detail::Boundary<EngineClass>::make_table();
  return &table;
}

}  // namespace axle::kit

// Defines the one exported symbol. Put it once, at the end of one source file, outside every namespace.
#define AXLE_ENGINE_PLUGIN(EngineClass)                                                                                       \
  extern "C" __attribute__((visibility("default"))) const axle_engine_api_t* axle_engine_query(const axle_host_api_t* host) { \
    return ::axle::kit::query<EngineClass>(host);                                                                             \
  }
