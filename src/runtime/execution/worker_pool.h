// WorkerPool: a few threads that run queued jobs in order. Threads start with the first job.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace axle {

class WorkerPool {
 public:
  explicit WorkerPool(size_t threads) : limit_(threads), queue_(std::make_shared<Queue>()) {}
  // Runs what is queued, then stops. May be called by a job: that job's thread ends by itself when the job is over.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  void submit(std::function<void()> job);

 private:
  // Shared with the threads, since the one that destroys the pool outlives it.
  struct Queue {
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<std::function<void()>> jobs;
    size_t idle = 0;
    bool stopping = false;
  };
  static void work(Queue& queue);

  const size_t limit_;
  std::shared_ptr<Queue> queue_;
  std::vector<std::thread> threads_;  // guarded by queue_->mutex
};

}  // namespace axle
