// Of a session whose plan joins requests: what is checked when it is loaded, and how calls and bindings get their rows.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "planner/batching.h"
#include "runtime/execution/independent_rows.h"
#include "runtime/facts/model_facts.h"
#include "runtime/session_impl.h"

namespace axle {
namespace {

// Sizes of the axis that executables fix.
std::vector<int64_t> sizes_of(const std::vector<PreparedShape>& shapes, const std::string& axis) {
  std::set<int64_t> sizes;
  for (const PreparedShape& shape : shapes) {
    if (const auto found = shape.axes.find(axis); found != shape.axes.end()) sizes.insert(found->second);
  }
  return {sizes.begin(), sizes.end()};
}

std::vector<std::string> names_of(const std::vector<IoSpec>& specs) {
  std::vector<std::string> names;
  for (const IoSpec& spec : specs) names.push_back(spec.name);
  return names;
}

}  // namespace

Status Session::Impl::start_batching(const SessionOptions& options) {
  if (!plan.batching.on()) return ok_status();
  if (load) return invalid_argument_error("a plan of the schedule \"hybrid\" joins no requests");
  AXLE_ASSIGN_OR_RETURN(const std::string axis, batch_axis(loaded->inputs, loaded->outputs));
  if (axis != plan.batching.axis)
    return invalid_argument_error(
        fmt::format("the plan joins requests along the axis {}, and the model's is {}", plan.batching.axis, axis));
  const std::vector<int64_t> sizes = sizes_of(shapes, axis);
  // On contexts of its own: no run of a caller is counted or recorded.
  std::unique_ptr<TraceRecorder> aside = std::move(recorder);
  const RunFeeds run = [&](std::span<const NamedTensor> feeds) -> Result<std::vector<NamedTensor>> {
    AXLE_ASSIGN_OR_RETURN(Replicas* const replicas, replicas_for(feeds, false));
    AXLE_ASSIGN_OR_RETURN(Execution execution, Execution::create(replicas->next_loaded()));
    int64_t busy_ns = 0;
    return run_once(execution, feeds, options.cancel, busy_ns);
  };
  const Status independent = check_independent_rows(
      {*runtime, *model, plan, policy, samples, options.cancel, checked_rows(sizes, plan.batching.rows)}, run);
  recorder = std::move(aside);
  AXLE_RETURN_IF_ERROR(independent);
  const auto compute = [this](std::span<const NamedTensor> feeds) { return run_lent(feeds, CancelToken::none()); };
  batcher = std::make_unique<Batcher>(Batcher::Options{plan.batching, sizes, names_of(loaded->inputs), compute});
  direct = false;
  return ok_status();
}

Result<std::vector<NamedTensor>> Session::Impl::run_joined(std::span<const NamedTensor> feeds,
                                                           const CancelToken& cancel) const {
  AXLE_RETURN_IF_ERROR(check_feeds(loaded->inputs, feeds));
  std::vector<const Tensor*> by_input;
  for (const IoSpec& input : loaded->inputs) {
    const auto feed = std::ranges::find(feeds, input.name, &NamedTensor::name);
    by_input.push_back(feed == feeds.end() ? nullptr : &feed->tensor);
  }
  AXLE_ASSIGN_OR_RETURN(const Batcher::Answer answer, batcher->enter(by_input, cancel));
  if (!answer.computed()) return run_lent(feeds, cancel);
  std::vector<NamedTensor> outputs(answer.outputs());
  for (size_t i = 0; i < outputs.size(); ++i) {
    outputs[i].name = answer.name(i);
    AXLE_ASSIGN_OR_RETURN(outputs[i].tensor, answer.copy(i));
  }
  return outputs;
}

BatchStatistics Session::batching() const { return impl_->batcher ? impl_->batcher->statistics() : BatchStatistics(); }

Status Binding::Impl::run_joined(const CancelToken& cancel) {
  const int64_t started = session->qos ? session->qos->begin() : 0;
  const auto answered = [&]() -> Status {
    AXLE_RETURN_IF_ERROR(session->guard.check("session"));
    std::vector<const Tensor*> by_input;
    for (const Tensor& input : inputs) by_input.push_back(input.defined() ? &input : nullptr);
    AXLE_ASSIGN_OR_RETURN(const Batcher::Answer answer, session->batcher->enter(by_input, cancel));
    joined = answer.computed();
    return joined ? keep_joined(answer) : session->revived_call(execution, cancel);
  };
  Status status = answered();
  if (session->qos) session->qos->end(started, status.ok());
  return status;
}

Status Binding::Impl::keep_joined(const Batcher::Answer& answer) {
  for (size_t i = 0; i < answer.outputs(); ++i) {
    const Shape shape = answer.shape(i);
    const bool bound = outputs[i].defined();
    Tensor& into = bound ? outputs[i] : joined_outputs[i];
    if (bound && (into.shape() != shape || into.dtype() != answer.dtype(i))) {
      return out_of_range_error(fmt::format("output '{}' of this run is {}, and {} is bound", answer.name(i),
                                            format_shape(shape), format_shape(into.shape())))
          .with_hint("bind a tensor of the result's shape, or none: then it is read with output()");
    }
    if (!into.defined() || into.shape() != shape) {
      AXLE_ASSIGN_OR_RETURN(into, Tensor::allocate(answer.dtype(i), shape));
    }
    const std::span<const std::byte> rows = answer.bytes(i);
    if (!rows.empty()) std::memcpy(into.mutable_data(), rows.data(), rows.size());
  }
  return ok_status();
}

}  // namespace axle
