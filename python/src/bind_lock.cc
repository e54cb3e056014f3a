#include "axle/lock.h"

#include <nanobind/stl/string.h>

#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {

void bind_lock(nb::module_& module) {
  nb::class_<Lock>(module, "Lock", "A plan with the planner's whole input (docs/formats/lock.md).")
      .def_ro("plan", &Lock::plan)
      .def_ro("input_json", &Lock::input_json, "the planner's input, canonical JSON")
      .def("digest", &Lock::digest, "\"sha256:...\" over the plan and its input, without the time of collection.")
      .def(
          "to_json", [](const Lock& lock) { return take(lock_to_json(lock)); }, "Canonical JSON.")
      .def(
          "save", [](const Lock& lock, const std::string& path) { check(save_lock(path, lock)); }, nb::arg("path"),
          "Write the file: complete or absent.")
      .def(
          "check_replans", [](const Lock& lock) { check(unlocked([&] { return check_replans(lock); })); },
          "Plan again from the embedded input. AbortedError when this build decides differently.")
      .def(
          "policy", [](const Lock& lock) { return take(locked_policy(lock)); }, "The policy the lock was made under.")
      .def("__repr__", [](const Lock& lock) { return "<axle.Lock " + lock.digest() + ">"; });
  module.def(
      "load_lock", [](const std::string& path) { return take(load_lock(path)); }, nb::arg("path"),
      "A lock file. NotFoundError; InvalidArgumentError when malformed or changed after it was written.");
  module.def("parse_lock", [](const std::string& json) { return take(parse_lock(json)); }, nb::arg("json"), "A lock as text.");
  module.def(
      "make_lock", [](const Plan& plan, const std::string& input_json) { return take(make_lock(plan, input_json)); },
      nb::arg("plan"), nb::arg("input_json"),
      "From what planning with keep_input gives. InvalidArgumentError when the input does not lead to this plan.");
}

}  // namespace axle::python
