// Loading a plan: every partition of every replica, wired, with the lanes that run them.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "runtime/loading/build.h"
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

// First partition of each replica, prepared shape or load, and the end.
Result<std::vector<size_t>> replica_bounds(const Plan& plan) {
  std::vector<size_t> bounds;
  int32_t replica = 0;
  for (size_t i = 0; i < plan.partitions.size(); ++i) {
    const Partition &part = plan.partitions[i], &before = plan.partitions[i == 0 ? 0 : i - 1];
    const bool other_shape = part.axes != before.axes, other_load = part.load != before.load;
    if (i > 0 && !other_shape && !other_load && part.replica == before.replica) continue;
    replica = i == 0 || other_shape || other_load ? 0 : replica + 1;
    if (part.replica != replica)
      return invalid_argument_error("the plan's replicas are not numbered from 0 in the order of its partitions");
    bounds.push_back(i);
  }
  if (plan.schedule != "replicas" && plan.schedule != "hybrid" && plan.partitions.back().replica != 0)
    return invalid_argument_error("a plan with several replicas has the schedule \"replicas\", not \"" + plan.schedule + "\"");
  bounds.push_back(plan.partitions.size());
  return bounds;
}

// Longer than callers that come one upon another take between two requests.
constexpr int64_t kLeastHoldNs = 5'000'000;
constexpr int64_t kHeldRequests = 4;
constexpr size_t kOrderedWaiters = 4;  // a replica may be so much quicker than another before it waits for it

// As many as can be computed together while as many runs as may be are under way.
size_t joined_waiters(const Batching& batching) {
  constexpr size_t kMost = 256;
  return std::min(kMost, static_cast<size_t>(batching.rows) * (static_cast<size_t>(batching.runs) + 1));
}

int64_t slowest_ns(std::span<const Partition> partitions) {
  int64_t slowest = 0;
  for (const Partition& part : partitions) slowest = std::max(slowest, part.expected_ns);
  return slowest;
}

int64_t all_ns(std::span<const Partition> partitions) {
  int64_t sum = 0;
  for (const Partition& part : partitions) sum += part.expected_ns;
  return sum;
}

