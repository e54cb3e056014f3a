// What stands behind axle.Session (python/axle/session.py).
#include "axle/session.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "axle/explain.h"
#include "bind.h"
#include "bind_plan.h"
#include "errors.h"
#include "python_binding.h"
#include "session_core.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

void create(SessionCore* self, const Model& model, const Policy& policy, nb::handle samples, std::shared_ptr<Runtime> runtime,
            const Plan* plan, const Lock* lock, bool verify, bool profile, const nb::object& progress,
            const CancelToken* cancel, const std::vector<std::string>& waive) {
  Watch watch = Watch::over(cancel);
  ProgressBox box(progress);
  watch.tick = [&] { box.deliver(); };
  SessionCore::Options options;
  options.session.policy = policy;
  options.session.samples = to_named_tensors(samples, model.inputs());
  options.session.runtime = std::move(runtime);
  options.session.progress = box.writer();
  options.session.verify = verify;
  options.session.profile = profile;
  if (plan != nullptr) options.plan = *plan;
  if (lock != nullptr) options.lock = *lock;
  options.session.waive = waive;
  new (self) SessionCore(model, std::move(options), watch);
}

Lock lock_of(const SessionCore& core) {
  return take(unlocked([&] { return core.session().lock(); }));
}

std::string profile_json(const SessionCore& core) {
  return take(unlocked([&] { return render_profile_json(core.session()); }));
}

// Waits for its thread when it goes.
class EngineAhead {
 public:
  EngineAhead(std::shared_ptr<Runtime> runtime, const std::string& path, const Policy& policy)
      : opening_(open_engine_ahead(std::move(runtime), path, policy)) {}
  ~EngineAhead() {
    const nb::gil_scoped_release released;
    opening_.reset();
  }
  EngineAhead(const EngineAhead&) = delete;
  EngineAhead& operator=(const EngineAhead&) = delete;

 private:
  std::shared_ptr<void> opening_;
};

void bind_ahead(nb::module_& module) {
  // NOLINTNEXTLINE(bugprone-unused-raii): making it registers the class
  nb::class_<EngineAhead>(module, "EngineAhead", "An engine that is being opened; waits for that when it goes.");
  module.def(
      "open_engine_ahead",
      [](std::shared_ptr<Runtime> runtime, const std::string& path, const Policy& policy) {
        return new EngineAhead(std::move(runtime), path, policy);
      },
      nb::arg("runtime"), nb::arg("model_path"), nb::arg("policy"), nb::rv_policy::take_ownership,
      "Begin to open, on a thread of its own, the engine that ran the model at this path under this policy last time; keep "
      "the\n"
      "result until the session is there. A hint; Session.create(path) does it by itself.");
}

void bind_statistics(nb::module_& module) {
  nb::class_<ReplicaStatistics>(module, "ReplicaStatistics", "One replica of a scheduled plan since loading.")
      .def_prop_ro(
          "load", [](const ReplicaStatistics& one) { return std::string(load_name(one.load)); },
          "\"any\", of a hybrid plan \"low\" or \"high\"")
      .def_ro("requests", &ReplicaStatistics::requests)
      .def_ro("failures", &ReplicaStatistics::failures, "its device or process was gone")
      .def_ro("typical_ns", &ReplicaStatistics::typical_ns, "time per request that requests are spread by")
      .def_ro("left_out", &ReplicaStatistics::left_out, "after a failure, for now");
  nb::class_<BatchStatistics>(module, "BatchStatistics", "Of a plan that joins requests, since loading. All 0 without.")
      .def_ro("requests", &BatchStatistics::requests, "answered, with others or alone")
      .def_ro("joined", &BatchStatistics::joined, "of them, computed together with others")
      .def_ro("runs", &BatchStatistics::runs, "of the model")
      .def_ro("redone", &BatchStatistics::redone, "computed again alone: the run that they were joined in failed")
      .def_ro("most_rows", &BatchStatistics::most_rows, "of one run");
}

void bind_timing(nb::module_& module) {
  nb::class_<LoadTiming>(module, "LoadTiming", "How long it took to make a session ready.")
      .def_ro("plan_ns", &LoadTiming::plan_ns)
      .def_ro("compile_ns", &LoadTiming::compile_ns)
      .def_ro("load_ns", &LoadTiming::load_ns)
      .def_ro("cache", &LoadTiming::cache, "\"hit\", \"miss\" or \"none\"")
      .def("__repr__", [](const LoadTiming& timing) {
        return "<axle.LoadTiming plan " + format_duration(timing.plan_ns) + ", compile " + format_duration(timing.compile_ns) +
               ", load " + format_duration(timing.load_ns) + ", cache " + timing.cache + ">";
      });
}

}  // namespace

