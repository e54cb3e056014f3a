// Loopback: an engine behind flat messages within this process, on other threads and through its own mappings of the shared
// memory. Proves that every verb survives the trip; a worker process differs only in the channel.
#pragma once

#include <memory>

#include "axle/engine_abi.h"
#include "engine/plugin.h"

namespace axle {

class Loopback {
 public:
  // At most 8 live at a time (the query function takes no user data). RESOURCE_EXHAUSTED beyond.
  static Result<std::unique_ptr<Loopback>> create(std::shared_ptr<const Plugin> plugin);
  // Must outlive every engine made through query().
  ~Loopback();
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;

  axle_engine_query_t query() const noexcept;

  struct State;

 private:
  Loopback(std::unique_ptr<State> state, int slot) noexcept;
  std::unique_ptr<State> state_;
  int slot_;
};

}  // namespace axle
