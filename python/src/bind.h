// One function per public header (bind_x.cc binds include/axle/x.h), called once each by module.cc; where a header is large, two.
#pragma once

#include <nanobind/nanobind.h>

namespace axle::python {

void bind_status(nanobind::module_& module);
void bind_version(nanobind::module_& module);
void bind_cancel(nanobind::module_& module);
void bind_tensor(nanobind::module_& module);
void bind_device(nanobind::module_& module);
void bind_device_profile(nanobind::module_& module);
void bind_drift(nanobind::module_& module);
void bind_engine(nanobind::module_& module);
void bind_engine_registry(nanobind::module_& module);
void bind_engine_description(nanobind::module_& module);
void bind_engine_packages(nanobind::module_& module);
void bind_policy(nanobind::module_& module);
void bind_evidence(nanobind::module_& module);
void bind_plan(nanobind::module_& module);
void bind_lock(nanobind::module_& module);
void bind_plan_diff(nanobind::module_& module);
void bind_lock_check(nanobind::module_& module);
void bind_artefact(nanobind::module_& module);  // of cache.h
void bind_cache(nanobind::module_& module);
void bind_build_log(nanobind::module_& module);
void bind_black_box(nanobind::module_& module);
void bind_compile(nanobind::module_& module);
void bind_evidence_store(nanobind::module_& module);
void bind_runtime(nanobind::module_& module);
void bind_model(nanobind::module_& module);
void bind_tune(nanobind::module_& module);
void bind_convert(nanobind::module_& module);
void bind_qos(nanobind::module_& module);
void bind_session(nanobind::module_& module);
void bind_binding(nanobind::module_& module);
void bind_bench(nanobind::module_& module);
void bind_explain(nanobind::module_& module);
void bind_renderers(nanobind::module_& module);  // of explain.h

}  // namespace axle::python
