// Policies. Lists and maps are read and set whole: policy.execution.targets = ["npu"], not .append.
#include "axle/policy.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

void bind_enums(nb::module_& module) {
  nb::enum_<Objective>(module, "Objective", "What a plan is ordered by.")
      .value("LATENCY", Objective::kLatency)
      .value("THROUGHPUT", Objective::kThroughput)
      .value("ENERGY", Objective::kEnergy)
      .value("COST", Objective::kCost)
      .value("MEMORY", Objective::kMemory)
      .value("HYBRID", Objective::kHybrid);
  nb::enum_<Isolation>(module, "Isolation", "Whether an engine runs in a process of its own.")
      .value("AUTO", Isolation::kAuto)
      .value("NONE", Isolation::kNone)
      .value("PROCESS", Isolation::kProcess);
  nb::enum_<ScheduleKind>(module, "ScheduleKind", "How several resources share the work.")
      .value("AUTO", ScheduleKind::kAuto)
      .value("SINGLE", ScheduleKind::kSingle)
      .value("REPLICAS", ScheduleKind::kReplicas)
      .value("PIPELINE", ScheduleKind::kPipeline)
      .value("SPLIT", ScheduleKind::kSplit);
  nb::enum_<Mixing>(module, "Mixing", "Whether engines may be mixed in one plan.")
      .value("NEVER", Mixing::kNever)
      .value("NEEDED", Mixing::kNeeded)
      .value("ALLOWED", Mixing::kAllowed);
  nb::enum_<EvidenceUse>(module, "EvidenceUse", "What measurements are worth to the planner.")
      .value("USE", EvidenceUse::kUse)
      .value("REQUIRE", EvidenceUse::kRequire)
      .value("IGNORE", EvidenceUse::kIgnore);
}

void bind_demands(nb::module_& module) {
  nb::class_<Constraints>(module, "Constraints", "Bounds that a plan must keep; 0 = none.")
      .def_rw("latency_p50_ns", &Constraints::latency_p50_ns)
      .def_rw("latency_p95_ns", &Constraints::latency_p95_ns)
      .def_rw("latency_p99_ns", &Constraints::latency_p99_ns)
      .def_rw("latency_mean_ns", &Constraints::latency_mean_ns)
      .def_rw("memory_bytes", &Constraints::memory_bytes)
      .def_rw("power_watts", &Constraints::power_watts)
      .def_rw("throughput_min_per_s", &Constraints::throughput_min_per_s);
  nb::class_<AccuracyGate>(module, "AccuracyGate", "Bounds on the error against the fp32 reference; None = not judged by it.")
      .def_rw("max_relative_error", &AccuracyGate::max_relative_error, nb::arg().none())
      .def_rw("relative_l2_max", &AccuracyGate::relative_l2_max, nb::arg().none())
      .def_rw("cosine_min", &AccuracyGate::cosine_min, nb::arg().none())
      .def_rw("top1_agreement_min", &AccuracyGate::top1_agreement_min, nb::arg().none())
      .def_rw("samples", &AccuracyGate::samples, ".npz; \"\" = generated, and said so")
      .def_rw("calibration", &AccuracyGate::calibration, ".npz; \"\" = the samples")
      .def("present", &AccuracyGate::present, "Whether any bound is set.");
  nb::class_<ExecutionPolicy>(module, "ExecutionPolicy", "Where, in which precision and how a model runs.")
      .def_rw("targets", &ExecutionPolicy::targets, "selectors; empty = any")
      .def_rw("precisions", &ExecutionPolicy::precisions, "one = forced, several = gated; empty = the model's own")
      .def_rw("static_shape", &ExecutionPolicy::static_shape)
      .def_rw("threads", &ExecutionPolicy::threads, "0 = the planner's choice")
      .def_rw("isolation", &ExecutionPolicy::isolation);
  nb::class_<Fallback>(module, "Fallback", "What may stand in, by name; what is not named may not.")
      .def_rw("resource", &Fallback::resource)
      .def_rw("engine", &Fallback::engine)
      .def_rw("precision", &Fallback::precision)
      .def_rw("kernel", &Fallback::kernel);
}

void bind_rules(nb::module_& module) {
  nb::class_<KernelChoice>(module, "KernelChoice", "Kernels for one op.")
      .def(nb::init<std::string, std::vector<std::string>, std::vector<std::string>>(), nb::arg("force") = "",
           nb::arg("prefer") = std::vector<std::string>(), nb::arg("forbid") = std::vector<std::string>())
      .def_rw("force", &KernelChoice::force, "\"\" = not forced")
      .def_rw("prefer", &KernelChoice::prefer)
      .def_rw("forbid", &KernelChoice::forbid);
  nb::class_<ResourceRules>(module, "ResourceRules", "Resources that may be used.")
      .def_rw("allow", &ResourceRules::allow, "selectors; empty = all")
      .def_rw("deny", &ResourceRules::deny)
      .def_rw("allow_simulated", &ResourceRules::allow_simulated)
      .def_rw("split", &ResourceRules::split, "\"cpu:0\" -> core sets");
  nb::class_<EngineRules>(module, "EngineRules", "Engines that may be used, and their options.")
      .def_rw("allow", &EngineRules::allow, "empty = all; one = forced")
      .def_rw("deny", &EngineRules::deny)
      .def_rw("prefer", &EngineRules::prefer)
      .def_rw("options", &EngineRules::options, "engine -> option -> value as text")
      .def_rw("isolation", &EngineRules::isolation, "engine -> Isolation");
  nb::class_<ScheduleRules>(module, "ScheduleRules", "How several resources share the work.")
      .def_rw("kind", &ScheduleRules::kind)
      .def_rw("mixing", &ScheduleRules::mixing)
      .def_rw("rebalance", &ScheduleRules::rebalance)
      .def_rw("ordered", &ScheduleRules::ordered, nb::arg().none(),
              "answers leave in the order of the calls; None = those of a pipeline do")
      .def_rw("each", &ScheduleRules::each, "what each replica is: SINGLE, PIPELINE or SPLIT")
      .def_rw("groups", &ScheduleRules::groups, "selectors of the resources of each replica that is cut; empty = pairs")
      .def_rw("batch", &ScheduleRules::batch,
              "rows of waiting requests computed together at most; 1 = each alone, AUTO_BATCH = as many as were measured to "
              "serve more")
      .def_rw("batch_wait_ns", &ScheduleRules::batch_wait_ns, "how long the first of them waits for others");
  nb::class_<TuningRules>(module, "TuningRules", "How much may be measured, and what measurements are worth.")
      .def_rw("budget_ns", &TuningRules::budget_ns, "0 = do not measure")
      .def_rw("evidence", &TuningRules::evidence);
}

