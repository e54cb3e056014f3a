#include "axle/runtime.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "axle/cache.h"
#include "axle/evidence_store.h"
#include "axle/explain.h"
#include "bind.h"
#include "engine_registry.h"
#include "errors.h"
#include "unlocked.h"
#include "watched_call.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

std::shared_ptr<Runtime> create(const std::string& cache_folder, bool use_cache, const std::vector<std::string>& engine_folders,
                                const std::vector<std::string>& engines, const std::vector<std::string>& engine_descriptions,
                                uint64_t worker_memory_bytes, int64_t worker_timeout_ns, int64_t converter_timeout_ns,
                                size_t idle_workers) {
  RuntimeOptions options{cache_folder, use_cache, engine_folders, engines};
  options.worker_memory_bytes = worker_memory_bytes;
  options.worker_timeout_ns = worker_timeout_ns;
  options.converter_timeout_ns = converter_timeout_ns;
  options.idle_workers = idle_workers;
  options.engine_descriptions = engine_descriptions;
  return take(unlocked([&] { return Runtime::create(std::move(options)); }));
}

Model open(const std::shared_ptr<Runtime>& runtime, const std::string& path, bool verify) {
  Watch watch = Watch::over(nullptr);
  return take(call_watched<Model>(watch, [&] { return open_model(*runtime, path, verify); }));
}

std::vector<EngineState> engine_states(const std::shared_ptr<Runtime>& runtime) {
  Watch watch = Watch::over(nullptr);
  return take(call_watched<std::vector<EngineState>>(watch, [&]() -> Result<std::vector<EngineState>> {
    AXLE_RETURN_IF_ERROR(runtime->machine().status());  // engines' resources are joined with the machine's
    return runtime->engines().states();
  }));
}

PlanReport plan(const std::shared_ptr<Runtime>& runtime, const Model& model, const Policy& policy, const Machine* machine,
                nb::handle samples, bool reuse, bool keep_input, bool prepare, const nb::object& progress,
                const CancelToken* cancel) {
  Watch watch = Watch::over(cancel);
  ProgressBox box(progress);
  watch.tick = [&] { box.deliver(); };
  PlanRequest request;
  request.policy = policy;
  request.machine = machine;
  request.samples = to_named_tensors(samples, model.inputs());
  request.reuse = reuse;
  request.keep_input = keep_input;
  request.prepare = prepare;
  request.progress = box.writer();
  request.cancel = watch.token;
  return take(call_watched<PlanReport>(watch, [&] { return make_plan(*runtime, model, request); }));
}

std::vector<EngineOpinion> opinions(const std::shared_ptr<Runtime>& runtime, const Model& model) {
  Watch watch = Watch::over(nullptr);
  return take(call_watched<std::vector<EngineOpinion>>(watch, [&] { return engine_opinions(*runtime, model); }));
}

std::vector<EvidenceAge> ages_of(const std::shared_ptr<Runtime>& runtime, const std::vector<EvidenceRow>& rows) {
  Watch watch = Watch::over(nullptr);
  return take(call_watched<std::vector<EvidenceAge>>(watch, [&] { return evidence_ages(*runtime, rows); }));
}

MachineFigures measure(const std::shared_ptr<Runtime>& runtime, const CancelToken* cancel) {
  Watch watch = Watch::over(cancel);
  return take(call_watched<MachineFigures>(watch, [&] { return measure_machine(*runtime, watch.token); }));
}

