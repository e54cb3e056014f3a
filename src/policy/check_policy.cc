#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "axle/policy.h"
#include "base/hash.h"
#include "base/text.h"
#include "policy/policy_values.h"
#include "spec/policy_json.h"
#include "spec/policy_names.h"

namespace axle {
namespace {

template <typename F>
Status check_each(const std::vector<std::string>& items, const char* key, F check) {
  std::set<std::string_view> seen;
  for (const std::string& item : items) {
    AXLE_RETURN_IF_ERROR(check(item).with_context(key));
    if (!seen.insert(item).second)
      return invalid_argument_error(fmt::format("{} names \"{}\" twice", key, printable(item, 64)));
  }
  return ok_status();
}

Status check_numbers(const Policy& p) {
  const Constraints& c = p.constraints;
  if (c.latency_p50_ns < 0 || c.latency_p95_ns < 0 || c.latency_p99_ns < 0 || c.latency_mean_ns < 0 || p.tuning.budget_ns < 0) {
    return invalid_argument_error("a duration of the policy is negative");
  }
  if (!(c.power_watts >= 0) || !(c.throughput_min_per_s >= 0) || std::isinf(c.power_watts) ||
      std::isinf(c.throughput_min_per_s)) {
    return invalid_argument_error("constraints.power and constraints.throughput_min must be finite and not negative");
  }
  const AccuracyGate& gate = p.accuracy;
  const auto inside = [](const std::optional<double>& bound, double low, double high) {
    return !bound || (*bound >= low && *bound <= high);
  };
  if (!inside(gate.max_relative_error, 0, 1e18) || !inside(gate.relative_l2_max, 0, 1e18)) {
    return invalid_argument_error("an error bound of [accuracy] must not be negative");
  }
  if (!inside(gate.cosine_min, -1, 1)) return invalid_argument_error("accuracy.cosine_min must lie in [-1, 1]");
  if (!inside(gate.top1_agreement_min, 0, 1)) return invalid_argument_error("accuracy.top1_agreement_min must lie in [0, 1]");
  if (p.execution.threads < 0 || p.execution.threads > kMaxPolicyThreads) {
    return invalid_argument_error(
        fmt::format("execution.threads is {}; it must lie in [0, {}]", p.execution.threads, kMaxPolicyThreads));
  }
  return ok_status();
}

Status check_names(const Policy& p) {
  AXLE_RETURN_IF_ERROR(check_each(p.execution.targets, "execution.target", check_selector_text));
  AXLE_RETURN_IF_ERROR(check_each(normal_precisions(p.execution.precisions), "execution.precision", check_precision_name));
  AXLE_RETURN_IF_ERROR(check_each(p.fallback.resource, "fallback.resource", check_selector_text));
  AXLE_RETURN_IF_ERROR(check_each(p.fallback.engine, "fallback.engine", check_engine_name));
  AXLE_RETURN_IF_ERROR(check_each(normal_precisions(p.fallback.precision), "fallback.precision", check_precision_name));
  AXLE_RETURN_IF_ERROR(check_each(p.fallback.kernel, "fallback.kernel", check_kernel_word));
  AXLE_RETURN_IF_ERROR(check_each(p.resources.allow, "resources.allow", check_selector_text));
  AXLE_RETURN_IF_ERROR(check_each(p.resources.deny, "resources.deny", check_selector_text));
  AXLE_RETURN_IF_ERROR(check_each(p.engines.allow, "engines.allow", check_engine_name));
  AXLE_RETURN_IF_ERROR(check_each(p.engines.deny, "engines.deny", check_engine_name));
  AXLE_RETURN_IF_ERROR(check_each(p.engines.prefer, "engines.prefer", check_engine_name));
  AXLE_RETURN_IF_ERROR(check_each(p.lock_waive, "lock.waive", check_waived_field));
  for (const auto& [engine, options] : p.engines.options)
    AXLE_RETURN_IF_ERROR(check_engine_name(engine).with_context("engines"));
  for (const auto& [engine, isolation] : p.engines.isolation)
    AXLE_RETURN_IF_ERROR(check_engine_name(engine).with_context("engines"));
  for (const auto& [selector, price] : p.prices) {
    AXLE_RETURN_IF_ERROR(check_selector_text(selector).with_context("prices"));
    if (!(price >= 0) || std::isinf(price))
      return invalid_argument_error(fmt::format("prices.\"{}\" must be finite and not negative", selector));
  }
  for (const auto& [axis, sizes] : p.shapes) {
    if (axis.empty() || sizes.empty() || std::any_of(sizes.begin(), sizes.end(), [](int64_t size) { return size < 1; })) {
      return invalid_argument_error(fmt::format("shapes.\"{}\" must list at least one size, each from 1", printable(axis, 64)));
    }
  }
  return ok_status();
}

Status check_contradictions(const Policy& p) {
  const auto both = [](const std::vector<std::string>& a, const std::vector<std::string>& b) -> const std::string* {
    const auto found = std::find_if(a.begin(), a.end(),
                                    [&](const std::string& item) { return std::find(b.begin(), b.end(), item) != b.end(); });
    return found == a.end() ? nullptr : &*found;
  };
  if (const auto* name = both(p.engines.allow, p.engines.deny)) {
    return invalid_argument_error(fmt::format("engine {} is both allowed and denied", *name))
        .with_hint("take it out of engines.deny or engines.allow");
  }
  if (const auto* name = both(p.fallback.engine, p.engines.deny)) {
    return invalid_argument_error(fmt::format("engine {} is both a fallback and denied", *name))
        .with_hint("take it out of engines.deny or fallback.engine");
  }
  if (const auto* text = both(p.execution.targets, p.resources.deny)) {
    return invalid_argument_error(fmt::format("resource {} is both the target and denied", *text))
        .with_hint("take it out of resources.deny or execution.target");
  }
  if (const auto* text = both(p.fallback.resource, p.resources.deny)) {
    return invalid_argument_error(fmt::format("resource {} is both a fallback and denied", *text))
        .with_hint("take it out of resources.deny or fallback.resource");
  }
  return ok_status();
}

Status check_splits(const ResourceRules& rules) {
  for (const auto& [resource, sets] : rules.split) {
    AXLE_RETURN_IF_ERROR(check_selector_text(resource).with_context("resources.split"));
    std::set<int32_t> seen;
    for (const auto& set : sets) {
      if (set.empty()) return invalid_argument_error(fmt::format("resources.split.\"{}\" has an empty core set", resource));
      for (const int32_t cpu : set) {
        if (cpu < 0) return invalid_argument_error(fmt::format("resources.split.\"{}\" names CPU {}", resource, cpu));
        if (!seen.insert(cpu).second) {
          return invalid_argument_error(fmt::format("resources.split.\"{}\" puts CPU {} into two core sets", resource, cpu))
              .with_hint("core sets must be disjoint");
        }
      }
    }
    if (sets.empty()) return invalid_argument_error(fmt::format("resources.split.\"{}\" has no core sets", resource));
  }
  return ok_status();
}

// What a model must be like for it is seen when a plan is made.
Status check_batch(const Policy& p) {
  const ScheduleRules& rules = p.schedule;
  if (rules.batch < kAutoBatch || rules.batch > kMaxBatch)
    return invalid_argument_error(fmt::format("schedule.batch is {}", rules.batch))
        .with_hint(fmt::format("a number of rows from 1 to {}, or \"auto\"", kMaxBatch));
  if (rules.batch_wait_ns < 0 || rules.batch_wait_ns > kMaxBatchWaitNs)
    return invalid_argument_error(fmt::format("schedule.batch_wait is {}", format_duration_ns(rules.batch_wait_ns)))
        .with_hint("a time from \"0s\" to \"1s\": every request may have to wait so long");
  if (rules.batch_wait_ns > 0 && rules.batch == 1)
    return invalid_argument_error("schedule.batch_wait says how long a request waits for others, and schedule.batch joins none")
        .with_hint("set schedule.batch, or leave out schedule.batch_wait");
  if (rules.batch == kAutoBatch && p.objective != Objective::kThroughput)
    return invalid_argument_error(
               fmt::format("schedule.batch = \"auto\" is decided by requests per second, and the objective is {}",
                           objective_name(p.objective)))
        .with_hint("set objective.minimize = \"throughput\", or give schedule.batch a number");
  if (rules.batch != 1 && p.objective == Objective::kHybrid)
    return unimplemented_error("schedule.batch together with the objective hybrid is not executed by this version")
        .with_hint("set objective.minimize = \"throughput\": a request that is alone does not wait for others there either");
  return ok_status();
}

// That groups share no resource is seen when a plan is made: selectors may overlap.
Status check_schedule(const ScheduleRules& rules) {
  const std::string each(schedule_kind_name(rules.each));
  if (!parse_each(each))
    return invalid_argument_error(fmt::format("schedule.each is \"{}\"", each)).with_hint(fmt::format("one of {}", kEachWords));
  if (rules.each != ScheduleKind::kSingle && rules.kind != ScheduleKind::kReplicas) {
    return invalid_argument_error(fmt::format("schedule.each = \"{}\" says what each of several replicas is, and schedule.kind "
                                              "is \"{}\"",
                                              each, schedule_kind_name(rules.kind)))
        .with_hint("set schedule.kind = \"replicas\", or leave out schedule.each");
  }
  if (rules.groups.empty()) return ok_status();
  if (rules.each == ScheduleKind::kSingle) {
    return invalid_argument_error("schedule.groups names the resources over which each replica is cut, and none is")
        .with_hint("set schedule.each to \"pipeline\" or \"split\", or name resources with execution.target");
  }
  if (rules.groups.size() < 2)
    return invalid_argument_error("schedule.groups names one group: replicas are two at least")
        .with_hint(fmt::format("name another, or set schedule.kind = \"{}\" and execution.target", each));
  std::vector<std::string> all;
  for (const auto& group : rules.groups) {
    if (group.empty()) return invalid_argument_error("schedule.groups has an empty group");
    all.insert(all.end(), group.begin(), group.end());
  }
  return check_each(all, "schedule.groups", check_selector_text);
}

Status check_kernels(const KernelPolicy& kernels) {
  for (const auto& [op, choice] : kernels) {
    AXLE_RETURN_IF_ERROR(check_kernel_word(op).with_context("kernels"));
    if (choice.force.empty() && choice.prefer.empty() && choice.forbid.empty()) {
      return invalid_argument_error(fmt::format("kernels.{} names no kernel", op))
          .with_hint("write op = \"name\", or a table of force, prefer and forbid");
    }
    for (const std::string& name : choice.forbid) {
      if (name == choice.force)
        return invalid_argument_error(fmt::format("kernels.{} both forces and forbids \"{}\"", op, name));
    }
  }
  return ok_status();
}

Status check_target(const std::optional<PinTarget>& target, const std::string& where) {
  if (!target) return ok_status();
  if (target->engine.empty() && target->resource.empty() && target->precision.empty() && target->kernel.empty()) {
    return invalid_argument_error(fmt::format("{} names nothing", where))
        .with_hint("give engine, resource, precision or kernel");
  }
  if (!target->engine.empty()) AXLE_RETURN_IF_ERROR(check_engine_name(target->engine).with_context(where));
  if (!target->resource.empty()) AXLE_RETURN_IF_ERROR(check_selector_text(target->resource).with_context(where));
  if (!target->precision.empty()) AXLE_RETURN_IF_ERROR(check_precision_name(target->precision).with_context(where));
  if (!target->kernel.empty()) AXLE_RETURN_IF_ERROR(check_kernel_word(target->kernel).with_context(where));
  return ok_status();
}

// What a pin forces must not be ruled out elsewhere in the same policy.
Status check_denied(const Policy& policy, const Pin& pin, const std::string& where) {
  if (!pin.require) return ok_status();
  const auto holds = [](const std::vector<std::string>& names, const std::string& name) {
    return !name.empty() && std::find(names.begin(), names.end(), name) != names.end();
  };
  if (holds(policy.engines.deny, pin.require->engine)) {
    return invalid_argument_error(fmt::format("{} requires engine {}, which engines.deny denies", where, pin.require->engine))
        .with_hint("take it out of engines.deny, or let the pin require another");
  }
  if (holds(policy.resources.deny, pin.require->resource)) {
    return invalid_argument_error(
               fmt::format("{} requires resource {}, which resources.deny denies", where, pin.require->resource))
        .with_hint("take it out of resources.deny, or let the pin require another");
  }
  if (pin.forbid && *pin.forbid == *pin.require)
    return invalid_argument_error(fmt::format("{} requires and forbids the same", where)).with_hint("keep one of the two");
  return ok_status();
}

Status check_pins(const Policy& policy) {
  const std::vector<Pin>& pins = policy.pins;
  for (size_t i = 0; i < pins.size(); ++i) {
    const Pin& pin = pins[i];
    const std::string where = fmt::format("pin {}", i + 1);
    if (pin.nodes.empty() && pin.op_types.empty() && pin.between.empty()) {
      return invalid_argument_error(fmt::format("{} selects nothing", where)).with_hint("give nodes, op_types or between");
    }
    if (!pin.between.empty() && pin.between.size() != 2) {
      return invalid_argument_error(fmt::format("{}: between needs two tensor names, not {}", where, pin.between.size()));
    }
    if (!pin.require && !pin.prefer && !pin.forbid) {
      return invalid_argument_error(fmt::format("{} demands nothing", where)).with_hint("give require, prefer or forbid");
    }
    AXLE_RETURN_IF_ERROR(check_denied(policy, pin, where));
    AXLE_RETURN_IF_ERROR(check_target(pin.require, where + ".require"));
    AXLE_RETURN_IF_ERROR(check_target(pin.prefer, where + ".prefer"));
    AXLE_RETURN_IF_ERROR(check_target(pin.forbid, where + ".forbid"));
  }
  return ok_status();
}

}  // namespace

Status check_policy(const Policy& policy) {
  AXLE_RETURN_IF_ERROR(check_numbers(policy));
  AXLE_RETURN_IF_ERROR(check_names(policy));
  AXLE_RETURN_IF_ERROR(check_contradictions(policy));
  AXLE_RETURN_IF_ERROR(check_splits(policy.resources));
  AXLE_RETURN_IF_ERROR(check_schedule(policy.schedule));
  AXLE_RETURN_IF_ERROR(check_batch(policy));
  AXLE_RETURN_IF_ERROR(check_kernels(policy.kernels));
  return check_pins(policy);
}

std::string policy_digest(const Policy& policy) {
  const Result<std::string> text = canonical_json(policy_to_json_value(policy));
  return text.has_value() ? sha256_of(*text).to_string() : std::string();
}

}  // namespace axle
