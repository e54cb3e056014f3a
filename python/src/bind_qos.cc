#include "axle/qos.h"

#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "bind.h"

namespace nb = nanobind;

namespace axle::python {

void bind_qos(nb::module_& module) {
  nb::class_<QosBound>(module, "QosBound",
                       "One bound of the policy's constraints: over the session's last runs, or of its memory or power.")
      .def_ro("constraint", &QosBound::constraint, "\"latency_p99\", ..., \"throughput_min\", \"memory\", \"power\"")
      .def_ro("limit", &QosBound::limit, "nanoseconds; runs per second for throughput_min, bytes for memory, watts for power")
      .def_ro("value", &QosBound::value,
              "the same of the window (memory: the most so far; power: over a second); 0 = no run yet")
      .def_ro("window_runs", &QosBound::window_runs)
      .def_ro("window_size", &QosBound::window_size)
      .def_ro("violated", &QosBound::violated, "now")
      .def_ro("violations", &QosBound::violations, "how often it came to be")
      .def_ro("not_measured", &QosBound::not_measured, "why it cannot be watched here; \"\" = it is watched");
  nb::class_<QosReport>(module, "QosReport", "How a session keeps the constraints of its policy.")
      .def_ro("bounds", &QosReport::bounds, "empty: the policy sets none")
      .def_ro("runs", &QosReport::runs, "that succeeded since loading")
      .def_ro("failures", &QosReport::failures)
      .def_prop_ro("violated", &QosReport::violated);
  nb::class_<QosViolation>(module, "QosViolation", "A bound that came to be violated. str() is a sentence.")
      .def_ro("constraint", &QosViolation::constraint)
      .def_ro("limit", &QosViolation::limit)
      .def_ro("value", &QosViolation::value)
      .def_ro("number", &QosViolation::number, "of this bound's violations")
      .def_ro("runs", &QosViolation::runs)
      .def_ro("text", &QosViolation::text, "\"latency_p99 is 12.3 ms over the last 1000 runs, the policy allows 8.00 ms\"")
      .def("__str__", [](const QosViolation& violation) { return violation.text; });
}

}  // namespace axle::python