void bind_figures(nb::module_& module) {
  nb::class_<NodeBandwidth>(module, "NodeBandwidth", "How fast the cores of a NUMA node read memory of its own.")
      .def_ro("node", &NodeBandwidth::node)
      .def_ro("megabytes_per_second", &NodeBandwidth::megabytes_per_second)
      .def_ro("threads", &NodeBandwidth::threads);
  nb::class_<PeakFigure>(module, "PeakFigure", "What the cores compute at most in one precision.")
      .def_ro("precision", &PeakFigure::precision, "\"f32\", \"f64\", \"bf16\", \"int8\"")
      .def_ro("instructions", &PeakFigure::instructions, "that were used: \"avx512f\"")
      .def_ro("megaflops", &PeakFigure::megaflops, "10^6 operations per second of all cores; a multiply-add is two")
      .def_ro("threads", &PeakFigure::threads);
  nb::class_<MachineFigures>(module, "MachineFigures", "What this machine computes and moves at most. str() is the table.")
      .def_ro("machine", &MachineFigures::machine, "fingerprint")
      .def_ro("recorded_unix_s", &MachineFigures::recorded_unix_s)
      .def_ro("nodes", &MachineFigures::nodes)
      .def_ro("peaks", &MachineFigures::peaks)
      .def_ro("noisy_machine", &MachineFigures::noisy_machine, "other work disturbed it: the figures are too low")
      .def_ro("notes", &MachineFigures::notes)
      .def("__str__", [](const MachineFigures& figures) { return render_machine_figures_text(figures, TextStyle()); });
  nb::class_<EvidenceAge>(module, "EvidenceAge", "How a recorded measurement stands to what is here now.")
      .def_ro("age_s", &EvidenceAge::age_s, "-1 = not recorded")
      .def_prop_ro(
          "standing", [](const EvidenceAge& age) { return std::string(evidence_standing_name(age.standing)); },
          "\"counts\", \"old\" (counts all the same), \"stale\", \"absent\" or \"elsewhere\"")
      .def_ro("reason", &EvidenceAge::reason, "why it does not count, or is old; \"\" when it counts")
      .def("__repr__", [](const EvidenceAge& age) {
        return "<axle.EvidenceAge " + std::string(evidence_standing_name(age.standing)) + ">";
      });
}

void bind_opinion(nb::module_& module) {
  nb::class_<EngineOpinion>(module, "EngineOpinion", "What one engine says of a model on one resource.")
      .def_ro("engine", &EngineOpinion::engine)
      .def_ro("resource", &EngineOpinion::resource)
      .def_ro("precision", &EngineOpinion::precision)
      .def_prop_ro(
          "verdict", [](const EngineOpinion& opinion) { return std::string(verdict_kind_name(opinion.verdict.graph.kind)); },
          "\"yes\", \"no\", \"needs-group\" or \"unknown\" (until compiled)")
      .def_prop_ro(
          "graph_verdict", [](const EngineOpinion& opinion) { return opinion.verdict; }, "The same, node by node.")
      .def_prop_ro(
          "reason", [](const EngineOpinion& opinion) { return opinion.verdict.graph.text; }, "of a verdict that is not yes")
      .def_ro("nodes", &EngineOpinion::nodes, "the nodes it refuses")
      .def_ro("absent_reason", &EngineOpinion::absent_reason, "not empty: the engine is not here, the rest says nothing")
      .def("__repr__",
           [](const EngineOpinion& opinion) { return "<axle.EngineOpinion " + opinion.engine + "@" + opinion.resource + ">"; });
}

}  // namespace

