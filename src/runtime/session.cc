#include "axle/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>

#include "axle/convert.h"
#include "base/clock.h"
#include "base/fork_guard.h"
#include "engine/host_api.h"
#include "runtime/facts/model_facts.h"
#include "runtime/runtime_state.h"
#include "runtime/session_impl.h"
#include "runtime/session_plan.h"
#include "runtime/variants/fixed_inputs.h"

namespace axle {
namespace {

// Copying this much takes a third of a microsecond.
constexpr size_t kCopiedBytes = 16u << 10;
constexpr size_t kMostRevivals = 4;  // of a request whose process ends each time: the request may be what ends it
constexpr size_t kMostLoans = 16;  // asked for by a request that has not begun: it cannot be

CancelToken effective_token(const RunOptions& options) {
  if (options.timeout_ns <= 0) return options.cancel;
  const auto now = std::chrono::steady_clock::now();
  const auto left = std::chrono::steady_clock::time_point::max() - now;
  const auto deadline = now + std::min<std::chrono::steady_clock::duration>(left, std::chrono::nanoseconds(options.timeout_ns));
  return options.cancel.flag() == nullptr ? CancelToken::with_deadline(deadline) : options.cancel.until(deadline);
}

// Of each replica over all shapes that are prepared for one load.
std::vector<ReplicaStatistics> summed_statistics(std::span<const PreparedShape> shapes) {
  std::vector<ReplicaStatistics> sum = shapes.front().replicas->statistics();
  for (ReplicaStatistics& replica : sum) replica.load = shapes.front().load;
  for (const PreparedShape& shape : shapes.subspan(1)) {
    const std::vector<ReplicaStatistics> more = shape.replicas->statistics();
    for (size_t replica = 0; replica < std::min(sum.size(), more.size()); ++replica) {
      sum[replica].requests += more[replica].requests;
      sum[replica].failures += more[replica].failures;
      sum[replica].left_out = sum[replica].left_out || more[replica].left_out;
    }
  }
  return sum;
}

ConvertOptions convert_options(const SessionOptions& options) { return {options.samples, options.progress, options.cancel}; }

}  // namespace

Session::Session(std::shared_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

Result<Session> Session::create(const std::string& model_path, SessionOptions options) {
  if (!options.runtime) {
    AXLE_ASSIGN_OR_RETURN(options.runtime, default_runtime());
  }
  const auto ahead = open_engine_ahead(options.runtime, model_path, options.policy);
  AXLE_ASSIGN_OR_RETURN(const Model model, open_model(*options.runtime, model_path, options.verify));
  return create(model, std::move(options));
}

std::shared_ptr<void> open_engine_ahead(std::shared_ptr<Runtime> runtime, const std::string& model_path, const Policy& policy) {
  return std::make_shared<EngineAhead>(std::move(runtime), model_path, policy);
}

Result<Session> Session::create(const Model& model, SessionOptions options) {
  if (!options.runtime) {
    AXLE_ASSIGN_OR_RETURN(options.runtime, default_runtime());
  }
  if (needs_conversion(model.format())) {
    AXLE_ASSIGN_OR_RETURN(const Model onnx, convert_model(*options.runtime, model, convert_options(options)));
    options.samples = without_fixed_inputs(onnx, std::move(options.samples));
    return create(onnx, std::move(options));
  }
  const int64_t started = steady_ns();
  EngineAhead ahead(options.runtime, model.path().empty() ? model.digest() : model.path(), options.policy);
  AXLE_ASSIGN_OR_RETURN(Plan plan, plan_session(model, options));
  for (size_t tries = 1;; ++tries) {
    ahead.remember(plan);
    const int64_t plan_ns = steady_ns() - started;
    auto session = load(model, plan, options);
    if (session) {
      session->impl_->timing.plan_ns = plan_ns;
      return session;
    }
    // An engine that cannot do what it said is evidence like any other: the plan is made again with it, and says so.
    if (tries == kMostFailedLoads || !keep_failed_load(model, options, plan, session.error())) return session;
    auto again = plan_session(model, options);
    if (!again || again->digest() == plan.digest()) return session;
    plan = *std::move(again);
  }
}

Result<Session> Session::load(const Model& model, const Plan& plan, SessionOptions options) {
  if (!options.runtime) {
    AXLE_ASSIGN_OR_RETURN(options.runtime, default_runtime());
  }
  if (needs_conversion(model.format())) {
    AXLE_ASSIGN_OR_RETURN(const Model onnx, convert_model(*options.runtime, model, convert_options(options)));
    options.samples = without_fixed_inputs(onnx, std::move(options.samples));
    return load(onnx, plan, std::move(options));
  }
  if (plan.model_digest != model.digest()) {
    return aborted_error(
               fmt::format("the plan was made for model {}, '{}' is {}", plan.model_digest, model.path(), model.digest()))
        .with_hint("plan again for this model");
  }
  auto impl = std::make_shared<Impl>();
  impl->runtime = options.runtime;
  impl->model = model;
  impl->plan = plan;
  impl->policy = options.policy;
  impl->samples = options.samples;
  const uint64_t resident_before = options.policy.constraints.memory_bytes > 0 ? resident_bytes() : 0;
  AXLE_RETURN_IF_ERROR(impl->load_plan(options));
  if (options.profile) impl->recorder = std::make_unique<TraceRecorder>();
  AXLE_ASSIGN_OR_RETURN(std::vector<QosGauge> gauges, impl->gauges(resident_before));
  impl->qos = QosMonitor::create(options.policy.constraints, std::move(options.on_violation), std::move(gauges));
  AXLE_RETURN_IF_ERROR(impl->prepare());
  AXLE_RETURN_IF_ERROR(impl->start_batching(options));
  return Session(std::move(impl));
}

const std::vector<IoSpec>& Session::inputs() const noexcept { return impl_->loaded->inputs; }
const std::vector<IoSpec>& Session::outputs() const noexcept { return impl_->loaded->outputs; }
const Plan& Session::plan() const noexcept { return impl_->plan; }
const std::vector<Substitution>& Session::substitutions() const noexcept { return impl_->plan.substitutions; }
const LoadTiming& Session::timing() const noexcept { return impl_->timing; }
const std::vector<std::string>& Session::effective_json() const noexcept { return impl_->effective_json; }
std::vector<std::map<std::string, double>> Session::counters() const {
  std::vector<std::map<std::string, double>> counters;
  for (const Replicas* const replicas : impl_->all_replicas()) {
    for (size_t replica = 0; replica < replicas->size(); ++replica) {
      for (const LoadedPartition& part : replicas->loaded(replica).partitions) {
        auto counted = part.executable->counters();
        counters.push_back(counted ? *std::move(counted) : std::map<std::string, double>());
      }
    }
  }
  return counters;
}

Result<std::vector<NamedTensor>> Session::run(std::span<const NamedTensor> feeds, const RunOptions& options) const {
  RequestOrder::Ticket ticket(impl_->order.get());
  return impl_->run_in_turn(feeds, options, ticket);
}

Result<std::vector<NamedTensor>> Session::Impl::run_in_turn(std::span<const NamedTensor> feeds, const RunOptions& options,
                                                            RequestOrder::Ticket& ticket) const {
  AXLE_RETURN_IF_ERROR(guard.check("session"));
  const CancelToken cancel = effective_token(options);
  // What the caller waits for: a free execution, the copying of outputs and its turn too.
  const int64_t started = qos ? qos->begin() : 0;
  auto outputs = batcher ? run_joined(feeds, cancel) : run_lent(feeds, cancel);
  if (outputs) {
    if (Status turn = ticket.wait(cancel); !turn.ok()) outputs = std::move(turn).with_family(ErrorFamily::kRuntime);
  }
  if (qos) qos->end(started, outputs.ok());
  return outputs;
}

Result<std::vector<NamedTensor>> Session::Impl::run_lent(std::span<const NamedTensor> feeds, const CancelToken& cancel) const {
  const LoadSwitch::Request request(load.get());
  const size_t again = isolated ? kMostRevivals : 0;
  AXLE_ASSIGN_OR_RETURN(Replicas* const replicas, replicas_for(feeds, request.high()));
  for (size_t tries = 1, loans = 1;; ++tries) {
    auto loan = replicas->lend(cancel);
    for (; !loan && loan.error().code() == StatusCode::kUnavailable && policy.schedule.rebalance && loans < kMostLoans; ++loans)
      loan = replicas->lend(cancel);
    if (!loan) return std::move(loan).error();
    Outcome outcome;
    auto outputs = run_once(*loan->execution, feeds, cancel, outcome.busy_ns);
    outcome.failed = !outputs && outputs.error().code() == StatusCode::kUnavailable;
    replicas->give_back(*std::move(loan), outcome);
    // Redone only when the policy lets the work move: on another replica, or by a process that was started anew.
    if (!outcome.failed || !policy.schedule.rebalance || tries >= replicas->size() + again) return outputs;
  }
}

std::future<Result<std::vector<NamedTensor>>> Session::run_async(std::vector<NamedTensor> feeds, RunOptions options) const {
  auto promise = std::make_shared<std::promise<Result<std::vector<NamedTensor>>>>();
  auto future = promise->get_future();
  WorkerPool& pool = impl_->waiting ? *impl_->waiting : impl_->runtime->state().pool;
  RequestOrder* const order = impl_->order.get();
  // Queued in the order of the tickets: threads that all wait for their turn must not keep the first from a thread.
  const auto entering = order != nullptr ? order->entering() : std::unique_lock<std::mutex>();
  auto ticket = std::make_shared<RequestOrder::Ticket>(order);
  pool.submit([session = *this, feeds = std::move(feeds), options = std::move(options), promise, ticket]() mutable {
    promise->set_value(session.impl_->run_in_turn(feeds, options, *ticket));
    ticket.reset();
  });
  ticket.reset();
  return future;
}

Result<Binding> Session::make_binding(std::span<const NamedTensor> like) const {
  AXLE_RETURN_IF_ERROR(impl_->guard.check("session"));
  AXLE_ASSIGN_OR_RETURN(Replicas* const replicas, impl_->replicas_for(like, false));
  AXLE_ASSIGN_OR_RETURN(Execution execution, Execution::create(replicas->next_loaded()));
  std::optional<Execution> high;
  if (impl_->load) {
    AXLE_ASSIGN_OR_RETURN(Replicas* const busy, impl_->replicas_for(like, true));
    AXLE_ASSIGN_OR_RETURN(high, Execution::create(busy->next_loaded()));
  }
  return Binding(std::make_unique<Binding::Impl>(impl_, std::move(execution), std::move(high)));
}

std::vector<ReplicaStatistics> Session::replicas() const {
  const std::span<const PreparedShape> shapes(impl_->shapes);
  if (!impl_->load) return summed_statistics(shapes);
  std::vector<ReplicaStatistics> all = summed_statistics(shapes.first(shapes.size() / 2));
  for (const ReplicaStatistics& one : summed_statistics(shapes.subspan(shapes.size() / 2))) all.push_back(one);
  return all;
}

QosReport Session::qos() const { return impl_->qos ? impl_->qos->snapshot() : QosReport{}; }

std::vector<QosViolation> Session::wait_violations(std::vector<uint64_t>& seen, int64_t timeout_ns) const {
  return impl_->qos ? impl_->qos->wait(seen, timeout_ns) : std::vector<QosViolation>{};
}

// ---- one call ------------------------------------------------------------------------------------------------------

Status Session::Impl::prepare() {
  isolated = std::ranges::any_of(plan.partitions, &Partition::isolated);
  direct =
      !(isolated && policy.schedule.rebalance) && lanes == nullptr && load == nullptr && recorder == nullptr && qos == nullptr;
  for (const IoSpec& output : loaded->outputs) rules.push_back(OutputRule::of(loaded->inputs, output));
  if (recorder) {
    run_name = recorder->intern("run");
    for (const Partition& part : plan.partitions) partition_names.push_back(recorder->intern(part.candidate.format()));
  }
  return ok_status();
}

OutputRule OutputRule::of(const std::vector<IoSpec>& inputs, const IoSpec& output) {
  OutputRule rule;
  if (!output.rank_known || output.dtype == DataType::kString || output.dtype == DataType::kUndefined) return rule;
  for (const Dim& dim : output.shape) {
    Axis axis{dim.size, -1, -1};
    for (size_t i = 0; !dim.is_static() && !dim.symbol.empty() && axis.input < 0 && i < inputs.size(); ++i) {
      for (size_t a = 0; a < inputs[i].shape.size(); ++a) {
        if (inputs[i].shape[a].symbol != dim.symbol) continue;
        axis.input = static_cast<int32_t>(i);
        axis.axis = static_cast<int32_t>(a);
        break;
      }
    }
    if (axis.size < 0 && axis.input < 0) return rule;
    rule.axes.push_back(axis);
  }
  rule.known = true;
  return rule;
}

// Binds memory where the shape follows from the feeds; nothing where only the engine knows it. A large output is bound to the
// tensor that the caller will get. A small one stays bound to the same memory from call to call and is copied out: binding
// anew costs some engines microseconds.
Status Session::Impl::prepare_output(Execution& execution, size_t index, const std::vector<const Tensor*>& by_input,
                                     Tensor& out) const {
  const OutputRule& rule = rules[index];
  Tensor& kept = execution.kept_output(index);
  Shape shape;
  bool known = rule.known && loaded->outputs_from[index].partition >= 0;
  for (size_t i = 0; known && i < rule.axes.size(); ++i) {
    const OutputRule::Axis& axis = rule.axes[i];
    const Tensor* feed = axis.input < 0 ? nullptr : by_input[static_cast<size_t>(axis.input)];
    known = axis.size >= 0 || feed != nullptr;
    if (known) shape.push_back(axis.size >= 0 ? axis.size : feed->shape()[static_cast<size_t>(axis.axis)]);
  }
  if (!known) {
    kept = Tensor();
    return execution.unbind_output(index);
  }
  const DataType dtype = loaded->outputs[index].dtype;
  if (kept.defined() && kept.shape() == shape) return ok_status();
  kept = Tensor();
  AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(dtype, std::move(shape)));
  AXLE_RETURN_IF_ERROR(execution.bind_output(index, tensor));
  (tensor.size_bytes() <= kCopiedBytes ? kept : out) = std::move(tensor);
  return ok_status();
}

Result<Tensor> Session::Impl::fetch_output(Execution& execution, size_t index) const {
  if (const Tensor& kept = execution.kept_output(index); kept.defined()) return kept.clone();
  AXLE_ASSIGN_OR_RETURN(const OutputView view, execution.output(index));
  return copy_of(view);
}

Status Session::Impl::call(Execution& execution, const CancelToken& cancel, int64_t* busy_ns) const {
  const auto run = [&](const RunProfile* profile) {
    int64_t ignored_ns = 0;
    if (execution.plan().in_lanes) return lanes->run(execution, cancel, profile, busy_ns != nullptr ? *busy_ns : ignored_ns);
    return cancel.flag() == nullptr && profile == nullptr ? execution.run() : execution.run(cancel, profile);
  };
  if (!recorder) return run(nullptr);
  const uint32_t number = ++runs;
  const RunProfile profile{recorder.get(), 0, number, partition_names.data()};
  const TraceSpan span(recorder.get(), TraceCategory::kRun, run_name, -1, number);
  return run(&profile);
}

Status Session::Impl::watched_call(Execution& execution, const CancelToken& cancel) const {
  const int64_t started = qos ? qos->begin() : 0;
  Status status = revived_call(execution, cancel);
  if (qos) qos->end(started, status.ok());
  return status;
}

Status Session::Impl::revived_call(Execution& execution, const CancelToken& cancel) const {
  Status status = call(execution, cancel);
  // What is bound stays bound: a process that was started anew can do it again.
  for (size_t i = 0; i < kMostRevivals && isolated && policy.schedule.rebalance && status.code() == StatusCode::kUnavailable;
       ++i)
    status = call(execution, cancel);
  return status;
}

Result<std::vector<NamedTensor>> Session::Impl::run_once(Execution& execution, std::span<const NamedTensor> feeds,
                                                         const CancelToken& cancel, int64_t& busy_ns) const {
  if (Status fit = check_feeds(loaded->inputs, feeds); !fit.ok()) return explain_fixed_inputs(*model, feeds, std::move(fit));
  if (cancel.flag() != nullptr) AXLE_RETURN_IF_ERROR(cancel.check());
  std::vector<const Tensor*> by_input(loaded->inputs.size(), nullptr);
  for (const NamedTensor& feed : feeds) {
    size_t index = 0;
    while (loaded->inputs[index].name != feed.name) ++index;
    by_input[index] = &feed.tensor;
    AXLE_RETURN_IF_ERROR(execution.bind_input(index, feed.tensor));
  }
  // What the caller before gave for it is that one's.
  for (size_t index = 0; index < by_input.size(); ++index) {
    if (by_input[index] == nullptr) AXLE_RETURN_IF_ERROR(execution.unbind_input(index));
  }
  std::vector<NamedTensor> outputs(loaded->outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].name = loaded->outputs[i].name;
    AXLE_RETURN_IF_ERROR(prepare_output(execution, i, by_input, outputs[i].tensor));
  }
  Status status = call(execution, cancel, &busy_ns);
  if (status.code() == StatusCode::kOutOfRange || status.code() == StatusCode::kInvalidArgument) {
    // The declared symbols promised a shape that the engine does not keep to: let it allocate.
    bool any_bound = false;
    for (size_t i = 0; i < outputs.size(); ++i) {
      any_bound = any_bound || outputs[i].tensor.defined() || execution.kept_output(i).defined();
      outputs[i].tensor = Tensor();
      execution.kept_output(i) = Tensor();
      AXLE_RETURN_IF_ERROR(execution.unbind_output(i));
    }
    if (any_bound) status = call(execution, cancel, &busy_ns);
  }
  if (!status.ok()) return std::move(status).with_family(ErrorFamily::kRuntime);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i].tensor.defined()) continue;
    AXLE_ASSIGN_OR_RETURN(outputs[i].tensor, fetch_output(execution, i));
  }
  return outputs;
}

