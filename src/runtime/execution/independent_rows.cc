#include "runtime/execution/independent_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "axle/tune.h"
#include "planner/gates.h"
#include "runtime/execution/row_slices.h"
#include "runtime/facts/model_facts.h"
#include "runtime/measuring/contender.h"

namespace axle {
namespace {

using Feeds = std::vector<NamedTensor>;

constexpr double kRounding = 1e-4;  // of the same sums in another order

bool full_precision(const Partition& part) { return part.candidate.precision == "f32" || part.candidate.precision == "f64"; }

AccuracyGate bound_for(const RowsToCheck& check) {
  AccuracyGate bound;
  bound.max_relative_error = kRounding;
  if (std::ranges::all_of(check.plan.partitions, full_precision)) return bound;
  if (check.policy.accuracy.present()) return bound_of(check.policy);
  bound.max_relative_error = kListedPrecisionBound;
  return bound;
}

// The first rows of the samples, where they are of the same shapes as the request `like`; else `like`.
Feeds first_rows(const Feeds& samples, const Feeds& like) {
  Feeds feeds;
  for (const NamedTensor& wanted : like) {
    const auto sample = std::ranges::find(samples, wanted.name, &NamedTensor::name);
    if (sample == samples.end() || sample->tensor.dtype() != wanted.tensor.dtype() || sample->tensor.shape().empty())
      return like;
    const int64_t rows = wanted.tensor.shape().empty() ? 0 : wanted.tensor.shape().front();
    Shape shape = sample->tensor.shape();
    if (rows <= 0 || shape.front() < rows) return like;
    shape.front() = rows;
    const std::span<const std::byte> bytes = rows_in(sample->tensor, 0, rows);
    auto tensor = Tensor::borrow_const(wanted.tensor.dtype(), shape, bytes.data(), bytes.size(), sample->tensor.owner());
    if (!tensor || shape != wanted.tensor.shape()) return like;
    feeds.push_back({wanted.name, *std::move(tensor)});
  }
  return feeds;
}

// Requests of `rows.one` rows each, all different, as many as `rows.together` holds.
Result<std::vector<Feeds>> different_requests(const RowsToCheck& check) {
  Feeds like = check.samples;
  if (like.empty()) {
    AXLE_ASSIGN_OR_RETURN(GeneratedSamples made,
                          generate_samples(check.runtime, check.model, {0, check.policy, true, check.cancel}));
    like = std::move(made.tensors);
  }
  GenerateOptions generate;
  generate.axis_size = check.rows.one;
  generate.axes = sample_axes(check.model.inputs(), like);
  generate.axes[check.plan.batching.axis] = check.rows.one;
  std::vector<Feeds> requests;
  while (static_cast<int64_t>(requests.size()) * check.rows.one < check.rows.together) {
    generate.seed = requests.size() + 1;
    AXLE_ASSIGN_OR_RETURN(Feeds more, generate_inputs(check.model, generate));
    requests.push_back(std::move(more));
  }
  requests.front() = first_rows(check.samples, requests.front());
  return requests;
}

Result<Feeds> laid_together(const std::vector<Feeds>& parts) {
  Feeds whole;
  for (const NamedTensor& first : parts.front()) {
    int64_t rows = 0;
    std::vector<const Tensor*> tensors;
    for (const Feeds& part : parts) {
      const auto found = std::ranges::find(part, first.name, &NamedTensor::name);
      if (found == part.end() || found->tensor.shape().empty() || found->tensor.dtype() != first.tensor.dtype() ||
          !std::equal(found->tensor.shape().begin() + 1, found->tensor.shape().end(), first.tensor.shape().begin() + 1,
                      first.tensor.shape().end()))
        return failed_precondition_error(fmt::format("schedule.batch: '{}' of several requests is not of one shape: {} and {}",
                                                     first.name, format_shape(first.tensor.shape()),
                                                     found == part.end() ? "none" : format_shape(found->tensor.shape())))
            .with_hint("leave out schedule.batch");
      rows += found->tensor.shape().front();
      tensors.push_back(&found->tensor);
    }
    Shape shape = first.tensor.shape();
    shape.front() = rows;
    AXLE_ASSIGN_OR_RETURN(Tensor tensor, Tensor::allocate(first.tensor.dtype(), std::move(shape)));
    int64_t at = 0;
    for (const Tensor* const part : tensors) {
      put_rows(*part, at, tensor);
      at += part->shape().front();
    }
    whole.push_back({first.name, std::move(tensor)});
  }
  return whole;
}

}  // namespace

Status check_independent_rows(const RowsToCheck& check, const RunFeeds& run) {
  if (check.rows.together == 0)
    return failed_precondition_error("schedule.batch: nothing that the plan prepares holds several requests")
        .with_hint("name sizes under [shapes] that requests are joined to, or leave out schedule.batch");
  AXLE_ASSIGN_OR_RETURN(const std::vector<Feeds> requests, different_requests(check));
  std::vector<Feeds> alone;
  for (const Feeds& request : requests) {
    AXLE_ASSIGN_OR_RETURN(alone.emplace_back(), run(request));
  }
  AXLE_ASSIGN_OR_RETURN(const Feeds together, laid_together(requests));
  auto joined = run(together);
  if (!joined)
    return std::move(joined).error().with_context(
        fmt::format("schedule.batch: {} requests computed together fail, one by one they do not", requests.size()));
  AXLE_ASSIGN_OR_RETURN(const Feeds expected, laid_together(alone));
  const ErrorFigures error = worst_error(*joined, expected, "one by one");
  const std::string broken = broken_bounds(bound_for(check), error);
  if (broken.empty()) return ok_status();
  return failed_precondition_error(
             fmt::format(
                 "schedule.batch: the rows of this model touch each other: output '{}' of {} requests computed together "
                 "differs from theirs one by one: {} (relative L2 {:.3g}, cosine {:.6g})",
                 error.worst_output, requests.size(), broken, error.relative_l2, error.cosine))
      .with_hint("leave out schedule.batch: something in the model is computed over its first axis, or at random");
}

}  // namespace axle
