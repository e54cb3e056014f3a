#include "axle/tune.h"

#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "axle/explain.h"
#include "bind.h"
#include "errors.h"
#include "unlocked.h"
#include "watched_call.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

// The latest report, handed to the caller's thread.
class ReportBox {
 public:
  explicit ReportBox(nb::object callback) : callback_(std::move(callback)) {}
  std::function<void(const TuneReport&)> writer() {
    if (callback_.is_none()) return nullptr;
    return [this](const TuneReport& report) {
      const std::lock_guard lock(mutex_);
      latest_ = report;
    };
  }
  void deliver() {
    std::optional<TuneReport> report;
    {
      const std::lock_guard lock(mutex_);
      report = std::exchange(latest_, std::nullopt);
    }
    if (report) callback_(std::move(*report));
  }

 private:
  nb::object callback_;
  std::mutex mutex_;
  std::optional<TuneReport> latest_;
};

TuneReport tune_model(const std::shared_ptr<Runtime>& runtime, const Model& model, const Policy& policy, int64_t budget_ns,
                      nb::handle samples, uint64_t seed, const nb::object& progress, const CancelToken* cancel) {
  Watch watch = Watch::over(cancel);
  ReportBox box(progress);
  watch.tick = [&] { box.deliver(); };
  TuneOptions options;
  options.policy = policy;
  options.budget_ns = budget_ns;
  options.samples = to_named_tensors(samples, model.inputs());
  options.seed = seed;
  options.cancel = watch.token;
  options.progress = box.writer();
  return take(call_watched<TuneReport>(watch, [&] { return tune(*runtime, model, options); }));
}

nb::dict generate(const Model& model, uint64_t seed, int64_t axis_size, int64_t inner_axis_size,
                  const std::map<std::string, int64_t>& axes) {
  return to_numpy_dict(take(unlocked([&] { return generate_inputs(model, {seed, axis_size, inner_axis_size, axes}); })));
}

GeneratedSamples samples_for(const std::shared_ptr<Runtime>& runtime, const Model& model, const Policy& policy, uint64_t seed,
                             bool may_run, const CancelToken* cancel) {
  Watch watch = Watch::over(cancel);
  SampleOptions options{seed, policy, may_run, watch.token};
  return take(call_watched<GeneratedSamples>(watch, [&] { return generate_samples(*runtime, model, options); }));
}

bool nothing_found(nb::handle inputs, nb::handle outputs) {
  return gives_nothing(to_named_tensors(inputs, {}), to_named_tensors(outputs, {}));
}

void bind_samples(nb::module_& module) {
  nb::class_<GeneratedSamples>(module, "GeneratedSamples", "Inputs that were generated, and at which sizes.")
      .def_prop_ro(
          "tensors", [](const GeneratedSamples& samples) { return to_numpy_dict(samples.tensors); },
          nb::sig("def tensors(self) -> dict[str, numpy.ndarray]"))
      .def_ro("note", &GeneratedSamples::note, "how they came about: one sentence")
      .def_ro("usual", &GeneratedSamples::usual, "the sizes that generate_inputs takes by itself");
  module.def("samples_on", &samples_for, nb::arg("runtime"), nb::arg("model"), nb::arg("policy"), nb::arg("seed") = 0,
             nb::arg("may_run") = true, nb::arg("cancel").none() = nb::none(), "See axle.generate_samples.");
  module.def("gives_nothing", &nothing_found, nb::arg("inputs"), nb::arg("outputs"),
             nb::sig("def gives_nothing(inputs: collections.abc.Mapping[str, object], outputs: "
                     "collections.abc.Mapping[str, object]) -> bool"),
             "Whether an output has no elements though every input has some: right for what finds nothing, but no run to\n"
             "measure.");
}

void bind_report(nb::module_& module) {
  nb::class_<TuneRow>(module, "TuneRow", "One candidate that was measured.")
      .def_ro("candidate", &TuneRow::candidate)
      .def_ro("verdict", &TuneRow::verdict,
              "\"winner\", \"tie\", \"undecided\", \"slower\", \"dropped\", \"failed\" or \"gated\"")
      .def_ro("reason", &TuneRow::reason)
      .def_ro("p50_ns", &TuneRow::p50_ns)
      .def_ro("blocks", &TuneRow::blocks)
      .def_ro("disturbed_blocks", &TuneRow::disturbed_blocks)
      .def_ro("ratio", &TuneRow::ratio, "its time over the winner's, with the 95 % interval of the paired ratio")
      .def_ro("ratio_low", &TuneRow::ratio_low)
      .def_ro("ratio_high", &TuneRow::ratio_high)
      .def_ro("error", &TuneRow::error)
      .def_ro("throughput_per_s", &TuneRow::throughput_per_s, "most requests per second with several callers; 0 = not measured")
      .def_ro("callers", &TuneRow::callers, "with how many")
      .def_ro("batch", &TuneRow::batch, "rows computed together at most in that measurement")
      .def_ro("peak_memory_bytes", &TuneRow::peak_memory_bytes, "of a process that ran nothing else; 0 = not measured")
      .def("__repr__", [](const TuneRow& row) { return "<axle.TuneRow " + row.candidate + ": " + row.verdict + ">"; });
  nb::class_<TuneReport>(module, "TuneReport", "What tune measured. str() is the table.")
      .def_ro("rows", &TuneReport::rows, "best first")
      .def_ro("notes", &TuneReport::notes)
      .def_ro("elapsed_ns", &TuneReport::elapsed_ns)
      .def_ro("reference", &TuneReport::reference, "candidate that errors are measured against")
      .def_ro("noisy_machine", &TuneReport::noisy_machine)
      .def_ro("plan", &TuneReport::plan, "made with the new evidence")
      .def(
          "to_json", [](const TuneReport& report) { return take(render_tune_json(report)); }, "Canonical JSON.")
      .def("__str__", [](const TuneReport& report) { return render_tune_text(report, TextStyle()); });
}

}  // namespace

void bind_tune(nb::module_& module) {
  bind_report(module);
  bind_samples(module);
  module.def(
      "tune_model", &tune_model, nb::arg("runtime"), nb::arg("model"), nb::arg("policy"), nb::arg("budget_ns"),
      nb::arg("samples").none() = nb::none(), nb::arg("seed") = 0, nb::arg("progress").none() = nb::none(),
      nb::arg("cancel").none() = nb::none(),
      nb::sig("def tune_model(runtime: Runtime, model: Model, policy: Policy, budget_ns: int, samples: "
              "collections.abc.Mapping[str, object] | None = None, seed: int = 0, progress: "
              "collections.abc.Callable[[TuneReport], object] | None = None, cancel: CancelToken | None = None) -> TuneReport"),
      "See axle.tune.");
  module.def("generate_inputs", &generate, nb::arg("model"), nb::arg("seed") = 0, nb::arg("axis_size") = 1,
             nb::arg("inner_axis_size") = 16, nb::arg("axes") = std::map<std::string, int64_t>(),
             nb::sig("def generate_inputs(model: Model, seed: int = 0, axis_size: int = 1, inner_axis_size: int = 16, axes: "
                     "collections.abc.Mapping[str, int] = {}) -> dict[str, numpy.ndarray]"),
             "See axle.generate_inputs.");
}

}  // namespace axle::python