// As many executables for a high load as for a low one, for the same sizes.
bool serves_both_loads(const std::vector<PreparedShape>& shapes) {
  const size_t half = shapes.size() / 2;
  if (half == 0 || shapes.size() % 2 != 0) return false;
  for (size_t i = 0; i < half; ++i) {
    if (shapes[i].load != Load::kLow || shapes[half + i].load != Load::kHigh || shapes[i].axes != shapes[half + i].axes)
      return false;
  }
  return true;
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

Result<std::shared_ptr<const Executable>> Session::Impl::load_partition(const Partition& part, const Partition* next,
                                                                        const SessionOptions& options) {
  BuildOptions build_options{options.cancel, options.progress, options.verify, options.profile};
  build_options.next = next;
  AXLE_ASSIGN_OR_RETURN(const Model* source, model_of(part, options));
  AXLE_ASSIGN_OR_RETURN(BuiltPartition built, build_partition(*runtime, *source, part, build_options));
  timing.compile_ns += built.compile_ns;
  timing.load_ns += built.load_ns;
  if (timing.cache != "miss" && built.cache != "none") timing.cache = built.cache;
  if (built.profiling_turned_on) plan.notes.push_back(profiling_note(part));
  if (built.in_floats)
    plan.notes.push_back(
        fmt::format("part {}, {}, is computed in f32: nothing between its DequantizeLinear and QuantizeLinear "
                    "is computed in integers there",
                    part.id, part.candidate.format()));
  effective_json.push_back(built.executable->effective().json);
  return std::shared_ptr<const Executable>(std::move(built.executable));
}

Result<std::unique_ptr<Replicas>> Session::Impl::load_replicas(size_t first, size_t last, bool in_lanes,
                                                               const SessionOptions& options) {
  std::vector<LoadedReplica> all;
  // One request per lane of a replica; but for a split, whose sets hold one request each, one more that waits.
  const size_t waits = plan.schedule == "split" || plan.each == "split" ? 0 : 1;
  const std::span<const Partition> parts(plan.partitions);
  for (size_t begin = first, end = first; begin < last; begin = end) {
    std::vector<std::shared_ptr<const Executable>> executables;
    for (; end < last && parts[end].replica == parts[begin].replica; ++end) {
      const Partition* const next = end + 1 < parts.size() ? &parts[end + 1] : nullptr;
      AXLE_ASSIGN_OR_RETURN(executables.emplace_back(), load_partition(parts[end], next, options));
    }
    const std::span<const Partition> mine = parts.subspan(begin, end - begin);
    const size_t in_flight = in_lanes ? mine.size() + waits : kMaxExecutions;
    std::vector<IoSpec> inputs = io_of(*model, model->inputs(), executables.front()->io().inputs);
    std::vector<IoSpec> outputs = io_of(*model, model->outputs(), executables.back()->io().outputs);
    AXLE_ASSIGN_OR_RETURN(LoadedPlan one,
                          LoadedPlan::wire(plan, std::move(executables), std::move(inputs), std::move(outputs), begin));
    one.in_lanes = in_lanes;
    all.push_back({std::make_shared<const LoadedPlan>(std::move(one)), slowest_ns(mine), all_ns(mine), in_flight});
  }
  if (!loaded) loaded = all.front().loaded;
  return std::make_unique<Replicas>(std::move(all), policy.schedule.rebalance);
}

Status Session::Impl::load_plan(const SessionOptions& options) {
  AXLE_ASSIGN_OR_RETURN(const std::vector<size_t> bounds, replica_bounds(plan));
  const bool hybrid = plan.schedule == "hybrid";
  if (plan.schedule != "single" && (!hybrid || plan.partitions.back().replica > 0)) {
    AXLE_ASSIGN_OR_RETURN(lanes, Lanes::create(plan.partitions));
  }
  size_t waiters = 0;  // threads for asynchronous runs: prepared shapes share the lanes, and so these
  for (size_t i = 0; i + 1 < bounds.size();) {
    const Partition& first = plan.partitions[bounds[i]];
    size_t next = i + 1;
    while (next + 1 < bounds.size() && plan.partitions[bounds[next]].replica > 0) ++next;
    const bool in_lanes = lanes != nullptr && first.load != Load::kLow;
    AXLE_ASSIGN_OR_RETURN(std::unique_ptr<Replicas> replicas, load_replicas(bounds[i], bounds[next], in_lanes, options));
    if (in_lanes || first.load == Load::kHigh) waiters = std::max(waiters, replicas->in_flight());
    shapes.push_back({first.axes, first.load, std::move(replicas)});
    i = next;
  }
  const bool ordered = policy.schedule.ordered.value_or(plan.schedule == "pipeline");
  if (ordered) order = std::make_unique<RequestOrder>();
  // What is done and waits for its turn leaves the lanes to others.
  const bool overtakes = ordered && plan.partitions.back().replica > 0;
  if (plan.batching.on()) waiters = std::max(waiters, joined_waiters(plan.batching));
  if (waiters > 0) waiting = std::make_unique<WorkerPool>(overtakes ? kOrderedWaiters * waiters : waiters);
  if (hybrid) {
    if (!serves_both_loads(shapes) || plan.switch_at < 2)
      return invalid_argument_error(
          "a plan of the schedule \"hybrid\" has partitions for a low and for a high load, for the same sizes, and switch_at");
    load = std::make_unique<LoadSwitch>(plan.switch_at, std::max(kLeastHoldNs, kHeldRequests * slowest_ns(plan.partitions)));
  }
  fixed_axes = FixedAxis::of(loaded->inputs, shapes);
  return ok_status();
}

}  // namespace axle
