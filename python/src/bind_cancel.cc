#include "axle/cancel.h"

#include <nanobind/stl/optional.h>

#include <chrono>
#include <optional>

#include "bind.h"
#include "errors.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

std::chrono::steady_clock::time_point in(double seconds) {
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
}

}  // namespace

void bind_cancel(nb::module_& module) {
  nb::class_<CancelToken>(module, "CancelToken",
                          "One party asks, others notice. Copies share the flag; every member is thread-safe.")
      .def(nb::init<>(), "A token that cancel() on any copy ends.")
      .def_static(
          "with_timeout", [](double seconds) { return CancelToken::with_deadline(in(seconds)); }, nb::arg("seconds"),
          "A token that also ends `seconds` from now (DeadlineExceededError).")
      .def(
          "until", [](const CancelToken& token, double seconds) { return token.until(in(seconds)); }, nb::arg("seconds"),
          "A token of its own that also ends with this one, or `seconds` from now; cancelling it leaves this one alone.")
      .def("cancel", &CancelToken::cancel, "Ask everybody who holds a copy to stop.")
      .def_prop_ro("cancelled", &CancelToken::cancelled, "True after cancel() or past the deadline.")
      .def(
          "check", [](const CancelToken& token) { check(token.check()); },
          "Raise CancelledError or DeadlineExceededError when cancelled.")
      .def_prop_ro(
          "deadline",
          [](const CancelToken& token) -> std::optional<double> {
            if (!token.deadline()) return std::nullopt;
            return std::chrono::duration<double>(token.deadline()->time_since_epoch()).count();
          },
          "By time.monotonic(), in seconds; None = none.")
      .def("__repr__",
           [](const CancelToken& token) { return token.cancelled() ? "<axle.CancelToken cancelled>" : "<axle.CancelToken>"; });
}

}  // namespace axle::python
