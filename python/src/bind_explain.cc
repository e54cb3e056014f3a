// Renderings of plans, machines, engines and models, as the command line prints them.
#include "axle/explain.h"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"
#include "errors.h"
#include "session_core.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

TextStyle style_of(bool verbose, int width) {
  TextStyle style;
  style.verbose = verbose;
  style.width = width;
  return style;
}

// The document of a session; `machine` must outlive it.
RunDocument document_of(const SessionCore& core, const Machine& machine) {
  RunDocument document;
  document.model = &core.model();
  document.policy = &core.policy();
  document.machine = &machine;
  document.plan = &core.session().plan();
  document.timing = &core.session().timing();
  document.effective_json = core.session().effective_json();
  return document;
}

std::string session_text(const SessionCore& core, bool verbose, int width) {
  return unlocked([&]() -> std::string {
    const auto machine = core.runtime()->machine();
    return machine ? render_plan_text(document_of(core, *machine), style_of(verbose, width)) : machine.error().to_string();
  });
}

std::string session_json(const SessionCore& core) {
  return take(unlocked([&]() -> Result<std::string> {
    AXLE_ASSIGN_OR_RETURN(const Machine machine, core.runtime()->machine());
    return render_run_json(document_of(core, machine));
  }));
}

RunDocument document_of(const Plan& plan, const Model* model, const Policy* policy, const Machine* machine) {
  RunDocument document;
  document.model = model;
  document.policy = policy;
  document.machine = machine;
  document.plan = &plan;
  return document;
}

void bind_plan_renderers(nb::module_& module) {
  module.def("explain_session_text", &session_text, nb::arg("session"), nb::arg("verbose") = false, nb::arg("width") = 100);
  module.def("explain_session_json", &session_json, nb::arg("session"));
  module.def(
      "render_plan_text",
      [](const Plan& plan, const Model* model, const Policy* policy, const Machine* machine, bool verbose, int width) {
        return render_plan_text(document_of(plan, model, policy, machine), style_of(verbose, width));
      },
      nb::arg("plan"), nb::arg("model").none() = nb::none(), nb::arg("policy").none() = nb::none(),
      nb::arg("machine").none() = nb::none(), nb::arg("verbose") = false, nb::arg("width") = 100,
      "The plan in words: what runs where, why, what was turned down.");
  module.def(
      "render_run_json",
      [](const Plan& plan, const Model* model, const Policy* policy, const Machine* machine) {
        return take(render_run_json(document_of(plan, model, policy, machine)));
      },
      nb::arg("plan"), nb::arg("model").none() = nb::none(), nb::arg("policy").none() = nb::none(),
      nb::arg("machine").none() = nb::none(), "The document of axle plan --json.");
}

}  // namespace

void bind_explain(nb::module_& module) {
  bind_plan_renderers(module);
  module.def(
      "render_devices_text",
      [](const Machine& machine, const std::vector<EngineState>& engines) {
        return render_devices_text(machine, engines, TextStyle());
      },
      nb::arg("machine"), nb::arg("engines"), "Resources with the engines that reach them.");
  module.def(
      "render_engines_text", [](const std::vector<EngineState>& engines) { return render_engines_text(engines, TextStyle()); },
      nb::arg("engines"), "Engines, present or not, with the reason and the install command.");
  module.def(
      "render_model_text",
      [](const Model& model, const std::vector<EngineOpinion>& opinions) {
        return unlocked([&] { return render_model_text(model, opinions, TextStyle()); });
      },
      nb::arg("model"), nb::arg("opinions"), "A model with what each engine says of it.");
  module.def(
      "render_model_json",
      [](const Model& model, const std::vector<EngineOpinion>& opinions) {
        return take(unlocked([&] { return render_model_json(model, opinions); }));
      },
      nb::arg("model"), nb::arg("opinions"), "The document of axle inspect --json.");
}

}  // namespace axle::python
