// FlatClient: the host's side of the flat form: an engine function table whose verbs travel through a FlatChannel. Above it
// nothing knows that the engine is elsewhere.
// When the other side dies, the calls under way fail with UNAVAILABLE. The next call has it started anew and everything that
// its handle needs made again there: the engine created, the graph loaded, the tensors bound, all as they were.
#pragma once

#include <memory>

#include "axle/engine_abi.h"
#include "axle/status.h"
#include "engine/flat_channel.h"

namespace axle {

class FlatClient {
 public:
  // Asks the other side what it is. UNAVAILABLE when it does not answer.
  static Result<std::shared_ptr<FlatClient>> create(std::shared_ptr<FlatChannel> channel);
  // The same through a channel whose other side has not begun: the first call has it started. Until then engines are created by their
  // names alone.
  Result<std::shared_ptr<FlatClient>> asleep(std::shared_ptr<FlatChannel> channel) const;
  ~FlatClient();
  FlatClient(const FlatClient&) = delete;
  FlatClient& operator=(const FlatClient&) = delete;

  // A table without create and describe, which take no handle: the owner of the client fills them with create_engine and
  // describe_engine. Optional slots are there when the engine has them.
  axle_engine_api_t table() const;
  axle_error_t* create_engine(const axle_create_args_t* args, axle_engine_t** out);
  axle_error_t* describe_engine(axle_engine_t* engine, axle_buffer_t* out);

  // How often the other side was started anew.
  uint32_t restarts() const noexcept;
  // Bytes of tensors that were copied between callers' memory and shared memory so far.
  uint64_t copied_bytes() const noexcept;

  struct Impl;

 private:
  explicit FlatClient(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace axle
