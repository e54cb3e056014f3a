#include "session_core.h"

#include <nanobind/stl/string.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "arrays.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

constexpr size_t kIdleLanes = 16;
// Runs shorter than this are not worth a thread that waits for Ctrl-C: the interrupt is seen when they end.
constexpr int64_t kQuickNs = 20'000'000;

// Good to a few milliseconds, and free.
int64_t coarse_now_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

// One call's lane, given back at its end.
class SessionCore::Call {
 public:
  Call(SessionCore& core, std::unique_ptr<Lane> lane) : core_(core), lane_(std::move(lane)) {}
  ~Call() {
    if (lane_) core_.give_back(std::move(lane_));
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  Lane& lane() noexcept { return *lane_; }
  std::unique_ptr<Lane> take() noexcept { return std::move(lane_); }
  void drop() noexcept {
    lane_->let_go();
    lane_.reset();
  }

 private:
  SessionCore& core_;
  std::unique_ptr<Lane> lane_;
};

SessionCore::SessionCore(const Model& model, Options options, Watch& watch) : model_(model) {
  policy_ = options.session.policy;
  samples_ = options.session.samples;
  lock_ = std::move(options.lock);
  if (lock_) policy_ = take(locked_policy(*lock_));
  if (!options.session.runtime) options.session.runtime = take(default_runtime());
  runtime_ = options.session.runtime;
  options.session.cancel = watch.token;
  session_ = take(call_watched<Session>(watch, [&] {
    if (lock_) return Session::load(model_, *lock_, options.session);
    return options.plan ? Session::load(model_, *options.plan, options.session) : Session::create(model_, options.session);
  }));
  look_at_session();
}

SessionCore::SessionCore(Session session, const Model& model, const Policy& policy, std::shared_ptr<Runtime> runtime)
    : model_(model), policy_(policy), runtime_(std::move(runtime)), session_(std::move(session)) {
  look_at_session();
}

void SessionCore::look_at_session() {
  table_ = IoTable::of(*session_);
  const std::vector<Partition>& parts = session_->plan().partitions;
  has_prepared_shapes_ = std::any_of(parts.begin(), parts.end(), [](const Partition& part) { return !part.axes.empty(); });
  copy_said_.resize(table_.inputs.size(), false);
}

SessionCore::~SessionCore() {
  std::vector<std::unique_ptr<Lane>> lanes = std::move(idle_);
  for (const auto& lane : lanes) lane->let_go();
  const nb::gil_scoped_release released;  // engines may take their time to unload
  lanes.clear();
  session_.reset();
}

std::vector<NamedTensor> SessionCore::shaped_like(nb::handle feeds) const {
  return has_prepared_shapes_ ? to_named_tensors(feeds, session_->inputs()) : std::vector<NamedTensor>();
}

std::string SessionCore::shapes_of(const std::vector<NamedTensor>& like) {
  std::string text;
  for (const NamedTensor& feed : like) text += feed.name + format_shape(feed.tensor.shape());
  return text;
}

std::unique_ptr<Lane> SessionCore::new_lane(const std::vector<NamedTensor>& like) const {
  std::optional<Result<Binding>> binding;
  {
    const nb::gil_scoped_release released;
    binding.emplace(session_->make_binding(like));
  }
  return std::make_unique<Lane>(take(std::move(*binding)), table_, shapes_of(like));
}

std::unique_ptr<Lane> SessionCore::take_lane(nb::handle feeds) {
  const std::vector<NamedTensor> like = shaped_like(feeds);
  const std::string shapes = shapes_of(like);
  const auto found = std::find_if(idle_.rbegin(), idle_.rend(), [&](const auto& lane) { return lane->shapes() == shapes; });
  if (found == idle_.rend()) return new_lane(like);
  std::unique_ptr<Lane> lane = std::move(*found);
  idle_.erase(std::next(found).base());
  return lane;
}

void SessionCore::give_back(std::unique_ptr<Lane> lane) noexcept {
  lane->let_go();
  if (idle_.size() < kIdleLanes) idle_.push_back(std::move(lane));
}

void SessionCore::refuse_name(nb::handle key) const {
  const std::string name = name_of(key);
  Binding binding = take(session_->make_binding());
  // Its refusal names the nearest input.
  check(binding.bind_input(name, Tensor()));
  raise_status(internal_error("an input was found by one way and not by the other"));
}

void SessionCore::count_copy(const InputSlot& slot, size_t index) {
  ++copies_;
  if (copy_said_[index]) return;
  copy_said_[index] = true;
  warn_of_copy("input '" + slot.spec.name +
               "' is strided, misaligned or byte-swapped: it is copied in each call (session.copies counts; "
               "np.ascontiguousarray(x) once avoids it)");
}

void SessionCore::set_inputs(Lane& lane, nb::handle feeds) {
  Py_ssize_t at = 0;
  PyObject* key = nullptr;
  PyObject* value = nullptr;
  int expected = 0;
  while (PyDict_Next(feeds.ptr(), &at, &key, &value) != 0) {
    const int index = table_.find_input(key, expected);
    if (index < 0) refuse_name(key);
    expected = index + 1;
    const auto i = static_cast<size_t>(index);
    if (lane.set_input(table_.inputs[i], i, value)) [[unlikely]]
      count_copy(table_.inputs[i], i);
  }
}

void SessionCore::require_inputs(const Lane& lane) const {
  for (size_t i = 0; i < table_.inputs.size(); ++i) {
    const IoSpec& spec = table_.inputs[i].spec;
    if (spec.optional || lane.is_set(i)) continue;
    raise_status(invalid_argument_error("input '" + spec.name + "' is missing: " + std::string(data_type_name(spec.dtype)) +
                                        format_shape(spec.shape))
                     .with_hint("session.inputs lists what the model takes"));
  }
}

// A lane with this call's arrays bound.
std::unique_ptr<Lane> SessionCore::prepared_lane(nb::handle feeds) {
  for (bool fresh = false;; fresh = true) {
    Call call(*this, fresh ? new_lane(shaped_like(feeds)) : take_lane(feeds));
    set_inputs(call.lane(), feeds);
    require_inputs(call.lane());
    if (call.lane().prepare(table_)) return call.take();
    call.drop();
    if (fresh) raise_status(internal_error("a fresh binding has something bound"));
  }
}

bool SessionCore::may_be_long(Lane& lane) noexcept {
  if (lane.shapes_changed()) quick_ = false;
  return !quick_ && on_main_thread();
}

Status SessionCore::call_engine(Lane& lane, const CancelToken* cancel, int64_t timeout_ns) {
  RunOptions options;
  options.timeout_ns = timeout_ns;
  const int64_t started = coarse_now_ns();
  Status status;
  if (may_be_long(lane)) {
    Watch watch = Watch::over(cancel);
    options.cancel = watch.token;
    run_watched(watch, [&] { status = lane.run(options); });
  } else {
    const nb::gil_scoped_release released;
    if (cancel != nullptr) options.cancel = *cancel;
    status = cancel == nullptr && timeout_ns <= 0 ? lane.run() : lane.run(options);
  }
  quick_ = coarse_now_ns() - started < kQuickNs;
  return status;
}

// The declared symbols promised a shape that the engine does not keep to. True when something is left to the engine now.
bool SessionCore::allocate_instead(const Status& status) {
  if (status.code() != StatusCode::kOutOfRange && status.code() != StatusCode::kInvalidArgument) return false;
  bool changed = false;
  for (OutputSlot& slot : table_.outputs) {
    changed = changed || (slot.predictable && !slot.engine_allocates);
    slot.engine_allocates = true;
  }
  return changed;
}

// The feeds, each with a share in its array.
std::vector<NamedTensor> SessionCore::kept_feeds(nb::handle feeds) {
  std::vector<NamedTensor> kept;
  int expected = 0;
  for (const auto& [key, value] : as_dict(feeds)) {
    const int index = table_.find_input(key.ptr(), expected);
    if (index < 0) refuse_name(key);
    expected = index + 1;
    const InputSlot& slot = table_.inputs[static_cast<size_t>(index)];
    Converted converted = to_tensor(value, slot.spec.dtype, slot.spec.name);
    if (converted.copied) count_copy(slot, static_cast<size_t>(index));
    kept.push_back({slot.spec.name, keeping(std::move(converted))});
  }
  return kept;
}

nb::object SessionCore::run_tensors(nb::handle feeds, const CancelToken* cancel, int64_t timeout_ns) {
  const std::vector<NamedTensor> kept = kept_feeds(feeds);
  Watch watch = Watch::over(cancel);
  RunOptions options{watch.token, timeout_ns};
  return tensor_dict(take(call_watched<std::vector<NamedTensor>>(watch, [&] { return session_->run(kept, options); })));
}

nb::object SessionCore::run(nb::handle feeds, const CancelToken* cancel, int64_t timeout_ns) {
  nb::object copy;
  if (!PyDict_CheckExact(feeds.ptr())) [[unlikely]] {
    copy = as_dict(feeds);
    feeds = copy;
  }
  while (true) {
    Call call(*this, prepared_lane(feeds));
    const Status status = call_engine(call.lane(), cancel, timeout_ns);
    if (status.ok()) [[likely]]
      return call.lane().results(table_);
    if (!allocate_instead(status)) raise_status(status);
  }
}

}  // namespace axle::python
