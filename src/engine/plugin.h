// Plugin: one engine's function table, checked. From a shared library, or registered in-process. Never unloaded: a Plugin may
// be dropped, the library stays.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "axle/engine.h"
#include "axle/engine_abi.h"
#include "axle/status.h"

namespace axle {

class Plugin;

// Behind a plugin whose engine is in another process: the verbs that take no handle, and what the host knows of the process
// better than the engine does.
class RemoteEngine {
 public:
  virtual ~RemoteEngine() = default;
  // Its process lives, and is the one that it began with.
  virtual bool in_first_life() const { return true; }
  // The same plugin in another process, which its first call starts. UNIMPLEMENTED where there is no such thing.
  virtual Result<std::shared_ptr<const Plugin>> asleep() const {
    return unimplemented_error("another process cannot be started later");
  }
  virtual axle_error_t* create(const axle_create_args_t* args, axle_engine_t** out) = 0;
  virtual axle_error_t* describe(axle_engine_t* engine, axle_buffer_t* out) = 0;
  // Puts in what the kernel says: the CPUs its threads really stay on.
  virtual Status amend(EffectiveValues& effective) const = 0;
  virtual void amend(std::map<std::string, double>& counters) const = 0;
};

class Plugin {
 public:
  // UNAVAILABLE: not a library, no query symbol, refuses this host, or lacks a verb that is not optional.
  static Result<std::shared_ptr<const Plugin>> open(const std::string& path);
  // `origin` names it in messages.
  static Result<std::shared_ptr<const Plugin>> from_query(axle_engine_query_t query, const std::string& origin);
  static Result<std::shared_ptr<const Plugin>> from_table(const axle_engine_api_t* table, const std::string& origin);
  // `table` lacks create and describe. `path` is the plugin file that runs elsewhere.
  static Result<std::shared_ptr<const Plugin>> from_remote(const axle_engine_api_t& table, std::shared_ptr<RemoteEngine> remote,
                                                           const std::string& path);

  // The verbs that take no handle.
  axle_error_t* create(const axle_create_args_t* args, axle_engine_t** out) const {
    return remote_ ? remote_->create(args, out) : api_.create(args, out);
  }
  axle_error_t* describe(axle_engine_t* engine, axle_buffer_t* out) const {
    return remote_ ? remote_->describe(engine, out) : api_.describe(engine, out);
  }
  // Null when the engine is in this process.
  const RemoteEngine* remote() const noexcept { return remote_.get(); }

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
  std::shared_ptr<RemoteEngine> remote_;
};

}  // namespace axle
