// Renderings of plans and sessions, as the command line prints them; those of lists and reports are in bind_renderers.cc.
#include "axle/explain.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "documents.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {

RunDocument document_of(const SessionCore& core, const Machine& machine) {
  RunDocument document;
  document.model = &core.model();
  document.policy = &core.policy();
  document.machine = &machine;
  document.plan = &core.session().plan();
  document.timing = &core.session().timing();
  document.effective_json = core.session().effective_json();
  document.counters = core.session().counters();
  document.qos = core.session().qos();
  // Only a session that records can tell.
  if (auto kernels = kernel_times(core.session())) document.kernels = std::move(*kernels);
  return document;
}

namespace {

std::string session_text(const SessionCore& core, bool verbose, int width) {
  return take(unlocked([&]() -> Result<std::string> {
    AXLE_ASSIGN_OR_RETURN(const Machine machine, core.runtime()->machine());
    return render_plan_text(document_of(core, machine), style_of(verbose, width));
  }));
}

std::string session_json(const SessionCore& core) {
  return take(unlocked([&]() -> Result<std::string> {
    AXLE_ASSIGN_OR_RETURN(const Machine machine, core.runtime()->machine());
    return render_run_json(document_of(core, machine));
  }));
}

// The graph, roofline and memory are in a lock's facts; a session without one has none at hand.
std::string session_html(const SessionCore& core) {
  return take(unlocked([&]() -> Result<std::string> {
    AXLE_ASSIGN_OR_RETURN(const Machine machine, core.runtime()->machine());
    PlanPage page;
    if (core.lock()) page.input_json = core.lock()->input_json;
    if (kernel_times(core.session())) page.recorded = &core.session();  // fails where nothing is recorded
    return render_plan_html(document_of(core, machine), page);
  }));
}

std::vector<KernelTime> kernels_of(const SessionCore& core) {
  return take(unlocked([&] { return kernel_times(core.session()); }));
}

RunDocument plan_document(const Plan& plan, const Model* model, const Policy* policy, const Machine* machine) {
  RunDocument document;
  document.model = model;
  document.policy = policy;
  document.machine = machine;
  document.plan = &plan;
  return document;
}

std::string plan_json(const Plan& plan, const Model* model, const Policy* policy, const Machine* machine,
                      const std::vector<CompiledPart>& compiled) {
  return take(unlocked([&] {
    RunDocument document = plan_document(plan, model, policy, machine);
    document.compiled = compiled;
    return render_run_json(document);
  }));
}

std::string plan_html(const Plan& plan, const Model* model, const Policy* policy, const Machine* machine,
                      const std::string& input_json, const SessionCore* recorded) {
  return take(unlocked([&] {
    RunDocument document = plan_document(plan, model, policy, machine);
    if (recorded != nullptr) document.plan = &recorded->session().plan();  // with a note on what recording changed
    return render_plan_html(document, {input_json, recorded == nullptr ? nullptr : &recorded->session()});
  }));
}

void bind_session_renderers(nb::module_& module) {
  nb::class_<KernelTime>(module, "KernelTime", "Time of a recorded run in one node or kernel, as the engine named it.")
      .def_ro("name", &KernelTime::name)
      .def_ro("partition", &KernelTime::partition, "-1 = of none")
      .def_ro("time_ns", &KernelTime::time_ns, "of all its calls")
      .def_ro("calls", &KernelTime::calls)
      .def("__repr__",
           [](const KernelTime& time) { return "<axle.KernelTime " + time.name + ", " + format_duration(time.time_ns) + ">"; });
  module.def(
      "kernel_times", &kernels_of, nb::arg("session"),
      "Of the session's last recorded run, the longest first; empty where engines told of none. FailedPreconditionError\n"
      "unless it was made with profile=True.");
  module.def(
      "render_kernels_text",
      [](const std::vector<KernelTime>& times, const Plan& plan, bool verbose, int width, bool color) {
        return render_kernels_text(times, plan, style_of(verbose, width, color));
      },
      nb::arg("times"), nb::arg("plan"), nb::arg("verbose") = false, nb::arg("width") = 100, nb::arg("color") = false,
      "The longest kernels and what they take of all together: 12 of them, all when verbose.");
  module.def("explain_session_text", &session_text, nb::arg("session"), nb::arg("verbose") = false, nb::arg("width") = 100);
  module.def("explain_session_json", &session_json, nb::arg("session"));
  module.def("explain_session_html", &session_html, nb::arg("session"));
}

void bind_plan_renderers(nb::module_& module) {
  module.def(
      "render_plan_text",
      [](const Plan& plan, const Model* model, const Policy* policy, const Machine* machine, bool verbose, int width,
         bool color) { return render_plan_text(plan_document(plan, model, policy, machine), style_of(verbose, width, color)); },
      nb::arg("plan"), nb::arg("model").none() = nb::none(), nb::arg("policy").none() = nb::none(),
      nb::arg("machine").none() = nb::none(), nb::arg("verbose") = false, nb::arg("width") = 100, nb::arg("color") = false,
      "The plan in words: what runs where, why, what was turned down.");
  module.def(
      "render_plan_line",
      [](const Plan& plan, const Model* model, const Policy* policy, const Machine* machine) {
        return render_plan_line(plan_document(plan, model, policy, machine));
      },
      nb::arg("plan"), nb::arg("model").none() = nb::none(), nb::arg("policy").none() = nb::none(),
      nb::arg("machine").none() = nb::none(), "The plan in one line.");
  module.def("render_run_json", &plan_json, nb::arg("plan"), nb::arg("model").none() = nb::none(),
             nb::arg("policy").none() = nb::none(), nb::arg("machine").none() = nb::none(),
             nb::arg("compiled") = std::vector<CompiledPart>(),
             "The document of axle plan --json, and with what compile_plan gave of axle compile --json.");
  module.def(
      "render_plan_html", &plan_html, nb::arg("plan"), nb::arg("model").none() = nb::none(),
      nb::arg("policy").none() = nb::none(), nb::arg("machine").none() = nb::none(), nb::arg("input_json") = "",
      nb::arg("recorded").none() = nb::none(),
      "One page of HTML in one file, nothing fetched from elsewhere. `input_json` (PlanReport, Lock): the graph with each\n"
      "engine's answers, roofline and memory. `recorded`: a session made with profile=True, the time line of its last run.\n"
      "InvalidArgumentError when the input cannot be read; FailedPreconditionError when the session records nothing.");
}

}  // namespace

void bind_explain(nb::module_& module) {
  bind_session_renderers(module);
  bind_plan_renderers(module);
}

}  // namespace axle::python
