#include "axle/bench.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <mutex>
#include <utility>

#include "arrays.h"
#include "bind.h"
#include "documents.h"
#include "errors.h"
#include "session_core.h"
#include "unlocked.h"
#include "watched_call.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

// What bench gave, with what its sessions were made of.
struct Benched {
  Benched(BenchReport made, const Model& of, const Policy& under, std::shared_ptr<Runtime> here)
      : report(std::move(made)), model(of), policy(under), runtime(std::move(here)) {}
  ~Benched() {
    const nb::gil_scoped_release released;  // engines may take their time to unload
    report.session.reset();
    report.recorded.reset();
  }
  Benched(Benched&&) = default;
  Benched(const Benched&) = delete;
  Benched& operator=(const Benched&) = delete;

  BenchReport report;
  Model model;
  Policy policy;
  std::shared_ptr<Runtime> runtime;
};

// Violations, handed from the session's thread to the caller's. What the session keeps outlives the call, and is deaf after it.
class ViolationBox {
 public:
  explicit ViolationBox(nb::object callback) : callback_(std::move(callback)) {}
  ~ViolationBox() {
    const std::lock_guard lock(shared_->mutex);
    shared_->open = false;
  }
  ViolationBox(const ViolationBox&) = delete;
  ViolationBox& operator=(const ViolationBox&) = delete;

  std::function<void(const QosViolation&)> writer() {
    if (callback_.is_none()) return nullptr;
    return [shared = shared_](const QosViolation& violation) {
      const std::lock_guard lock(shared->mutex);
      if (shared->open) shared->waiting.push_back(violation);
    };
  }
  void deliver() {
    std::vector<QosViolation> violations;
    {
      const std::lock_guard lock(shared_->mutex);
      violations.swap(shared_->waiting);
    }
    for (const QosViolation& violation : violations) callback_(violation);
  }

 private:
  struct Shared {
    std::mutex mutex;
    bool open = true;
    std::vector<QosViolation> waiting;
  };
  nb::object callback_;
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
};

Benched bench_model(const std::shared_ptr<Runtime>& runtime, const Model& model, const Policy& policy, int64_t duration_ns,
                    int32_t callers, nb::handle samples, const std::string& samples_note, uint64_t seed,
                    const std::vector<std::string>& compare, bool profile, const nb::object& progress,
                    const nb::object& on_violation, const CancelToken* cancel) {
  Watch watch = Watch::over(cancel);
  ProgressBox box(progress);
  ViolationBox violations(on_violation);
  watch.tick = [&] {
    box.deliver();
    violations.deliver();
  };
  BenchOptions options;
  options.policy = policy;
  options.duration_ns = duration_ns;
  options.callers = callers;
  options.samples = to_named_tensors(samples, model.inputs());
  options.samples_note = samples_note;
  options.seed = seed;
  options.compare = compare;
  options.profile = profile;
  options.cancel = watch.token;
  options.progress = box.writer();
  options.on_violation = violations.writer();
  BenchReport report = take(call_watched<BenchReport>(watch, [&] { return bench(*runtime, model, options); }));
  return {std::move(report), model, policy, runtime};
}

// An axle.Session over one that bench loaded; None where there is none.
nb::object session_of(const Benched& benched, const std::optional<Session>& session) {
  if (!session) return nb::none();
  nb::object made = nb::inst_alloc(nb::module_::import_("axle.session").attr("Session"));
  new (nb::inst_ptr<SessionCore>(made)) SessionCore(*session, benched.model, benched.policy, benched.runtime);
  nb::inst_mark_ready(made);
  return made;
}

std::string json_of(const Benched& benched) {
  return take(unlocked([&]() -> Result<std::string> {
    AXLE_ASSIGN_OR_RETURN(const Machine machine, benched.runtime->machine());
    RunDocument document;
    document.model = &benched.model;
    document.policy = &benched.policy;
    document.machine = &machine;
    document.first_run_ns = benched.report.first_run_ns;
    document.run_ns = benched.report.latency.p50_ns;
    if (benched.report.session) {
      document.plan = &benched.report.session->plan();
      document.timing = &benched.report.session->timing();
      document.effective_json = benched.report.session->effective_json();
      document.qos = benched.report.session->qos();
    }
    return render_bench_json(document, benched.report);
  }));
}

