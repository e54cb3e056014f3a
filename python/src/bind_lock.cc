#include "axle/lock.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "axle/lock_check.h"
#include "axle/plan_diff.h"
#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

LockCheck check_here(const Lock& lock, const Model* model, const Policy* policy, const Machine* machine,
                     const std::vector<std::string>& waive, bool verify, std::shared_ptr<Runtime> runtime) {
  return take(unlocked([&]() -> Result<LockCheck> {
    if (!runtime) {
      AXLE_ASSIGN_OR_RETURN(runtime, default_runtime());
    }
    return check_lock(*runtime, lock, {model, policy, machine, waive, verify});
  }));
}

}  // namespace

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
      .def_static(
          "load", [](const std::string& path) { return take(load_lock(path)); }, nb::arg("path"), "The same as load_lock.")
      .def("check", &check_here, nb::arg("model").none() = nb::none(), nb::arg("policy").none() = nb::none(),
           nb::arg("machine").none() = nb::none(), nb::arg("waive") = std::vector<std::string>(), nb::arg("verify") = false,
           nb::arg("runtime").none() = nb::none(),
           "Does it hold here? Compared are engines, machine and, where given, model and policy (None: not compared; the "
           "lock's\n"
           "own). machine: a recorded one instead of this. waive: fields (drift_fields()) tolerated beside the lock's own. "
           "Runs\n"
           "nothing; opens an engine only when its files changed. InvalidArgumentError for an unknown field.")
      .def(
          "diff", [](const Lock& lock, const Lock& after) { return take(unlocked([&] { return diff_locks(lock, after); })); },
          nb::arg("after"), "What is different in `after`: facts, partitions, reasons.")
      .def(
          "replan", [](const Lock& lock) { return take(unlocked([&] { return replan(lock); })); },
          "Plan again from the embedded input alone: the same bytes on every machine, with the version that wrote it.")
      .def("__eq__", [](const Lock& lock, const Lock& other) { return lock == other; })
      .def("__hash__", [](const Lock& lock) { return nb::hash(nb::str(lock.digest().c_str())); })
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
