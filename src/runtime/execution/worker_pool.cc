#include "runtime/execution/worker_pool.h"

namespace axle {

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(queue_->mutex);
    queue_->stopping = true;
  }
  queue_->wake.notify_all();
  for (std::thread& thread : threads_) {
    // A job may hold the last session of a runtime: then its own thread comes here and cannot wait for itself.
    if (thread.get_id() == std::this_thread::get_id())
      thread.detach();
    else
      thread.join();
  }
}

void WorkerPool::submit(std::function<void()> job) {
  const std::lock_guard lock(queue_->mutex);
  queue_->jobs.push_back(std::move(job));
  if (queue_->idle < queue_->jobs.size() && threads_.size() < limit_) {
    threads_.emplace_back([queue = queue_] { work(*queue); });
  }
  queue_->wake.notify_one();
}

void WorkerPool::work(Queue& queue) {
  std::unique_lock lock(queue.mutex);
  while (true) {
    ++queue.idle;
    queue.wake.wait(lock, [&] { return queue.stopping || !queue.jobs.empty(); });
    --queue.idle;
    if (queue.jobs.empty()) return;
    std::function<void()> job = std::move(queue.jobs.front());
    queue.jobs.pop_front();
    lock.unlock();
    job();
    job = nullptr;
    lock.lock();
  }
}

}  // namespace axle