void bind_figures(nb::module_& module) {
  nb::class_<LatencyFigures>(module, "LatencyFigures", "Of single calls; a percentile is the nearest rank.")
      .def_ro("calls", &LatencyFigures::calls)
      .def_ro("p50_ns", &LatencyFigures::p50_ns)
      .def_ro("p95_ns", &LatencyFigures::p95_ns)
      .def_ro("p99_ns", &LatencyFigures::p99_ns)
      .def_ro("min_ns", &LatencyFigures::min_ns)
      .def_ro("mean_ns", &LatencyFigures::mean_ns)
      .def_prop_ro("p95_certain", &LatencyFigures::p95_certain, "at least 20 calls")
      .def_prop_ro("p99_certain", &LatencyFigures::p99_certain, "at least 1,000 calls")
      .def("__repr__", [](const LatencyFigures& figures) {
        return "<axle.LatencyFigures p50 " + format_duration(figures.p50_ns) + " of " + std::to_string(figures.calls) + ">";
      });
  nb::class_<BenchRival>(module, "BenchRival", "One engine that was asked to be compared with.")
      .def_ro("engine", &BenchRival::engine)
      .def_prop_ro(
          "failure", [](const BenchRival& rival) { return rival.failure.ok() ? std::string() : rival.failure.to_string(); },
          "why it could not be planned, loaded or run; \"\" = it was measured")
      .def_ro("candidate", &BenchRival::candidate)
      .def_ro("latency", &BenchRival::latency)
      .def_ro("throughput_per_s", &BenchRival::throughput_per_s)
      .def_ro("ratio", &BenchRival::ratio, "its time over ours: the median over pairs of neighbouring blocks")
      .def_ro("ratio_low", &BenchRival::ratio_low, "95 % interval; 0 = too few pairs to say")
      .def_ro("ratio_high", &BenchRival::ratio_high)
      .def_ro("pairs", &BenchRival::pairs)
      .def_ro("verdict", &BenchRival::verdict, "\"slower\", \"faster\", \"tie\", \"undecided\" or \"failed\"")
      .def("__repr__", [](const BenchRival& rival) { return "<axle.BenchRival " + rival.engine + ": " + rival.verdict + ">"; });
}

template <typename Member>
auto field(Member BenchReport::* member) {
  return [member](const Benched& benched) { return benched.report.*member; };
}

void bind_report(nb::module_& module) {
  nb::class_<Benched>(module, "BenchReport", "What bench measured. str() is the table.")
      .def_prop_ro(
          "session", [](const Benched& benched) { return session_of(benched, benched.report.session); },
          nb::sig("def session(self) -> axle.session.Session"), "What was measured, as an axle.Session that can be run on.")
      .def_prop_ro(
          "recorded", [](const Benched& benched) { return session_of(benched, benched.report.recorded); },
          nb::sig("def recorded(self) -> axle.session.Session | None"),
          "With profile=True the session whose calls were recorded: its profile() and kernel_times().")
      .def_prop_ro("latency", field(&BenchReport::latency))
      .def_prop_ro("throughput_per_s", field(&BenchReport::throughput_per_s), "completed calls of all callers per second")
      .def_prop_ro("callers", field(&BenchReport::callers))
      .def_prop_ro("first_run_ns", field(&BenchReport::first_run_ns), "the first call after loading")
      .def_prop_ro("blocks", field(&BenchReport::blocks), "of ours that count")
      .def_prop_ro("disturbed_blocks", field(&BenchReport::disturbed_blocks), "left out: the machine was busy elsewhere")
      .def_prop_ro("noisy_machine", field(&BenchReport::noisy_machine),
                   "more blocks were disturbed than not: then none is left out")
      .def_prop_ro("elapsed_ns", field(&BenchReport::elapsed_ns), "of measuring")
      .def_prop_ro("batching", field(&BenchReport::batching), "of our calls while measuring")
      .def_prop_ro("rivals", field(&BenchReport::rivals), "in the order asked for")
      .def_prop_ro("notes", field(&BenchReport::notes))
      .def("to_json", &json_of, "Canonical JSON (docs/formats/bench-document.md).")
      .def("__str__", [](const Benched& benched) { return render_bench_text(benched.report, TextStyle()); });
}

}  // namespace

void bind_bench(nb::module_& module) {
  bind_figures(module);
  bind_report(module);
  module.def(
      "bench_model", &bench_model, nb::arg("runtime"), nb::arg("model"), nb::arg("policy"), nb::arg("duration_ns"),
      nb::arg("callers") = 1, nb::arg("samples").none() = nb::none(), nb::arg("samples_note") = "", nb::arg("seed") = 0,
      nb::arg("compare") = std::vector<std::string>(), nb::arg("profile") = false, nb::arg("progress").none() = nb::none(),
      nb::arg("on_violation").none() = nb::none(), nb::arg("cancel").none() = nb::none(),
      nb::sig("def bench_model(runtime: Runtime, model: Model, policy: Policy, duration_ns: int, callers: int = 1, samples: "
              "collections.abc.Mapping[str, object] | None = None, samples_note: str = '', seed: int = 0, compare: "
              "collections.abc.Sequence[str] = (), profile: bool = False, progress: collections.abc.Callable[[str, float], "
              "object] | None = None, on_violation: collections.abc.Callable[[QosViolation], object] | None = None, cancel: "
              "CancelToken | None = None) -> BenchReport"),
      "See axle.bench.");
  module.def(
      "render_bench_text",
      [](const Benched& benched, bool verbose, int width, bool color) {
        return render_bench_text(benched.report, style_of(verbose, width, color));
      },
      nb::arg("report"), nb::arg("verbose") = false, nb::arg("width") = 100, nb::arg("color") = false,
      "The table of what was measured.");
  module.def("render_bench_json", &json_of, nb::arg("report"), "docs/formats/bench-document.md");
}

}  // namespace axle::python