// ---- binding -------------------------------------------------------------------------------------------------------

Binding::Binding(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Binding::Binding(Binding&&) noexcept = default;
Binding& Binding::operator=(Binding&&) noexcept = default;
Binding::~Binding() = default;

Status Binding::bind_input(size_t index, const Tensor& tensor) { return impl_->bind_input(index, tensor); }
Status Binding::bind_input(std::string_view name, const Tensor& tensor) {
  AXLE_ASSIGN_OR_RETURN(const size_t index, index_of(impl_->session->loaded->inputs, name, "input"));
  return impl_->bind_input(index, tensor);
}
Status Binding::bind_output(size_t index, Tensor tensor) { return impl_->bind_output(index, std::move(tensor)); }
Status Binding::bind_output(std::string_view name, Tensor tensor) {
  AXLE_ASSIGN_OR_RETURN(const size_t index, index_of(impl_->session->loaded->outputs, name, "output"));
  return impl_->bind_output(index, std::move(tensor));
}
Status Binding::run() {
  if (impl_->session->direct) [[likely]]
    return impl_->execution.run();
  return impl_->run(CancelToken::none());
}
Status Binding::run(const RunOptions& options) { return impl_->run(effective_token(options)); }
Result<Tensor> Binding::output(size_t index) const { return impl_->output(index); }

}  // namespace axle