void bind_session(nb::module_& module) {
  bind_ahead(module);
  bind_statistics(module);
  bind_timing(module);
  nb::class_<SessionCore>(module, "SessionCore", "What stands behind axle.Session.")
      .def("__init__", &create, nb::arg("model"), nb::arg("policy"), nb::arg("samples").none() = nb::none(),
           nb::arg("runtime").none() = nb::none(), nb::arg("plan").none() = nb::none(), nb::arg("lock").none() = nb::none(),
           nb::arg("verify") = false, nb::arg("profile") = false, nb::arg("progress").none() = nb::none(),
           nb::arg("cancel").none() = nb::none(), nb::arg("waive") = std::vector<std::string>(),
           nb::sig(
               "def __init__(self, model: Model, policy: Policy, samples: collections.abc.Mapping[str, object] | None = None, "
               "runtime: Runtime | None = None, plan: Plan | None = None, lock: Lock | None = None, verify: bool = False, "
               "profile: bool = False, progress: collections.abc.Callable[[str, float], object] | None = None, "
               "cancel: CancelToken | None = None, waive: collections.abc.Sequence[str] = ()) -> None"),
           "Use axle.Session.create or axle.Session.load.")
      .def("run", &SessionCore::run, nb::arg("feeds"), nb::arg("cancel").none() = nb::none(), nb::arg("timeout_ns") = 0,
           nb::sig("def run(self, feeds: collections.abc.Mapping[str, object], cancel: CancelToken | None = None, "
                   "timeout_ns: int = 0) -> dict[str, numpy.ndarray]"),
           "Run once: {input name: array} -> {output name: fresh numpy array}, in model order.\n\n"
           "Arrays: numpy, anything with __dlpack__ (torch, jax, ...) in host memory, anything with the buffer protocol.\n"
           "Contiguous bytes are borrowed for the call, never copied; strided arrays are copied, counted in `copies` and said\n"
           "once (CopyWarning). Text (numpy str, bytes or object arrays) and types of less than a byte are converted. The GIL\n"
           "is released while the engine runs, and any number of threads may call at once. Ctrl-C cancels a running call.\n\n"
           "timeout_ns: 0 = none.\n\n"
           "Raises InvalidArgumentError (ValueError): unknown or missing name, wrong dtype (the cast is named), rank or size;\n"
           "CancelledError; DeadlineExceededError (TimeoutError); FailedPreconditionError after fork(); or the engine's own\n"
           "failure (axle.Error).")
      .def("run_tensors", &SessionCore::run_tensors, nb::arg("feeds"), nb::arg("cancel").none() = nb::none(),
           nb::arg("timeout_ns") = 0,
           nb::sig("def run_tensors(self, feeds: collections.abc.Mapping[str, object], cancel: CancelToken | None = None, "
                   "timeout_ns: int = 0) -> dict[str, Tensor]"),
           "run() with each output as an axle.Tensor over the engine's own result: torch.from_dlpack takes bf16 and 8-bit\n"
           "floats so, and packed integers stay packed. Arguments and errors as run().")
      .def(
          "make_binding",
          [](const SessionCore& core, const nb::object& like) {
            const auto shaped = like.is_none() ? std::vector<NamedTensor>() : to_named_tensors(like, core.session().inputs());
            return new PythonBinding(core.session(), take(unlocked([&] { return core.session().make_binding(shaped); })));
          },
          nb::arg("like") = nb::none(), nb::rv_policy::take_ownership,
          nb::sig("def make_binding(self, like: collections.abc.Mapping[str, object] | None = None) -> Binding"),
          "Inputs and outputs bound once, run many times.\n\n"
          "like: inputs of the shape it is for, where the policy prepares shapes; None = the executable for all others.")
      .def_prop_ro("inputs", [](const SessionCore& core) { return core.session().inputs(); })
      .def_prop_ro("outputs", [](const SessionCore& core) { return core.session().outputs(); })
      .def_prop_ro(
          "plan", [](const SessionCore& core) -> const Plan& { return core.session().plan(); },
          nb::rv_policy::reference_internal, "What runs where, and why not otherwise.")
      .def_prop_ro(
          "substitutions", [](const SessionCore& core) { return core.session().substitutions(); },
          "Every allowed fallback that was taken; empty otherwise.")
      .def_prop_ro("timing", [](const SessionCore& core) { return core.session().timing(); })
      .def_prop_ro(
          "effective_json", [](const SessionCore& core) { return core.session().effective_json(); },
          "Values really in force, one JSON document per partition.")
      .def(
          "counters", [](const SessionCore& core) { return unlocked([&] { return core.session().counters(); }); },
          "What the engines have counted since loading, one dict per partition: numbers of their own, and of an engine in a "
          "process of its own worker_pid, worker_restarts, worker_copied_bytes and worker_peak_memory_bytes.")
      .def(
          "qos", [](const SessionCore& core) { return core.session().qos(); },
          "How the runs of this session kept the latency and throughput that its policy bounds, over a sliding window.")
      .def(
          "wait_violations",
          [](const SessionCore& core, std::vector<uint64_t> seen, int64_t timeout_ns) {
            auto found = unlocked([&] { return core.session().wait_violations(seen, timeout_ns); });
            return std::pair(std::move(found), std::move(seen));
          },
          nb::arg("seen") = std::vector<uint64_t>(), nb::arg("timeout_ns") = 0,
          "Violations since `seen` and the new `seen`; what Session.violations is made of.")
      .def(
          "replicas", [](const SessionCore& core) { return core.session().replicas(); },
          "Statistics of each replica; one for every schedule but \"replicas\".")
      .def(
          "batching", [](const SessionCore& core) { return core.session().batching(); },
          "How many requests were computed together (schedule.batch).")
      .def_prop_ro("copies", &SessionCore::copies, "Arrays that run() had to copy so far.")
      .def_prop_ro("model", &SessionCore::model, nb::rv_policy::reference_internal)
      .def_prop_ro("policy", &SessionCore::policy, nb::rv_policy::reference_internal, "The policy it was planned under.")
      .def("to_lock", &lock_of,
           "The plan with the planner's whole input. AbortedError when what is known now leads to another plan.")
      .def("profile_json", &profile_json,
           "Perfetto / Chrome trace of the runs so far. FailedPreconditionError unless made with profile=True.")
      .def("__repr__", [](const SessionCore& core) {
        std::string text = "<axle.Session " + core.model().name() + " on";
        for (const Partition& part : core.session().plan().partitions) text += " " + place_of(part);
        return text + ">";
      });
}

}  // namespace axle::python
