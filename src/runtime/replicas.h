// Replicas: the loaded copies of a plan, and their executions, lent to callers. One replica for every schedule but "replicas".
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "axle/cancel.h"
#include "axle/session.h"
#include "runtime/executor.h"

namespace axle {

// What keeps an execution lent.
struct Loan {
  size_t replica = 0;
  std::unique_ptr<Execution> execution;
};

// How a call on a loan went.
struct Outcome {
  int64_t busy_ns = 0;     // 0 = not measured
  bool failed = false;     // the replica's device or process is gone
};

class Replicas {
 public:
  struct Options {
    size_t in_flight = 1;      // executions of one replica; more callers wait
    bool rebalance = false;    // learn speeds while running, leave out what fails
  };
  // `expected_ns`: time per request that each replica was planned with; 0 = not known.
  Replicas(std::vector<std::shared_ptr<const LoadedPlan>> loaded, std::vector<int64_t> expected_ns, Options options);

  // An execution of the replica with the earliest expected end among those that have one to lend; waits when none has.
  // CANCELLED, DEADLINE_EXCEEDED, or the engine's failure to make a context.
  Result<Loan> lend(const CancelToken& cancel);
  void give_back(Loan loan, const Outcome& outcome);
  // Round and round: for bindings, which keep their replica.
  const std::shared_ptr<const LoadedPlan>& next_loaded();

  size_t size() const { return replicas_.size(); }
  const LoadedPlan& loaded(size_t replica) const { return *replicas_[replica].loaded; }
  std::vector<ReplicaStatistics> statistics() const;

 private:
  struct Replica {
    std::shared_ptr<const LoadedPlan> loaded;
    std::vector<std::unique_ptr<Execution>> idle;
    size_t made = 0;
    int64_t typical_ns = 0;
    int64_t busy_until_ns = 0;
    int64_t left_out_until_ns = 0;  // after a failure; tried again then
    int64_t pause_ns = 0;
    size_t lent = 0;
    ReplicaStatistics statistics;
  };
  Replica* earliest();
  // One replica needs no clock: there is nothing to choose.
  bool chooses() const { return replicas_.size() > 1; }
  bool can_lend(const Replica& replica) const { return !replica.idle.empty() || replica.made < options_.in_flight; }

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable free_again_;
  std::vector<Replica> replicas_;
  size_t next_ = 0;
};

}  // namespace axle
