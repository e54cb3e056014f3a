// Batcher: requests that wait at the same time are computed together. Their rows are laid one behind the other into one set of inputs, the
// model runs once, and each request copies its rows out. What a request does to itself (cancel, deadline, wrong content) it does alone: it
// leaves its companions, and a run that fails is done again one request at a time. Only so many runs are under way at a time; who comes
// meanwhile waits, and that is who is joined. A request that finds a run free begins at once, alone, unless the plan says to wait.
// Thread-safe. Its destructor waits for the runs that nobody waits for any longer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "axle/cancel.h"
#include "axle/plan.h"
#include "axle/session.h"
#include "runtime/execution/worker_pool.h"
#include "tensor/buffer_pool.h"

namespace axle {

class Batcher {
 public:
  // Runs the model; called from several threads, for so many runs at a time as the plan says.
  using Compute = std::function<Result<std::vector<NamedTensor>>(std::span<const NamedTensor> feeds)>;
  struct Options {
    Batching batching;
    std::vector<int64_t> sizes;  // rows that executables are prepared for, ascending; empty = any number
    std::vector<std::string> inputs;  // names, in the model's order
    Compute compute;
  };
  explicit Batcher(Options options);
  ~Batcher();
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // The right to run alone, until it is gone.
  class Place {
   public:
    Place() noexcept = default;
    Place(Place&& other) noexcept : batcher_(std::exchange(other.batcher_, nullptr)) {}
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (batcher_ != nullptr) batcher_->leave();
    }

   private:
    friend class Batcher;
    void hold(Batcher* batcher) { batcher_ = batcher; }
    Batcher* batcher_ = nullptr;
  };

  // Where the outputs of a request are: in those of a run together with others, or nowhere yet: then its caller computes it alone while
  // it holds `place`.
  class Answer {
   public:
    bool computed() const { return outputs_ != nullptr; }
    size_t outputs() const { return outputs_->size(); }
    const std::string& name(size_t output) const { return (*outputs_)[output].name; }
    DataType dtype(size_t output) const { return (*outputs_)[output].tensor.dtype(); }
    Shape shape(size_t output) const;
    // The request's rows of an output.
    std::span<const std::byte> bytes(size_t output) const;
    Result<Tensor> copy(size_t output) const;

   private:
    friend class Batcher;
    std::shared_ptr<const std::vector<NamedTensor>> outputs_;
    int64_t first_row_ = 0, rows_ = 0;
    Place place_;
  };

  // `inputs` in the model's order, null for one that is left out; they are read until this returns. CANCELLED, DEADLINE_EXCEEDED.
  Result<Answer> enter(std::span<const Tensor* const> inputs, const CancelToken& cancel);
  BatchStatistics statistics() const;
  // Requests in the queue now.
  size_t waiting() const;

 private:
  struct Waiting;
  struct Group;
  using Clock = std::chrono::steady_clock;

  int64_t rows_of(std::span<const Tensor* const> inputs) const;
  std::vector<Waiting*> companions(const Waiting& first) const;
  bool complete(const Waiting& first) const;
  bool may_lead(const Waiting& mine) const { return queue_.front() == &mine && under_way_ < options_.batching.runs; }
  Result<bool> wait_in_queue(Waiting& mine, const CancelToken& cancel, std::unique_lock<std::mutex>& lock);
  Status wait_for_run(Waiting& mine, const CancelToken& cancel, std::unique_lock<std::mutex>& lock);
  void take(Waiting& first);
  void run(Group& group);
  Result<std::vector<NamedTensor>> gather(const Group& group);
  void leave();
  void wake_first();

  const Options options_;
  const Clock::duration patience_;
  BufferPool buffers_;
  mutable std::mutex mutex_;
  std::deque<Waiting*> queue_;
  int32_t under_way_ = 0;
  BatchStatistics statistics_;
  WorkerPool pool_;  // runs joined runs whose first caller may have to leave. Last: it ends before what it uses
};

}  // namespace axle
