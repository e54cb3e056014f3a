#include "planner/batching.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>

#include "base/text.h"
#include "planner/cores.h"
#include "planner/prepared_shapes.h"
#include "spec/batching_text.h"

namespace axle {
namespace {

constexpr std::array<int32_t, 2> kMeasuredRows = {8, 32};  // under "auto"

Status not_joined(const std::string& what, const std::string& hint) {
  return failed_precondition_error("schedule.batch: requests of this model cannot be computed together: " + what)
      .with_hint(hint);
}

bool whole_bytes(DataType type) {
  constexpr std::array kOthers = {DataType::kUndefined,  DataType::kString, DataType::kUint4, DataType::kInt4,
                                  DataType::kFloat4E2M1, DataType::kUint2,  DataType::kInt2};
  return std::ranges::find(kOthers, type) == kOthers.end();
}

// An input or output that has rows of whole bytes.
Status check_rows_of(const IoSpec& spec, const std::string& name) {
  const char* const hint = "leave out schedule.batch, or export the model with one open first axis for all inputs and outputs";
  if (!spec.rank_known || spec.shape.empty())
    return not_joined(fmt::format("{} {}", name, spec.rank_known ? "is a scalar" : "has no known rank"), hint);
  if (!whole_bytes(spec.dtype))
    return not_joined(
        fmt::format("{} holds {}", name, spec.dtype == DataType::kString ? "texts" : "elements smaller than a byte"),
        "leave out schedule.batch");
  const Dim& first = spec.shape.front();
  if (first.is_static()) return not_joined(fmt::format("the first axis of {} is fixed at {}", name, first.size), hint);
  if (first.symbol.empty())
    return not_joined(fmt::format("the first axis of {} is open and has no name", name),
                      "give the first axes of all inputs and outputs the same name (dim_param) when the model is exported");
  return ok_status();
}

// Cores that one run leaves to others, or what an engine runs at once on its own account.
int32_t runs_of(const PlanningContext& context, const Partition& part) {
  const auto resource = std::ranges::find(context.machine.resources, part.candidate.resource, &Resource::id);
  if (resource == context.machine.resources.end() || resource->kind != ResourceKind::kCpu) return 1;
  const int32_t threads = std::max(part.candidate.threads, 1);
  const int32_t cores = std::max(usable_cores(context.machine, *resource), 1);
  // By convention of engines: as many runs at once as it says, 0 = as there are threads, each on a share of them.
  const auto streams = part.options.find("num_streams");
  if (streams == part.options.end()) return std::max(cores / threads, 1);
  int64_t asked = 1;
  std::from_chars(streams->second.data(), streams->second.data() + streams->second.size(), asked);
  const int64_t inside = asked <= 0 ? threads : std::min<int64_t>(asked, threads);
  return static_cast<int32_t>(std::max<int64_t>(cores / threads, 1) * inside);
}

}  // namespace

Result<std::string> batch_axis(const std::vector<IoSpec>& inputs, const std::vector<IoSpec>& outputs) {
  if (inputs.empty() || outputs.empty()) return not_joined("it has no inputs or no outputs", "leave out schedule.batch");
  std::string axis, first;
  const auto check = [&](const IoSpec& spec, const char* what) -> Status {
    const std::string name = fmt::format("{} '{}'", what, printable(spec.name, 80));
    AXLE_RETURN_IF_ERROR(check_rows_of(spec, name));
    const std::string& symbol = spec.shape.front().symbol;
    if (axis.empty()) {
      axis = symbol;
      first = name;
    }
    if (symbol != axis)
      return not_joined(
          fmt::format("the first axis of {} is {}, of {} it is {}", name, printable(symbol, 80), first, printable(axis, 80)),
          "give the first axes of all inputs and outputs the same name (dim_param) when the model is exported");
    const auto again =
        std::find_if(spec.shape.begin() + 1, spec.shape.end(), [&](const Dim& dim) { return dim.symbol == axis; });
    if (again != spec.shape.end())
      return not_joined(fmt::format("{} has the axis {} twice: its rows belong together", name, printable(axis, 80)),
                        "leave out schedule.batch");
    return ok_status();
  };
  for (const IoSpec& spec : inputs) AXLE_RETURN_IF_ERROR(check(spec, "input"));
  for (const IoSpec& spec : outputs) AXLE_RETURN_IF_ERROR(check(spec, "output"));
  return axis;
}

std::vector<int64_t> batch_sizes(const PlannerInput& input, const std::string& axis) {
  std::set<int64_t> sizes;
  for (const AxisSizes& shape : prepared_shapes(input)) {
    if (const auto found = shape.find(axis); found != shape.end()) sizes.insert(found->second);
  }
  return {sizes.begin(), sizes.end()};
}

CheckedRows checked_rows(const std::vector<int64_t>& sizes, int64_t rows) {
  if (sizes.empty()) return {1, std::min<int64_t>(rows, 4)};
  for (const int64_t size : sizes) {
    if (size > sizes.front() && size <= rows && size % sizes.front() == 0) return {sizes.front(), size};
  }
  return {};
}

Status check_batching(const PlannerInput& input) {
  const int32_t rows = input.policy.schedule.batch;
  if (rows == 1 || rows == kAutoBatch) return ok_status();
  AXLE_ASSIGN_OR_RETURN(const std::string axis, batch_axis(input.model.inputs, input.model.outputs));
  const std::vector<int64_t> sizes = batch_sizes(input, axis);
  if (checked_rows(sizes, rows).together > 0) return ok_status();
  return failed_precondition_error(fmt::format("schedule.batch = {}: prepared are {} = [{}], and none of these holds several "
                                               "requests of the smallest",
                                               rows, printable(axis, 80), fmt::join(sizes, ", ")))
      .with_hint(
          fmt::format("name the sizes that requests are joined to under [shapes], as {} = [1, {}]", printable(axis, 80), rows));
}

Batching batching_for(const PlanningContext& context, const Plan& plan, int32_t rows) {
  const auto axis = batch_axis(context.input.model.inputs, context.input.model.outputs);
  if (rows <= 1 || !axis) return {};
  Batching batching{rows, context.input.policy.schedule.batch_wait_ns, 0, *axis};
  for (const Partition& part : plan.partitions) {
    if (part.axes != plan.partitions.front().axes) continue;
    // Of a schedule each part works on a run of its own; partitions of one place take turns.
    if (plan.schedule == "single")
      batching.runs = batching.runs == 0 ? runs_of(context, part) : std::min(batching.runs, runs_of(context, part));
    else
      ++batching.runs;
  }
  return batching;
}

Result<std::vector<Batching>> measurable_batchings(const PlannerInput& input, const Plan& plan) {
  const int32_t wanted = input.policy.schedule.batch;
  if (wanted == 1) return std::vector<Batching>{Batching()};
  AXLE_ASSIGN_OR_RETURN(Machine machine, split_machine(input));
  const PlanningContext context(input, std::move(machine));
  if (wanted != kAutoBatch) return std::vector<Batching>{batching_for(context, plan, wanted)};
  std::vector<Batching> all = {Batching()};
  const auto axis = batch_axis(input.model.inputs, input.model.outputs);
  for (const int32_t rows : kMeasuredRows) {
    if (axis && checked_rows(batch_sizes(input, *axis), rows).together > 0) all.push_back(batching_for(context, plan, rows));
  }
  return all;
}

void add_batching(const PlanningContext& context, const std::vector<Considered>& admitted, const std::vector<size_t>& chosen,
                  Plan& plan) {
  const int32_t wanted = context.input.policy.schedule.batch;
  if (wanted == 1) return;
  int32_t rows = wanted;
  if (wanted == kAutoBatch) {
    if (const auto axis = batch_axis(context.input.model.inputs, context.input.model.outputs); !axis) {
      plan.notes.push_back("requests are computed one by one: " + axis.error().message());
      return;
    }
    // Replicas share one queue: it joins what is good for each of them.
    for (const size_t i : chosen) {
      const int32_t mine = best_requests(admitted[i].evidence).batch;
      rows = rows == kAutoBatch ? mine : std::min(rows, mine);
    }
  }
  plan.batching = batching_for(context, plan, rows);
  if (plan.batching.on())
    plan.notes.push_back("requests that wait at the same time are computed together, " + batching_text(plan.batching));
  else
    plan.notes.push_back(
        "requests are computed one by one: together was not measured to serve 5 % more; `axle tune` measures it");
}

}  // namespace axle
