#include "axle/plan_diff.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "axle/explain.h"
#include "bind.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {

void bind_plan_diff(nb::module_& module) {
  nb::class_<PlanChange>(module, "PlanChange", "One difference between two plans.")
      .def_ro("area", &PlanChange::area,
              "\"model\", \"policy\", \"machine\", \"engine\", \"schedule\", \"partition\", \"transfer\", \"substitution\", "
              "\"decision\", \"evidence\" or \"note\"")
      .def_ro("where", &PlanChange::where)
      .def_ro("before", &PlanChange::before, "\"\" = not there")
      .def_ro("after", &PlanChange::after, "\"\" = not there")
      .def_ro("why", &PlanChange::why, "decision code and reason, where there is one")
      .def("__repr__", [](const PlanChange& change) {
        return "<axle.PlanChange " + change.area + " " + change.where + ": " + change.before + " -> " + change.after + ">";
      });
  nb::class_<PlanDiff>(module, "PlanDiff", "What is different between two plans or locks. ``str()`` says it in words.")
      .def_ro("same_work", &PlanDiff::same_work, "only reasons or figures differ, or nothing")
      .def_ro("changes", &PlanDiff::changes, "what it was made for, what runs, why; empty = equal")
      .def("__bool__", [](const PlanDiff& diff) { return !diff.changes.empty(); })
      .def("__str__", [](const PlanDiff& diff) { return render_plan_diff_text(diff, TextStyle()); })
      .def("__repr__", [](const PlanDiff& diff) {
        return "<axle.PlanDiff of " + std::to_string(diff.changes.size()) + " changes" +
               (diff.same_work ? ", same work>" : ">");
      });
  module.def("diff_plans", &diff_plans, nb::arg("before"), nb::arg("after"), "Two plans in words.");
}

}  // namespace axle::python
