// Loading a plan: every partition of every replica, wired, with the lanes that run them.
#include <fmt/format.h>

#include <algorithm>

#include "runtime/build.h"
#include "runtime/session_impl.h"

namespace axle {
namespace {

// The model's own declaration. Of a format that is handed over whole only the engine knows: its answer, in the declared order where
// the names are the same.
std::vector<IoSpec> io_of(const Model& model, const std::vector<IoSpec>& declared, const std::vector<IoSpec>& answered) {
  if (model.format() == ModelFormat::kOnnx) return declared;
  if (declared.size() != answered.size()) return answered;
  std::vector<IoSpec> ordered;
  for (const IoSpec& spec : declared) {
    const auto found = std::ranges::find(answered, spec.name, &IoSpec::name);
    if (found == answered.end()) return answered;
    ordered.push_back(*found);
  }
  return ordered;
}

std::string profiling_note(const Partition& part) {
  return fmt::format("{} was loaded with {}=true, which the plan leaves off, so that its kernels are recorded: it is slower",
                     part.candidate.format(), kProfilingOption);
}

// First partition of each replica, or of each prepared shape, and the end.
Result<std::vector<size_t>> replica_bounds(const Plan& plan) {
  std::vector<size_t> bounds;
  bool shapes = false;
  for (size_t i = 0; i < plan.partitions.size(); ++i) {
    const bool other_shape = i > 0 && plan.partitions[i].axes != plan.partitions[i - 1].axes;
    if (i == 0 || other_shape || plan.partitions[i].replica != plan.partitions[i - 1].replica) bounds.push_back(i);
    shapes = shapes || other_shape;
  }
  if (shapes && (plan.schedule != "single" || plan.partitions.back().replica != 0))
    return invalid_argument_error("a plan with prepared shapes has the schedule \"single\", not \"" + plan.schedule + "\"");
  if (shapes) {
    bounds.push_back(plan.partitions.size());
    return bounds;
  }
  for (size_t i = 0; i < bounds.size(); ++i) {
    if (plan.partitions[bounds[i]].replica != static_cast<int32_t>(i))
      return invalid_argument_error("the plan's replicas are not numbered from 0 in the order of its partitions");
  }
  if (plan.schedule != "replicas" && bounds.size() > 1)
    return invalid_argument_error("a plan with several replicas has the schedule \"replicas\", not \"" + plan.schedule + "\"");
  bounds.push_back(plan.partitions.size());
  return bounds;
}

}  // namespace

Result<const Model*> Session::Impl::model_of(const Partition& part, const SessionOptions& options) {
  if (!part.variant) return &*model;
  auto found = variants.find(part.variant->digest);
  if (found == variants.end()) {
    AXLE_ASSIGN_OR_RETURN(OpenVariant opened, open_variant(*runtime, *model, *part.variant, options.verify));
    found = variants.emplace(part.variant->digest, std::move(opened)).first;
  }
  return &found->second.model;
}

Result<std::shared_ptr<const Executable>> Session::Impl::load_partition(const Partition& part, const SessionOptions& options) {
  const BuildOptions build_options{options.cancel, options.progress, options.verify, options.profile};
  AXLE_ASSIGN_OR_RETURN(const Model* source, model_of(part, options));
  AXLE_ASSIGN_OR_RETURN(BuiltPartition built, build_partition(*runtime, *source, part, build_options));
  timing.compile_ns += built.compile_ns;
  timing.load_ns += built.load_ns;
  if (timing.cache != "miss" && built.cache != "none") timing.cache = built.cache;
  if (built.profiling_turned_on) plan.notes.push_back(profiling_note(part));
  effective_json.push_back(built.executable->effective().json);
  return std::shared_ptr<const Executable>(std::move(built.executable));
}

Status Session::Impl::load_plan(const SessionOptions& options) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<size_t> bounds, replica_bounds(plan));
  std::vector<std::shared_ptr<const LoadedPlan>> all;
  std::vector<int64_t> expected_ns;
  size_t most_partitions = 1;
  for (size_t r = 0; r + 1 < bounds.size(); ++r) {
    std::vector<std::shared_ptr<const Executable>> executables;
    int64_t slowest_ns = 0;
    for (size_t p = bounds[r]; p < bounds[r + 1]; ++p) {
      AXLE_ASSIGN_OR_RETURN(executables.emplace_back(), load_partition(plan.partitions[p], options));
      slowest_ns = std::max(slowest_ns, plan.partitions[p].expected_ns);
    }
    most_partitions = std::max(most_partitions, executables.size());
    expected_ns.push_back(slowest_ns);
    std::vector<IoSpec> inputs = io_of(*model, model->inputs(), executables.front()->io().inputs);
    std::vector<IoSpec> outputs = io_of(*model, model->outputs(), executables.back()->io().outputs);
    AXLE_ASSIGN_OR_RETURN(LoadedPlan one,
                          LoadedPlan::wire(plan, std::move(executables), std::move(inputs), std::move(outputs), bounds[r]));
    all.push_back(std::make_shared<const LoadedPlan>(std::move(one)));
  }
  loaded = all.front();
  Replicas::Options limits{.in_flight = kMaxExecutions, .rebalance = policy.schedule.rebalance};
  if (plan.schedule != "single") {
    AXLE_ASSIGN_OR_RETURN(lanes, Lanes::create(plan.partitions));
    // One request per lane of a replica; but for a split, whose sets hold one request each, one more that waits.
    limits.in_flight = most_partitions + (plan.schedule == "split" ? 0 : 1);
    waiting = std::make_unique<WorkerPool>(all.size() * limits.in_flight);
  }
  if (all.size() > 1 && plan.schedule == "single") {
    for (size_t i = 0; i < all.size(); ++i) {
      shapes.push_back({plan.partitions[bounds[i]].axes,
                        std::make_unique<Replicas>(std::vector{all[i]}, std::vector{expected_ns[i]}, limits)});
    }
  } else {
    shapes.push_back(
        {plan.partitions.front().axes, std::make_unique<Replicas>(std::move(all), std::move(expected_ns), limits)});
  }
  fixed_axes = FixedAxis::of(loaded->inputs, shapes);
  return ok_status();
}

}  // namespace axle
