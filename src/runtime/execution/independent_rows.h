// Whether the rows of a model may be computed together: each must come out as it does alone. That is no property of shapes: a softmax or a
// mean over the first axis keeps them. So requests are computed together and one by one, and compared.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "axle/cancel.h"
#include "axle/runtime.h"
#include "planner/batching.h"

namespace axle {

using RunFeeds = std::function<Result<std::vector<NamedTensor>>(std::span<const NamedTensor> feeds)>;

struct RowsToCheck {
  Runtime& runtime;
  const Model& model;
  const Plan& plan;  // its axis and precisions
  const Policy& policy;
  const std::vector<NamedTensor>&
      samples;  // their first rows are the first request, and their other axes those of all; empty = generated
  const CancelToken& cancel;
  CheckedRows rows;
};

// FAILED_PRECONDITION with the figures: the outputs differ by more than rounding does (a relative error of 1e-4; 1e-2 where the plan
// computes in less than f32, or the policy's bound there). As generate_samples; as `run`. What generated inputs do not show is not seen.
Status check_independent_rows(const RowsToCheck& check, const RunFeeds& run);

}  // namespace axle
