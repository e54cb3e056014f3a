// Lanes: one thread for each core set or device of a scheduled plan. A lane runs one partition at a time, in the order in which
// requests come, and hands the request on to the lane of the next partition: that is a pipeline, and requests leave it in the
// order in which they entered. What bounds the queues is the number of executions that are lent out (Replicas).
#pragma once

#include <memory>
#include <vector>

#include "axle/plan.h"
#include "runtime/execution/executor.h"
#include "runtime/execution/worker_pool.h"

namespace axle {

class Lanes {
 public:
  // Partitions with the same core set, or on the same device, share a lane. The thread of a core set is confined to it: an
  // engine with one thread computes on the thread that calls. UNAVAILABLE: this process may not use a core set.
  static Result<std::unique_ptr<Lanes>> create(const std::vector<Partition>& partitions);

  // Runs all partitions of the execution, each on its lane. Blocks. `busy_ns`: time that its slowest lane spent on it, which is
  // what keeps the next request waiting.
  Status run(Execution& execution, const CancelToken& cancel, const RunProfile* profile, int64_t& busy_ns);

  size_t size() const { return lanes_.size(); }

 private:
  struct Request;
  Lanes() = default;
  void step(Request& request);

  std::vector<std::unique_ptr<WorkerPool>> lanes_;
  std::vector<size_t> lane_of_;  // per partition of the plan
};

}  // namespace axle