void bind_pins(nb::module_& module) {
  nb::class_<PinTarget>(module, "PinTarget", "What a pin demands; \"\" = not part of the demand.")
      .def(nb::init<std::string, std::string, std::string, std::string>(), nb::arg("engine") = "", nb::arg("resource") = "",
           nb::arg("precision") = "", nb::arg("kernel") = "")
      .def_rw("engine", &PinTarget::engine)
      .def_rw("resource", &PinTarget::resource)
      .def_rw("precision", &PinTarget::precision)
      .def_rw("kernel", &PinTarget::kernel);
  nb::class_<Pin>(module, "Pin", "A demand on some nodes.")
      .def(nb::init<>())
      .def_rw("nodes", &Pin::nodes, "globs")
      .def_rw("op_types", &Pin::op_types)
      .def_rw("between", &Pin::between, "two tensor names")
      .def_rw("require", &Pin::require, nb::arg().none())
      .def_rw("prefer", &Pin::prefer, nb::arg().none())
      .def_rw("forbid", &Pin::forbid, nb::arg().none());
}

void bind_policy_class(nb::module_& module) {
  nb::class_<Policy>(module, "Policy", "What the user wants, as data (docs/formats/policy.md).")
      .def(nb::init<>(), "The defaults: any resource and engine, the model's own precision, least latency.")
      .def_static(
          "parse", [](const std::string& toml, const std::string& origin) { return take(parse_policy(toml, origin)); },
          nb::arg("toml"), nb::arg("origin") = "policy",
          "From TOML text. InvalidArgumentError names origin:line:column and the nearest known key.")
      .def_static(
          "load", [](const std::string& path) { return take(load_policy(path)); }, nb::arg("path"),
          "From a TOML file. NotFoundError; InvalidArgumentError as parse.")
      .def(
          "apply_flag",
          [](Policy& policy, const std::string& flag, const std::string& value) {
            check(apply_policy_flag(policy, flag, value));
          },
          nb::arg("flag"), nb::arg("value"),
          "Lay one choice flag of the command line over the policy (\"device\", \"npu\"). InvalidArgumentError changes "
          "nothing.")
      .def(
          "check", [](const Policy& policy) { check(check_policy(policy)); },
          "Raise InvalidArgumentError for contradictions that need no model to be seen.")
      .def("to_toml", &format_policy, "TOML that reads back to an equal policy; only what differs from the defaults.")
      .def("digest", &policy_digest, "\"sha256:...\" over the canonical form.")
      .def_rw("objective", &Policy::objective)
      .def_rw("constraints", &Policy::constraints)
      .def_rw("accuracy", &Policy::accuracy)
      .def_rw("execution", &Policy::execution)
      .def_rw("fallback", &Policy::fallback)
      .def_rw("kernels", &Policy::kernels, "op -> KernelChoice")
      .def_rw("resources", &Policy::resources)
      .def_rw("engines", &Policy::engines)
      .def_rw("schedule", &Policy::schedule)
      .def_rw("shapes", &Policy::shapes, "named axis -> sizes to prepare")
      .def_rw("pins", &Policy::pins)
      .def_rw("tuning", &Policy::tuning)
      .def_rw("prices", &Policy::prices, "selector -> per hour")
      .def_rw("lock_waive", &Policy::lock_waive)
      .def("__copy__", [](const Policy& policy) { return Policy(policy); })
      .def(
          "__deepcopy__", [](const Policy& policy, nb::handle) { return Policy(policy); }, nb::arg("memo"))
      .def("__getstate__", &format_policy)
      .def("__setstate__", [](Policy& policy, const std::string& toml) { new (&policy) Policy(take(parse_policy(toml))); })
      .def("__eq__", [](const Policy& a, nb::handle b) { return nb::isinstance<Policy>(b) && a == nb::cast<const Policy&>(b); })
      .def("__repr__", [](const Policy& policy) { return "<axle.Policy\n" + format_policy(policy) + ">"; });
}

}  // namespace

void bind_policy(nb::module_& module) {
  module.attr("AUTO_BATCH") = kAutoBatch;
  bind_enums(module);
  bind_demands(module);
  bind_rules(module);
  bind_pins(module);
  bind_policy_class(module);
}

}  // namespace axle::python
