#include "runtime/loading/idle_engines.h"

#include <algorithm>

#include "base/logging.h"

namespace axle {

IdleEngines::IdleEngines(size_t most, std::chrono::nanoseconds keep_for) : most_(most), keep_for_(keep_for) {}

IdleEngines::~IdleEngines() {
  // In a forked child neither the threads nor the processes are ours.
  if (guard_.in_forked_child()) {
    new std::list<Waiting>(std::move(waiting_));
    new std::thread(std::move(watcher_));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (watcher_.joinable()) watcher_.join();
}

std::shared_ptr<Engine> IdleEngines::take(const std::string& key) {
  if (guard_.in_forked_child()) return nullptr;
  for (;;) {
    std::list<Waiting> found;
    {
      const std::lock_guard lock(mutex_);
      const auto at = std::ranges::find(waiting_, key, &Waiting::key);
      if (at == waiting_.end()) return nullptr;
      found.splice(found.begin(), waiting_, at);
    }
    Waiting& waiting = found.front();
    if (waiting.starting.valid()) {
      Result<std::shared_ptr<Engine>> started = waiting.starting.get();
      if (!started) AXLE_LOG(kInfo, "runtime", "an engine that was to wait did not start: {}", started.error().to_string());
      if (started) waiting.engine = *std::move(started);
    }
    if (waiting.engine == nullptr) continue;
    const RemoteEngine* const remote = waiting.engine->plugin().remote();
    if (remote == nullptr || remote->in_first_life()) return std::move(waiting.engine);
  }
}

void IdleEngines::add(Waiting waiting, std::list<Waiting>& dropped) {
  waiting.until = Clock::now() + keep_for_;
  waiting_.push_back(std::move(waiting));
  if (waiting_.size() > most_) dropped.splice(dropped.begin(), waiting_, waiting_.begin());
  if (!watcher_.joinable()) watcher_ = std::thread([this] { drop_old_ones(); });
  changed_.notify_all();
}

void IdleEngines::give(const std::string& key, std::shared_ptr<Engine> engine) {
  if (most_ == 0 || guard_.in_forked_child()) return;
  std::list<Waiting> dropped;  // ended without the lock: that takes a while
  const std::lock_guard lock(mutex_);
  add({key, {}, std::move(engine), {}}, dropped);
}

void IdleEngines::prepare(const std::string& key, Start start) {
  if (guard_.in_forked_child()) return;
  std::list<Waiting> dropped;
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= most_ || std::ranges::find(waiting_, key, &Waiting::key) != waiting_.end()) return;
  add({key, std::async(std::launch::async, std::move(start)), nullptr, {}}, dropped);
}

void IdleEngines::clear() {
  std::list<Waiting> dropped;
  const std::lock_guard lock(mutex_);
  dropped.swap(waiting_);
}

size_t IdleEngines::size() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size();
}

void IdleEngines::drop_old_ones() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (waiting_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const Clock::time_point next = waiting_.front().until;
    if (Clock::now() < next) {
      changed_.wait_until(lock, next);
      continue;
    }
    std::list<Waiting> dropped;
    dropped.splice(dropped.begin(), waiting_, waiting_.begin());
    lock.unlock();
    dropped.clear();
    lock.lock();
  }
}

}  // namespace axle
