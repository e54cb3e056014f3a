#include "runtime/execution/replicas.h"

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace axle {
namespace {

constexpr int64_t kFirstPauseNs = 1'000'000'000;
constexpr int64_t kLongestPauseNs = 60'000'000'000;
constexpr int64_t kGuessNs = 1'000'000;  // of what nobody measured: all replicas count alike
constexpr int64_t kLearnShare = 8;       // a new time counts for an eighth
constexpr int64_t kFarSlower = 16;
constexpr auto kCancelLook = std::chrono::milliseconds(5);

}  // namespace

Replicas::Replicas(std::vector<LoadedReplica> loaded, bool rebalance) : rebalance_(rebalance), replicas_(loaded.size()) {
  const bool all_known = std::ranges::all_of(loaded, [](const LoadedReplica& one) { return one.expected_ns > 0; });
  for (size_t i = 0; i < loaded.size(); ++i) {
    Replica& replica = replicas_[i];
    replica.loaded = std::move(loaded[i].loaded);
    replica.most = loaded[i].in_flight;
    replica.typical_ns = all_known ? loaded[i].expected_ns : kGuessNs;
    if (all_known && loaded[i].answer_ns > loaded[i].expected_ns)
      replica.lead = static_cast<double>(loaded[i].answer_ns) / static_cast<double>(loaded[i].expected_ns) - 1;
  }
}

size_t Replicas::in_flight() const {
  size_t sum = 0;
  for (const Replica& replica : replicas_) sum += replica.most;
  return sum;
}

// By the end that a request can expect: what waits there, and the replica's speed. One that is slower by far is left alone:
// waiting for the others takes less time. Null: all that may be asked have lent what they have.
Replicas::Replica* Replicas::earliest() {
  if (!chooses()) return can_lend(replicas_.front()) ? &replicas_.front() : nullptr;
  const int64_t now_ns = steady_ns();
  const auto end = [&](const Replica& replica) {
    const auto lead_ns = static_cast<int64_t>(replica.lead * static_cast<double>(replica.typical_ns));
    return std::pair(replica.left_out_until_ns > now_ns,
                     std::max(replica.busy_until_ns, now_ns) + replica.typical_ns + lead_ns);
  };
  const auto earlier = [&](const Replica& a, const Replica& b) { return end(a) < end(b); };
  const Replica& first = *std::min_element(replicas_.begin(), replicas_.end(), earlier);
  Replica* best = nullptr;
  for (Replica& replica : replicas_) {
    const bool far_slower = replica.typical_ns > kFarSlower * first.typical_ns;
    const bool left_out = replica.left_out_until_ns > now_ns && first.left_out_until_ns <= now_ns;
    if (can_lend(replica) && !far_slower && !left_out && (best == nullptr || earlier(replica, *best))) best = &replica;
  }
  return best;
}

Result<Loan> Replicas::lend(const CancelToken& cancel) {
  std::unique_lock lock(mutex_);
  Replica* replica = earliest();
  while (replica == nullptr) {
    if (cancel.flag() == nullptr) {
      free_again_.wait(lock);
    } else {
      AXLE_RETURN_IF_ERROR(cancel.check());
      free_again_.wait_for(lock, kCancelLook);
    }
    replica = earliest();
  }
  if (chooses()) replica->busy_until_ns = std::max(replica->busy_until_ns, steady_ns()) + replica->typical_ns;
  ++replica->lent;
  Loan loan{static_cast<size_t>(replica - replicas_.data()), nullptr};
  if (!replica->idle.empty()) {
    loan.execution = std::move(replica->idle.back());
    replica->idle.pop_back();
    return loan;
  }
  ++replica->made;
  lock.unlock();
  auto created = Execution::create(replica->loaded);
  if (!created) {
    lock.lock();
    --replica->made;
    --replica->lent;
    ++replica->statistics.failures;
    pause(*replica);
    free_again_.notify_all();
    return std::move(created).error();
  }
  loan.execution = std::make_unique<Execution>(std::move(*created));
  return loan;
}

void Replicas::pause(Replica& replica) {
  if (!rebalance_ || !chooses()) return;
  replica.pause_ns = std::clamp(2 * replica.pause_ns, kFirstPauseNs, kLongestPauseNs);
  replica.left_out_until_ns = steady_ns() + replica.pause_ns;
}

void Replicas::give_back(Loan loan, const Outcome& outcome) {
  {
    const std::lock_guard lock(mutex_);
    Replica& replica = replicas_[loan.replica];
    const int64_t now_ns = chooses() ? steady_ns() : 0;
    --replica.lent;
    ++replica.statistics.requests;
    if (replica.lent == 0) replica.busy_until_ns = now_ns;
    if (outcome.failed) {
      ++replica.statistics.failures;
      pause(replica);
    } else {
      replica.pause_ns = 0;
      if (rebalance_ && outcome.busy_ns > 0) replica.typical_ns += (outcome.busy_ns - replica.typical_ns) / kLearnShare;
    }
    // Of one that failed the context may be broken too: the next request gets a new one.
    if (outcome.failed)
      --replica.made;
    else
      replica.idle.push_back(std::move(loan.execution));
  }
  free_again_.notify_all();
}

const std::shared_ptr<const LoadedPlan>& Replicas::next_loaded() {
  const std::lock_guard lock(mutex_);
  return replicas_[next_++ % replicas_.size()].loaded;
}

std::vector<ReplicaStatistics> Replicas::statistics() const {
  const std::lock_guard lock(mutex_);
  const int64_t now_ns = steady_ns();
  std::vector<ReplicaStatistics> list;
  for (const Replica& replica : replicas_) {
    list.push_back(replica.statistics);
    list.back().typical_ns = replica.typical_ns;
    list.back().left_out = replica.left_out_until_ns > now_ns;
  }
  return list;
}

}  // namespace axle
