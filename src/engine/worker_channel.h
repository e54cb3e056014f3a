// WorkerChannel: a FlatChannel into an axle-worker process. Starts the process, watches it, carries calls through shared
// memory, and ends it. Thread-safe. In a forked child it does nothing: the process belongs to the parent.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fork_guard.h"
#include "engine/flat_channel.h"

namespace axle {

struct WorkerOptions {
  std::string plugin_path;                    // absolute
  std::string program;                        // axle-worker; "" = the one beside this library
  std::vector<int32_t> cpu_set;               // the process stays on these; empty = where this one may run
  uint64_t memory_limit_bytes = 0;            // of what it allocates; 0 = none
  std::chrono::nanoseconds call_timeout{0};   // a call that takes longer ends the process; 0 = none
  std::chrono::nanoseconds cancel_grace = std::chrono::seconds(5);  // from a cancel to the end of a process that goes on
  std::chrono::nanoseconds start_timeout = std::chrono::seconds(30);
};

// What the kernel says of the process.
struct WorkerFigures {
  int64_t pid = 0;
  uint64_t peak_memory_bytes = 0;             // most that was resident, shared memory included
  std::vector<int32_t> cpus;                  // on which any of its threads may run
};

class WorkerChannel final : public FlatChannel {
 public:
  // NOT_FOUND: no axle-worker beside this library. UNAVAILABLE: it ended at once (its last words are told), or does not begin.
  static Result<std::shared_ptr<WorkerChannel>> start(WorkerOptions options);
  // As start, but the process begins with the first restart().
  static Result<std::shared_ptr<WorkerChannel>> prepare(WorkerOptions options);
  ~WorkerChannel() override;

  Result<std::string> call(const std::string& request, std::span<const FlatAttachment> attachments,
                           const std::function<void()>& poll) override;
  Result<std::string> call_life(uint32_t life, const std::string& request, std::span<const FlatAttachment> attachments,
                                const std::function<void()>& poll) override;
  void on_notice(std::function<void(const std::string&)> receive) override;
  uint32_t life() const noexcept override { return life_.load(std::memory_order_acquire); }
  Status restart() override;
  void abandon(const std::string& why) override;
  std::chrono::nanoseconds cancel_grace() const noexcept override { return options_.cancel_grace; }
  void allow_spin(bool allowed) override;
  void went_well() override;
  void close() override;

  // UNAVAILABLE when the process is gone.
  Result<WorkerFigures> figures() const;
  const WorkerOptions& options() const noexcept { return options_; }

 private:
  struct Life;
  explicit WorkerChannel(WorkerOptions options) : options_(std::move(options)) {}
  Status begin();
  void deliver(const std::string& notice);
  std::shared_ptr<Life> current() const;

  WorkerOptions options_;
  ForkGuard guard_;
  std::atomic<uint32_t> life_{0};
  uint32_t lives_ = 0;
  bool spin_ = false;
  std::mutex receive_mutex_;
  std::function<void(const std::string&)> receive_;
  mutable std::mutex mutex_;
  std::shared_ptr<Life> current_;
};

// CPU time that the worker processes of this one have used so far; of those that live.
int64_t worker_cpu_ns();
// Worker processes that this one has started so far.
uint64_t worker_starts();

// axle-worker beside this library: <libdir>/axle/axle-worker, the wheel's axle/axle-worker, or the build tree's. Never by PATH.
// NOT_FOUND names the places.
Result<std::string> find_worker_program();

}  // namespace axle
