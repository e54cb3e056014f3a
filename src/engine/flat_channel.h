// FlatChannel: carries flat messages between the host and where the engine lives. Segments of shared memory are handed over by
// file descriptor beside a message, once, and named by number afterwards.
#pragma once

#include <chrono>
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
  bool file = false;  // of the cache, to be read only; else sealed memory
};

class FlatChannel {
 public:
  virtual ~FlatChannel() = default;
  // Blocks until the reply is there; `poll` is called now and then meanwhile (at least every few milliseconds). UNAVAILABLE
  // when the other side is gone. Thread-safe.
  virtual Result<std::string> call(const std::string& request, std::span<const FlatAttachment> attachments,
                                   const std::function<void()>& poll) = 0;
  // The same to this life of the other side alone: what it names by number another life would take for something else. UNAVAILABLE when
  // another one has begun. 0 = whichever lives.
  virtual Result<std::string> call_life(uint32_t life, const std::string& request, std::span<const FlatAttachment> attachments,
                                        const std::function<void()>& poll) {
    (void)life;
    return call(request, attachments, poll);
  }
  // What the engine's side sends by itself: log, trace, progress, done. Called on any thread; set once, before the first call.
  // What was sent before a reply has been received when the call returns. An empty notice: the other side is gone.
  virtual void on_notice(std::function<void(const std::string& notice)> receive) = 0;

  // Which life of the other side this is, from 1; 0 = it is gone. What it held is gone with it: handles, segments.
  virtual uint32_t life() const noexcept { return 1; }
  // Starts it anew once it is gone. UNAVAILABLE when that cannot be.
  virtual Status restart() { return unavailable_error("the engine's side is gone and cannot be started again"); }
  // Ends the other side, which does not answer any more; calls under way fail with UNAVAILABLE and `why`.
  virtual void abandon(const std::string& why) { (void)why; }
  // An engine that was told to stop and goes on for longer is taken for hung, and abandoned.
  virtual std::chrono::nanoseconds cancel_grace() const noexcept { return std::chrono::seconds(5); }
  // A run went well on this life of the other side; told once a life.
  virtual void went_well() {}
  // Whoever waits for the other may do so actively for a moment.
  virtual void allow_spin(bool allowed) { (void)allowed; }
  // Ends the other side; no notice comes after it.
  virtual void close() {}
};

}  // namespace axle
