#include "axle/drift.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"

namespace nb = nanobind;

namespace axle::python {

void bind_drift(nb::module_& module) {
  nb::class_<Drift>(module, "Drift", "One fact a lock was made on that is different now.")
      .def_ro("field", &Drift::field, "one of drift_fields()")
      .def_ro("where", &Drift::where, "resource, engine, file or policy key; \"\" = the machine as a whole")
      .def_ro("locked", &Drift::locked, "then")
      .def_ro("found", &Drift::found, "now")
      .def_ro("waived", &Drift::waived)
      .def("__str__", &Drift::to_string)
      .def("__repr__",
           [](const Drift& drift) { return "<axle.Drift " + drift.to_string() + (drift.waived ? ", waived>" : ">"); });
  module.def("drift_fields", &drift_fields, "What [lock] waive and `waive` can name.");
}

}  // namespace axle::python
