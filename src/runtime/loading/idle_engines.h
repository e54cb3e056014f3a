// IdleEngines: engines in processes of their own that wait for their next use, started and with the vendor's library open. Loading takes
// one instead of starting a process and a library anew. Few wait at once, and none for long: a process that nobody uses costs memory.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "axle/status.h"
#include "base/fork_guard.h"
#include "engine/engine.h"

namespace axle {

class IdleEngines {
 public:
  using Start = std::function<Result<std::shared_ptr<Engine>>()>;

  // At most `most` wait, none longer than `keep_for`.
  explicit IdleEngines(size_t most, std::chrono::nanoseconds keep_for = std::chrono::seconds(20));
  ~IdleEngines();  // waits for those that are being started
  IdleEngines(const IdleEngines&) = delete;
  IdleEngines& operator=(const IdleEngines&) = delete;

  // The one that waits longest under `key`, for the caller alone; one that is being started is waited for. Null: none does. One whose process
  // ended meanwhile is dropped.
  std::shared_ptr<Engine> take(const std::string& key);
  // The caller uses it no more. The one that has waited longest goes when there are too many.
  void give(const std::string& key, std::shared_ptr<Engine> engine);
  // Starts one on a thread of its own unless one waits under `key` already, or as many as may. A start that fails is nobody's: who takes
  // starts again and is told.
  void prepare(const std::string& key, Start start);
  // Ends those that wait: who comes next starts anew.
  void clear();
  size_t size() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Waiting {
    std::string key;
    std::future<Result<std::shared_ptr<Engine>>> starting;
    std::shared_ptr<Engine> engine;
    Clock::time_point until;
  };
  void add(Waiting waiting, std::list<Waiting>& dropped);  // with mutex_ held
  void drop_old_ones();

  const size_t most_;
  const std::chrono::nanoseconds keep_for_;
  ForkGuard guard_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::list<Waiting> waiting_;  // the oldest first
  std::thread watcher_;  // from the first that waits
};

}  // namespace axle
