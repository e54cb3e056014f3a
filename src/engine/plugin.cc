#include "engine/plugin.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "base/dynamic_library.h"
#include "base/text.h"
#include "engine/host_api.h"
#include "spec/engine_answers.h"

namespace axle {
namespace {

constexpr size_t kMaxMessageBytes = 8192;

std::string safe_text(axle_text_t text) {
  return text.data == nullptr ? std::string() : printable(std::string_view(text.data, text.size), kMaxMessageBytes);
}

StatusCode status_code(int32_t code) noexcept {
  return code > 0 && code <= AXLE_DATA_LOSS ? static_cast<StatusCode>(code) : StatusCode::kUnknown;
}

// The first missing verb that is not optional; null when complete.
const char* missing_verb(const axle_engine_api_t& api) noexcept {
  const struct {
    bool present;
    const char* name;
  } verbs[] = {{api.error_info != nullptr, "error_info"},
               {api.release_error != nullptr, "release_error"},
               {api.release_buffer != nullptr, "release_buffer"},
               {api.create != nullptr, "create"},
               {api.destroy != nullptr, "destroy"},
               {api.describe != nullptr, "describe"},
               {api.resources != nullptr, "resources"},
               {api.capability != nullptr, "capability"},
               {api.support != nullptr, "support"},
               {api.load != nullptr, "load"},
               {api.unload != nullptr, "unload"},
               {api.io != nullptr, "io"},
               {api.context_create != nullptr, "context_create"},
               {api.context_destroy != nullptr, "context_destroy"},
               {api.bind_input != nullptr, "bind_input"},
               {api.bind_output != nullptr, "bind_output"},
               {api.run != nullptr, "run"},
               {api.output != nullptr, "output"}};
  for (const auto& verb : verbs) {
    if (!verb.present) return verb.name;
  }
  return nullptr;
}

}  // namespace

Result<std::shared_ptr<const Plugin>> Plugin::from_table(const axle_engine_api_t* table, const std::string& origin) {
  if (table == nullptr) {
    return unavailable_error(fmt::format("{} cannot work with this axle (ABI {})", origin, AXLE_ENGINE_ABI_VERSION))
        .with_hint("rebuild the plugin against this axle, or install a newer axle");
  }
  if (table->struct_size < offsetof(axle_engine_api_t, error_info) || table->abi_version == 0) {
    return unavailable_error(fmt::format("{} gives a function table that makes no sense", origin));
  }
  axle_engine_api_t api{};
  std::memcpy(&api, table, std::min(table->struct_size, sizeof(api)));
  api.struct_size = sizeof(api);
  if (const char* missing = missing_verb(api)) {
    return unavailable_error(fmt::format("{} (ABI {}) lacks the verb '{}'", origin, table->abi_version, missing))
        .with_hint("rebuild the plugin against this axle");
  }
  return std::shared_ptr<const Plugin>(new Plugin(api, origin));
}

Result<std::shared_ptr<const Plugin>> Plugin::from_query(axle_engine_query_t query, const std::string& origin) {
  if (query == nullptr) return invalid_argument_error(fmt::format("{}: no query function was given", origin));
  return from_table(query(host_api()), origin);
}

Result<std::shared_ptr<const Plugin>> Plugin::open(const std::string& path) {
  AXLE_ASSIGN_OR_RETURN(const DynamicLibrary library, DynamicLibrary::open(path));
  AXLE_ASSIGN_OR_RETURN(const auto query, library.function<axle_engine_query_t>(AXLE_ENGINE_QUERY_SYMBOL));
  AXLE_ASSIGN_OR_RETURN(const auto plugin, from_query(query, path));
  auto named = std::make_shared<Plugin>(*plugin);
  named->path_ = library.path();
  return std::shared_ptr<const Plugin>(std::move(named));
}

Result<std::shared_ptr<const Plugin>> Plugin::from_remote(const axle_engine_api_t& table, std::shared_ptr<RemoteEngine> remote,
                                                          const std::string& path) {
  axle_engine_api_t api = table;
  // Never called: Plugin::create and Plugin::describe ask `remote`.
  api.create = [](const axle_create_args_t*, axle_engine_t**) -> axle_error_t* { return nullptr; };
  api.describe = [](axle_engine_t*, axle_buffer_t*) -> axle_error_t* { return nullptr; };
  AXLE_ASSIGN_OR_RETURN(const auto plugin, from_table(&api, path));
  auto made = std::make_shared<Plugin>(*plugin);
  made->path_ = path;
  made->remote_ = std::move(remote);
  return std::shared_ptr<const Plugin>(std::move(made));
}

Status Plugin::take_error(axle_error_t* error, std::string_view context) const {
  if (error == nullptr) return ok_status();
  axle_error_info_t info{};
  info.struct_size = sizeof(info);
  api_.error_info(error, &info);
  std::string message = safe_text(info.message);
  if (message.empty()) message = "failed without a message";
  Status status(status_code(info.code), context.empty() ? message : fmt::format("{}: {}", context, message));
  if (std::string hint = safe_text(info.hint); !hint.empty()) status = std::move(status).with_hint(std::move(hint));
  if (info.vendor_code != 0) status = std::move(status).with_vendor_code(info.vendor_code);
  if (info.required_bytes != 0) status = std::move(status).with_detail("required_bytes", std::to_string(info.required_bytes));
  api_.release_error(error);
  return status;
}

Result<std::string> Plugin::take_document(axle_buffer_t& buffer, std::string_view context) const {
  if (buffer.size > kMaxAnswerBytes || (buffer.size > 0 && buffer.data == nullptr)) {
    api_.release_buffer(&buffer);
    return internal_error(fmt::format("{}: the answer is larger than {} MiB, or has no bytes", context, kMaxAnswerBytes >> 20));
  }
  std::string document(buffer.data == nullptr ? "" : buffer.data, buffer.size);
  api_.release_buffer(&buffer);
  return document;
}

}  // namespace axle
