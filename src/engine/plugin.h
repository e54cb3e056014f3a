// Plugin: one engine's function table, checked. From a shared library, or registered in-process. Never unloaded: a Plugin may
// be dropped, the library stays.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "axle/engine_abi.h"
#include "axle/status.h"

namespace axle {

class Plugin {
 public:
  // UNAVAILABLE: not a library, no query symbol, refuses this host, or lacks a verb that is not optional.
  static Result<std::shared_ptr<const Plugin>> open(const std::string& path);
  // `origin` names it in messages.
  static Result<std::shared_ptr<const Plugin>> from_query(axle_engine_query_t query, const std::string& origin);
  static Result<std::shared_ptr<const Plugin>> from_table(const axle_engine_api_t* table, const std::string& origin);

  // A full-sized copy: slots beyond the plugin's size are NULL.
  const axle_engine_api_t& api() const noexcept { return api_; }
  const std::string& origin() const noexcept { return origin_; }
  const std::string& path() const noexcept { return path_; }  // "" = in-process

  // OK for null; else what the error says, after "context: ", and the error is released. Text is made safe to print; an
  // unknown code is kUnknown; required_bytes is a detail of that name.
  Status take_error(axle_error_t* error, std::string_view context) const;
  // A copy of the document; the buffer is released. INTERNAL when it is larger than an answer may be.
  Result<std::string> take_document(axle_buffer_t& buffer, std::string_view context) const;

 private:
  Plugin(const axle_engine_api_t& api, std::string origin) : api_(api), origin_(std::move(origin)) {}
  axle_engine_api_t api_;
  std::string origin_;
  std::string path_;
};

}  // namespace axle
