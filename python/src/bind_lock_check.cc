#include "axle/lock_check.h"

#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "axle/explain.h"
#include "bind.h"
#include "errors.h"
#include "unlocked.h"

namespace nb = nanobind;

namespace axle::python {
namespace {

CheckedLock check_file(const std::string& path, const Model* model, const Policy* policy, const Machine* machine,
                       const std::vector<std::string>& waive, bool verify, std::shared_ptr<Runtime> runtime) {
  return take(unlocked([&]() -> Result<CheckedLock> {
    if (!runtime) {
      AXLE_ASSIGN_OR_RETURN(runtime, default_runtime());
    }
    return check_lock_file(*runtime, path, {model, policy, machine, waive, verify});
  }));
}

}  // namespace

void bind_lock_check(nb::module_& module) {
  nb::class_<OldEvidence>(module, "OldEvidence", "A measurement behind a lock that is more than 90 days old.")
      .def_ro("candidate", &OldEvidence::candidate)
      .def_ro("recorded_unix_s", &OldEvidence::recorded_unix_s)
      .def_ro("age_days", &OldEvidence::age_days)
      .def("__repr__", [](const OldEvidence& old) {
        return "<axle.OldEvidence on " + old.candidate + ", " + std::to_string(old.age_days) + " days>";
      });
  nb::class_<LockCheck>(module, "LockCheck", "Whether a lock holds here.")
      .def_prop_ro(
          "state", [](const LockCheck& check) { return std::string(lock_state_name(check.state)); },
          "\"valid\", \"old_evidence\" (holds all the same) or \"drifted\"")
      .def_prop_ro("ok", [](const LockCheck& check) { return check.state != LockState::kDrifted; })
      .def_ro("drifts", &LockCheck::drifts, "every field that drifted, waived ones marked")
      .def_ro("old_evidence", &LockCheck::old_evidence)
      .def_ro("notes", &LockCheck::notes, "different, but nothing that runs depends on it")
      .def_ro("model_compared", &LockCheck::model_compared)
      .def_ro("machine_fingerprint", &LockCheck::machine_fingerprint)
      .def_ro("plan", &LockCheck::plan, "the locked plan; where a drift is waived, what is here instead")
      .def(
          "raise_if_drifted", [](const LockCheck& lock_check) { python::check(lock_check.status()); },
          "AbortedError when drifted: names each field with both values.")
      .def("__str__", [](const LockCheck& check) { return render_lock_check_text(check, "the lock", TextStyle()); })
      .def("__repr__",
           [](const LockCheck& check) { return "<axle.LockCheck " + std::string(lock_state_name(check.state)) + ">"; });
  nb::class_<CheckedLock>(module, "CheckedLock", "A lock that was read, and whether it holds.")
      .def_ro("lock", &CheckedLock::lock)
      .def_ro("check", &CheckedLock::check);
  module.def("check_lock_file", &check_file, nb::arg("path"), nb::arg("model").none() = nb::none(),
             nb::arg("policy").none() = nb::none(), nb::arg("machine").none() = nb::none(),
             nb::arg("waive") = std::vector<std::string>(), nb::arg("verify") = false, nb::arg("runtime").none() = nb::none(),
             "load_lock and Lock.check in one: the lock's facts are read once. Errors of both.");
}

}  // namespace axle::python
