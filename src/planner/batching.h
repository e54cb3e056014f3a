// Batching: whether requests can be computed together, and how many at a time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "planner/replicas.h"
#include "spec/planner_input.h"

namespace axle {

// The symbol of the first axis of every input and output, along which requests are joined. FAILED_PRECONDITION names the input or
// output that stands in the way, and what to do.
Result<std::string> batch_axis(const std::vector<IoSpec>& inputs, const std::vector<IoSpec>& outputs);

// Sizes of `axis` that executables are prepared for, ascending; empty = any number of rows runs on one executable.
std::vector<int64_t> batch_sizes(const PlannerInput& input, const std::string& axis);

// The rows of one request in the check of a model's rows, and of several together: the least that is prepared, and the least multiple of
// it. Both 0: nothing that is prepared, of at most `rows`, holds several requests.
struct CheckedRows {
  int64_t one = 0, together = 0;
};
CheckedRows checked_rows(const std::vector<int64_t>& sizes, int64_t rows);

// OK unless the policy gives a number of rows and the model's requests cannot be joined. Under "auto" they are then computed one by one.
Status check_batching(const PlannerInput& input);

// How the plan joins requests, so many rows at most.
Batching batching_for(const PlanningContext& context, const Plan& plan, int32_t rows);

// What tuning measures of a plan with several callers: each way in which the policy may have it joined; one that joins none counts.
Result<std::vector<Batching>> measurable_batchings(const PlannerInput& input, const Plan& plan);

// Lays the policy's choice on the plan of `chosen`, indices into the admitted, with a note on it.
void add_batching(const PlanningContext& context, const std::vector<Considered>& admitted, const std::vector<size_t>& chosen,
                  Plan& plan);

}  // namespace axle
