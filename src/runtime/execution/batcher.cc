#include "runtime/execution/batcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <utility>

#include "runtime/execution/row_slices.h"

namespace axle {
namespace {

constexpr auto kCancelLook = std::chrono::milliseconds(5);

bool readable(const Tensor& tensor) {
  return tensor.defined() && tensor.dtype() != DataType::kString && tensor.memory_space() != MemorySpace::kDevice &&
         data_type_bits(tensor.dtype()) >= 8 && !tensor.shape().empty();
}

// What the declared axis promised: a row of each output for each row of the inputs.
Status check_rows_of(const std::vector<NamedTensor>& outputs, int64_t rows) {
  for (const NamedTensor& output : outputs) {
    if (readable(output.tensor) && output.tensor.shape().front() == rows) continue;
    return internal_error(
        fmt::format("output '{}' of {} rows computed together is {}", output.name, rows, format_shape(output.tensor.shape())));
  }
  return ok_status();
}

// All but the first axis.
bool same_rest(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape().size() == b.shape().size() &&
         std::equal(a.shape().begin() + 1, a.shape().end(), b.shape().begin() + 1);
}

}  // namespace

// A request on the stack of its caller. Guarded by the batcher's mutex, but for `inputs`, which do not change.
struct Batcher::Waiting {
  std::span<const Tensor* const> inputs;
  int64_t rows = 0;  // 0 = it can be joined with nothing
  bool alone = false;
  Clock::time_point came;
  std::condition_variable wake;
  std::shared_ptr<Group> group;  // once it was taken from the queue
  int64_t first_row = 0;
};

// Requests of one run.
struct Batcher::Group {
  std::vector<Waiting*> members;  // those that have left since are null
  int64_t rows = 0;
  bool gathered = false;  // nobody's inputs are read any longer
  bool done = false;
  Status failure;
  std::shared_ptr<const std::vector<NamedTensor>> outputs;
};

Shape Batcher::Answer::shape(size_t output) const {
  Shape shape = (*outputs_)[output].tensor.shape();
  shape.front() = rows_;
  return shape;
}

std::span<const std::byte> Batcher::Answer::bytes(size_t output) const {
  return rows_in((*outputs_)[output].tensor, first_row_, rows_);
}

Result<Tensor> Batcher::Answer::copy(size_t output) const {
  AXLE_ASSIGN_OR_RETURN(Tensor mine, Tensor::allocate(dtype(output), shape(output)));
  const std::span<const std::byte> from = bytes(output);
  if (!from.empty()) std::memcpy(mine.mutable_data(), from.data(), from.size());
  return mine;
}

Batcher::Batcher(Options options)
    : options_(std::move(options)), patience_(std::chrono::nanoseconds(options_.batching.wait_ns)),
      pool_(static_cast<size_t>(options_.batching.runs)) {}

Batcher::~Batcher() = default;

int64_t Batcher::rows_of(std::span<const Tensor* const> inputs) const {
  for (const Tensor* input : inputs) {
    if (input == nullptr || !readable(*input) || input->shape().front() != inputs.front()->shape().front()) return 0;
  }
  const int64_t rows = inputs.empty() ? 0 : inputs.front()->shape().front();
  return rows < options_.batching.rows ? rows : 0;
}

// Those that are computed together with `first`, itself included, in the order in which they came. Where sizes are prepared, as many of
// them as give one of these.
std::vector<Batcher::Waiting*> Batcher::companions(const Waiting& first) const {
  std::vector<Waiting*> chosen;
  int64_t rows = 0;
  size_t fitting = 1;
  const auto joins = [&](const Waiting& other) {
    if (&other == &first) return true;
    if (first.alone || first.rows == 0 || other.alone || other.rows == 0) return false;
    if (rows + other.rows > options_.batching.rows) return false;
    return std::ranges::equal(first.inputs, other.inputs, [](const Tensor* a, const Tensor* b) { return same_rest(*a, *b); });
  };
  for (Waiting* const other : queue_) {
    if (!joins(*other)) continue;
    chosen.push_back(other);
    rows += other->rows;
    const bool prepared = options_.sizes.empty() || std::ranges::binary_search(options_.sizes, rows);
    if (prepared || chosen.size() == 1) fitting = chosen.size();
    if (rows >= options_.batching.rows) break;
  }
  chosen.resize(fitting);
  return chosen;
}

// Nobody who may still come would be joined.
bool Batcher::complete(const Waiting& first) const {
  if (first.alone || first.rows == 0) return true;
  const std::vector<Waiting*> all = companions(first);
  const int64_t rows =
      std::accumulate(all.begin(), all.end(), int64_t{0}, [](int64_t sum, const Waiting* one) { return sum + one->rows; });
  const int64_t most = options_.batching.rows;
  if (options_.sizes.empty()) return rows >= most;
  const auto beyond = std::ranges::upper_bound(options_.sizes, rows);
  return beyond == options_.sizes.end() || *beyond > most;
}

void Batcher::wake_first() {
  if (!queue_.empty() && under_way_ < options_.batching.runs) queue_.front()->wake.notify_one();
}

void Batcher::leave() {
  const std::lock_guard lock(mutex_);
  --under_way_;
  ++statistics_.requests;
  wake_first();
}

// The request and its companions leave the queue for a run.
void Batcher::take(Waiting& first) {
  auto group = std::make_shared<Group>();
  group->members = companions(first);
  for (Waiting* const member : group->members) {
    member->group = group;
    member->first_row = group->rows;
    group->rows += member->rows;
    std::erase(queue_, member);
  }
  ++under_way_;
  ++statistics_.runs;
  statistics_.most_rows = std::max(statistics_.most_rows, std::max<int64_t>(group->rows, 1));
  wake_first();
}

// True: it is this request that begins a run. False: it has become part of one. A request that leaves before that leaves alone.
Result<bool> Batcher::wait_in_queue(Waiting& mine, const CancelToken& cancel, std::unique_lock<std::mutex>& lock) {
  const bool may_leave = cancel.flag() != nullptr;
  while (mine.group == nullptr) {
    if (may_lead(mine)) {
      const Clock::time_point until = mine.came + patience_, now = patience_ == patience_.zero() ? until : Clock::now();
      if (now >= until || complete(mine)) {
        take(mine);
        return true;
      }
      mine.wake.wait_until(lock, may_leave ? std::min(until, now + kCancelLook) : until);
    } else if (may_leave) {
      mine.wake.wait_for(lock, kCancelLook);
    } else {
      mine.wake.wait(lock);
    }
    if (!may_leave || mine.group != nullptr) continue;
    if (Status status = cancel.check(); !status.ok()) {
      std::erase(queue_, &mine);
      wake_first();
      return std::move(status).with_family(ErrorFamily::kRuntime);
    }
  }
  return false;
}

// Until the run is over. Its inputs are read before anybody may leave.
Status Batcher::wait_for_run(Waiting& mine, const CancelToken& cancel, std::unique_lock<std::mutex>& lock) {
  Group& group = *mine.group;
  while (!group.done) {
    if (cancel.flag() == nullptr) {
      mine.wake.wait(lock);
      continue;
    }
    mine.wake.wait_for(lock, kCancelLook);
    if (group.done || !group.gathered) continue;
    if (Status status = cancel.check(); !status.ok()) {
      std::ranges::replace(group.members, &mine, nullptr);
      return std::move(status).with_family(ErrorFamily::kRuntime);
    }
  }
  return ok_status();
}

Result<Batcher::Answer> Batcher::enter(std::span<const Tensor* const> inputs, const CancelToken& cancel) {
  Waiting mine;
  mine.inputs = inputs;
  mine.rows = rows_of(inputs);
  const bool waits = patience_ != patience_.zero();
  std::unique_lock lock(mutex_);
  while (true) {
    if (waits) mine.came = Clock::now();
    queue_.push_back(&mine);
    if (waits && queue_.front() != &mine) wake_first();  // which may wait for nobody else now
    AXLE_ASSIGN_OR_RETURN(const bool leads, wait_in_queue(mine, cancel, lock));
    const std::shared_ptr<Group> group = mine.group;
    if (leads && group->members.size() == 1) {
      Answer alone;
      alone.place_.hold(this);
      return alone;
    }
    if (leads && cancel.flag() == nullptr) {
      lock.unlock();
      run(*group);
      lock.lock();
    } else if (leads) {
      pool_.submit([this, group] { run(*group); });
    }
    AXLE_RETURN_IF_ERROR(wait_for_run(mine, cancel, lock));
    if (group->failure.ok()) {
      Answer joined;
      joined.outputs_ = group->outputs;
      joined.first_row_ = mine.first_row;
      joined.rows_ = mine.rows;
      return joined;
    }
    // Whose fault it was shows when each is computed alone.
    ++statistics_.redone;
    mine.alone = true;
    mine.group = nullptr;
  }
}

Result<std::vector<NamedTensor>> Batcher::gather(const Group& group) {
  std::vector<NamedTensor> feeds;
  const Waiting& first = *group.members.front();
  for (size_t i = 0; i < first.inputs.size(); ++i) {
    Shape shape = first.inputs[i]->shape();
    shape.front() = group.rows;
    AXLE_ASSIGN_OR_RETURN(Tensor whole, buffers_.acquire_tensor(first.inputs[i]->dtype(), std::move(shape)));
    for (const Waiting* const member : group.members) put_rows(*member->inputs[i], member->first_row, whole);
    feeds.push_back({options_.inputs[i], std::move(whole)});
  }
  return feeds;
}

void Batcher::run(Group& group) {
  auto feeds = gather(group);
  {
    const std::lock_guard lock(mutex_);
    group.gathered = true;
  }
  auto outputs = feeds ? options_.compute(*feeds) : Result<std::vector<NamedTensor>>(feeds.error());
  Status status = outputs ? check_rows_of(*outputs, group.rows) : outputs.error();
  const std::lock_guard lock(mutex_);
  group.done = true;
  if (status.ok())
    group.outputs = std::make_shared<const std::vector<NamedTensor>>(*std::move(outputs));
  else
    group.failure = std::move(status);
  --under_way_;
  for (Waiting* const member : group.members) {
    if (member == nullptr) continue;
    if (group.failure.ok()) {
      ++statistics_.requests;
      ++statistics_.joined;
    }
    member->wake.notify_one();
  }
  wake_first();
}

size_t Batcher::waiting() const {
  const std::lock_guard lock(mutex_);
  return queue_.size();
}

BatchStatistics Batcher::statistics() const {
  const std::lock_guard lock(mutex_);
  return statistics_;
}

}  // namespace axle
