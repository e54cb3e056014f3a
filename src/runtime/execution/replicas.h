// Replicas: the loaded copies of a plan, and their executions, lent to callers. One replica for every schedule but "replicas". A
// replica that is a pipeline or split of its own lends as many executions as it has parts to work on, and those that wait.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "axle/cancel.h"
#include "axle/session.h"
#include "runtime/execution/executor.h"

namespace axle {

// What keeps an execution lent.
struct Loan {
  size_t replica = 0;
  std::unique_ptr<Execution> execution;
};

// How a call on a loan went.
struct Outcome {
  int64_t busy_ns = 0;  // 0 = not measured
  bool failed = false;  // the replica's device or process is gone
};

// One copy of a plan.
struct LoadedReplica {
  std::shared_ptr<const LoadedPlan> loaded;
  int64_t expected_ns = 0;  // time per request when it is busy, as planned: of several parts the slowest one's; 0 = not known
  int64_t answer_ns = 0;  // what one request takes from end to end, as planned
  size_t in_flight = 1;  // executions; more callers wait
};

class Replicas {
 public:
  // `rebalance`: learn speeds while running, leave out what fails.
  Replicas(std::vector<LoadedReplica> loaded, bool rebalance);

  // An execution of the replica with the earliest expected end among those that have one to lend; waits when none has.
  // CANCELLED, DEADLINE_EXCEEDED, or the engine's failure to make a context.
  Result<Loan> lend(const CancelToken& cancel);
  void give_back(Loan loan, const Outcome& outcome);
  // Round and round: for bindings, which keep their replica.
  const std::shared_ptr<const LoadedPlan>& next_loaded();

  size_t size() const { return replicas_.size(); }
  // Requests that all of them together hold.
  size_t in_flight() const;
  const LoadedPlan& loaded(size_t replica) const { return *replicas_[replica].loaded; }
  std::vector<ReplicaStatistics> statistics() const;

 private:
  struct Replica {
    std::shared_ptr<const LoadedPlan> loaded;
    std::vector<std::unique_ptr<Execution>> idle;
    size_t most = 1;  // executions
    size_t made = 0;
    int64_t typical_ns = 0;
    double lead = 0;  // what a request takes beyond its share of a busy replica, in times of that
    int64_t busy_until_ns = 0;
    int64_t left_out_until_ns = 0;  // after a failure; tried again then
    int64_t pause_ns = 0;
    size_t lent = 0;
    ReplicaStatistics statistics;
  };
  Replica* earliest();
  // Left out for a while, with `mutex_` held: longer each time that it fails again.
  void pause(Replica& replica);
  // One replica needs no clock: there is nothing to choose.
  bool chooses() const { return replicas_.size() > 1; }
  static bool can_lend(const Replica& replica) { return !replica.idle.empty() || replica.made < replica.most; }

  const bool rebalance_;
  mutable std::mutex mutex_;
  std::condition_variable free_again_;
  std::vector<Replica> replicas_;
  size_t next_ = 0;
};

}  // namespace axle
