// axle._core: the C++ API as Python sees it. What users import stands in python/axle.
#include "bind.h"
#include "numpy_api.h"

NB_MODULE(_core, module) {
  module.attr("__doc__") = "axle's C++ API, bound. Import axle instead.";
  // A session that a script leaves in a global lives until the process ends; that is no fault of the script.
  nanobind::set_leak_warnings(false);
  axle::python::import_numpy();
  axle::python::bind_status(module);
  axle::python::bind_version(module);
  axle::python::bind_cancel(module);
  axle::python::bind_tensor(module);
  axle::python::bind_device(module);
  axle::python::bind_device_profile(module);
  axle::python::bind_drift(module);
  axle::python::bind_engine(module);
  axle::python::bind_engine_registry(module);
  axle::python::bind_engine_description(module);
  axle::python::bind_engine_packages(module);
  axle::python::bind_policy(module);
  axle::python::bind_evidence(module);
  axle::python::bind_plan(module);
  axle::python::bind_lock(module);
  axle::python::bind_plan_diff(module);
  axle::python::bind_lock_check(module);
  axle::python::bind_artefact(module);
  axle::python::bind_cache(module);
  axle::python::bind_evidence_store(module);
  axle::python::bind_model(module);
  axle::python::bind_runtime(module);
  axle::python::bind_build_log(module);
  axle::python::bind_black_box(module);
  axle::python::bind_compile(module);
  axle::python::bind_tune(module);
  axle::python::bind_convert(module);
  axle::python::bind_qos(module);
  axle::python::bind_session(module);
  axle::python::bind_binding(module);
  axle::python::bind_bench(module);
  axle::python::bind_explain(module);
  axle::python::bind_renderers(module);
}
