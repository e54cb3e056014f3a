// FlatChannel: carries flat messages between the host and where the engine lives. Segments of shared memory are handed over by
// file descriptor beside a message, once, and named by number afterwards.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "axle/status.h"

namespace axle {

// Attached to a message: from now on `segment` means this memory.
struct FlatAttachment {
  uint32_t segment = 0;
  int fd = -1;  // the receiver duplicates it
  uint64_t size_bytes = 0;
};

class FlatChannel {
 public:
  virtual ~FlatChannel() = default;
  // Blocks until the reply is there; `poll` is called now and then meanwhile (at least every few milliseconds). UNAVAILABLE
  // when the other side is gone. Thread-safe.
  virtual Result<std::string> call(const std::string& request, std::span<const FlatAttachment> attachments,
                                   const std::function<void()>& poll) = 0;
  // What the engine's side sends by itself: log, trace, progress, done. Called on any thread; set once, before the first call.
  virtual void on_notice(std::function<void(const std::string& notice)> receive) = 0;
};

}  // namespace axle