void bind_runtime(nb::module_& module) {
  bind_opinion(module);
  bind_figures(module);
  nb::class_<PlanReport>(module, "PlanReport", "A plan, and the input it was made from.")
      .def_ro("plan", &PlanReport::plan)
      .def_ro("input_json", &PlanReport::input_json, "canonical JSON; \"\" unless keep_input");
  nb::class_<Runtime>(module, "Runtime", "What sessions share: the machine, the engines, the cache, the evidence. Thread-safe.")
      .def_static(
          "create", &create, nb::arg("cache_folder") = "", nb::arg("use_cache") = true,
          nb::arg("engine_folders") = std::vector<std::string>(), nb::arg("engines") = std::vector<std::string>(),
          nb::arg("engine_descriptions") = std::vector<std::string>(), nb::arg("worker_memory_bytes") = 0,
          nb::arg("worker_timeout_ns") = 0, nb::arg("converter_timeout_ns") = 0, nb::arg("idle_workers") = 2,
          "A runtime of one's own. `engine_folders` are searched for plugins first; `engines`: only these, empty = all;\n"
          "`engine_descriptions`: files or folders of engines described in TOML, looked at before the user's own.\n"
          "Engines in processes of their own: `worker_memory_bytes` and `worker_timeout_ns` bound what one may allocate and "
          "how\n"
          "long a call may take (0 = no bound), `idle_workers` may wait for their next use. `converter_timeout_ns`: for "
          "making\n"
          "a variant of a model; 0 = 15 minutes.\n"
          "Never fails for a missing engine or an unusable cache folder: see problems().")
      .def_static(
          "default", [] { return take(unlocked([] { return default_runtime(); })); },
          "The process's own, made on first use from the environment.")
      .def(
          "machine", [](Runtime& runtime) { return take(unlocked([&] { return runtime.machine(); })); },
          "This machine, discovered on first use.")
      .def(
          "engines", [](std::shared_ptr<Runtime> runtime) { return PythonRegistry{nullptr, std::move(runtime)}; },
          "The engines of this runtime.")
      .def_static(
          "worker_safeguards", [] { return unlocked([] { return Runtime::worker_safeguards(); }); },
          "What holds for an engine that runs in a process of its own here.")
      .def("evidence_ages", &ages_of, nb::arg("rows"),
           "How each recorded measurement stands to what is here now, in their order. Opens the engines.")
      .def("measure_machine", &measure, nb::arg("cancel").none() = nb::none(),
           "Measure what the processor computes and moves at most (a second or two) and keep the figures in the cache folder:\n"
           "estimates on the CPU use them from then on. CancelledError; UnavailableError: threads cannot stay on cores.")
      .def("engine_states", &engine_states, "Every known engine, opened; sorted by name.")
      .def(
          "cache",
          [](Runtime& runtime) -> std::optional<Cache> {
            return runtime.cache() == nullptr ? std::nullopt : std::optional<Cache>(*runtime.cache());
          },
          "None when the cache is off or its folder cannot be used.")
      .def(
          "evidence",
          [](Runtime& runtime) -> std::optional<EvidenceStore> {
            return runtime.evidence() == nullptr ? std::nullopt : std::optional<EvidenceStore>(*runtime.evidence());
          },
          "None when there is no cache folder.")
      .def("problems", &Runtime::problems, "One sentence each: unusable cache folder, unreadable evidence.")
      .def("open_model", &open, nb::arg("path"), nb::arg("verify") = false,
           "The model at `path`; what was read before and is unchanged is not read again. Errors as Model.load.")
      .def("engine_opinions", &opinions, nb::arg("model"), "What each engine says of the model.")
      .def(
          "make_plan", &plan, nb::arg("model"), nb::arg("policy"), nb::arg("machine").none() = nb::none(),
          nb::arg("samples").none() = nb::none(), nb::arg("reuse") = true, nb::arg("keep_input") = false,
          nb::arg("prepare") = false, nb::arg("progress").none() = nb::none(), nb::arg("cancel").none() = nb::none(),
          nb::sig(
              "def make_plan(self, model: Model, policy: Policy, machine: Machine | None = None, samples: "
              "collections.abc.Mapping[str, object] | None = None, reuse: bool = True, keep_input: bool = False, prepare: bool "
              "= "
              "False, progress: "
              "collections.abc.Callable[[str, float], object] | None = None, cancel: CancelToken | None = None) -> PlanReport"),
          "Decide from recorded data; nothing is run or measured. `prepare`: first make the copies of the model at lower "
          "precision that the policy asks for. FailedPreconditionError: the policy cannot be satisfied here.");
}

}  // namespace axle::python
