// FlatServer: the engine's side of the flat form. Decodes requests, calls a plugin's table, encodes replies. Holds what
// handles mean: engines, executables and contexts are numbers on the wire. Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "base/shared_memory.h"
#include "engine/flat_channel.h"
#include "engine/flat_graph.h"
#include "engine/flat_message.h"
#include "engine/plugin.h"

namespace axle {

class FlatServer {
 public:
  // `notify` sends a notice to the host; called on any thread.
  FlatServer(std::shared_ptr<const Plugin> plugin, std::function<void(std::string)> notify);
  ~FlatServer();
  FlatServer(const FlatServer&) = delete;
  FlatServer& operator=(const FlatServer&) = delete;

  // Takes what came beside a message. INVALID_ARGUMENT for a segment that is not sealed or already there.
  Status attach(std::span<const FlatAttachment> attachments);
  // Always a reply: a malformed request is answered with its error.
  std::string serve(std::string_view request);

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

// Optional slots of the plugin, told in the reply to create's predecessor: describe without an engine.
inline constexpr uint32_t kSlotCompile = 1, kSlotCounters = 2, kSlotRunAsync = 4;

}  // namespace axle
